"""Room vision."""
