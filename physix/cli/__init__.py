"""The `physix` command."""

from physix.cli.app import main

__all__ = ["main"]
