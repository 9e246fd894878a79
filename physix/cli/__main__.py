"""`python -m physix.cli` is `physix`."""

from physix.cli.app import main

main()
