"""Bringing a database to the current schema. Alembic is imported only when there is work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from physix.errors import StorageError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"


def migrate(connection: Connection) -> None:
    """Upgrade to HEAD inside the connection's transaction, which must hold the write lock.

    Raises:
        StorageError: the schema is newer than this program, or the file holds other tables.
    """
    tables = set(inspect(connection).get_table_names())
    revision = None
    if "alembic_version" in tables:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    elif tables:
        raise StorageError(
            f"The database holds other tables ({', '.join(sorted(tables))[:120]}) and no PhysiX log; "
            "choose another file."
        )
    if revision == HEAD:
        return
    config = alembic_config(connection)
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    if revision is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(revision)
        except CommandError as error:
            raise StorageError(
                f"The database has schema {revision}, which this version does not know "
                f"(it knows up to {HEAD}). Update PhysiX-Live."
            ) from error
    command.upgrade(config, "head")


def alembic_config(connection: Connection) -> Config:
    """Return a configuration that runs on `connection`, built in code: there is no ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "physix:alembic")
    config.attributes["connection"] = connection
    return config
