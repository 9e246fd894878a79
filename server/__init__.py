"""OpenEnv's layout: the server lives in `physix.api`."""
