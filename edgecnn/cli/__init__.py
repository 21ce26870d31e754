"""The command line: one file a command, each parses, calls and shows. Only here are things printed and exit codes chosen."""
