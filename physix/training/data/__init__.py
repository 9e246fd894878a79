"""Datasets mined from the log, and the records of training runs. No torch here."""
