"""Room nets."""
