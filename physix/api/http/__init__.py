"""REST: episodes, comparisons, demos, datasets, runs."""
