"""Bringing a database to the current schema. Alembic is imported only when there is work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from physix.errors import StorageError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0005"


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


def check_readable(connection: Connection) -> None:
    """Refuse a database that cannot be read as it is. Nothing is written.

    Raises:
        StorageError: it holds no log, one of another schema, or a list that is being rebuilt.
    """
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" not in tables:
        raise StorageError("The database holds no PhysiX log.")
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision != HEAD:
        raise StorageError(
            f"The database has schema {revision}, this version reads {HEAD}, and a command that only reads "
            "changes nothing. If yours is the older one, `physix log rebuild` upgrades it; "
            "if it is the newer one, update PhysiX-Live."
        )
    if connection.execute(text("SELECT count(*) FROM checkpoints")).scalar():
        raise StorageError("A rebuild of the list runs or was cut off: `physix log rebuild` ends it.")


def alembic_config(connection: Connection) -> Config:
    """Return a configuration that runs on `connection`, built in code: there is no ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "physix:alembic")
    config.attributes["connection"] = connection
    return config
