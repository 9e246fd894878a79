"""Which names of a database the models declare: full-text search is made by migrations where it is there."""


def is_declared(name: str | None, *_: object) -> bool:
    """Tell a table or index of ours from those of full-text search (FTS5, pg_trgm)."""
    return name is None or not name.startswith("search")
