"""Boards over SSH: check one, install the device half there, bring a bundle, run commands, leave nothing behind."""
