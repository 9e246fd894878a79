"""Training on episodes from the log."""
