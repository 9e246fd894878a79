"""Training the embedded toy model from nothing."""
