"""Migrations of the event log's schema, run by `physix.store.sql.migrate`."""
