"""Measurements anyone can repeat: `physix bench NAME`. Figures are printed, never asserted."""
