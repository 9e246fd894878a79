"""Exit codes that commands share; `physix.cli.app.main` lists all of them."""

POLICY_FAILED = 3  # a policy gave up
