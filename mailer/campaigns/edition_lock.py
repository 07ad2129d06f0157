"""The launch lock of an edition, which everything holds that decides which campaigns of it there are."""

from sqlalchemy import Connection, text


def acquire_launch_lock(connection: Connection, edition: str) -> None:
    """Wait until no other transaction prepares, approves or launches ``edition``. On SQLite, writers wait for
    each other anyway."""
    if connection.dialect.name == "postgresql":
        statement = text("SELECT pg_advisory_xact_lock(hashtext('mailer launch'), hashtext(:edition))")
        connection.execute(statement, {"edition": edition})
