"""The launch lock of an edition, which everything holds that decides which campaigns of it there are."""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, text

from mailer.campaigns.launch_faults import find_plan_faults, refuse
from mailer.campaigns.plan import Plan
from mailer.rendering.compiled_edition import write_media
from mailer.workspace import Workspace


def acquire_launch_lock(connection: Connection, edition: str) -> None:
    """Wait until no other transaction prepares, approves or launches ``edition``. On SQLite, writers wait for
    each other anyway."""
    if connection.dialect.name == "postgresql":
        statement = text("SELECT pg_advisory_xact_lock(hashtext('mailer launch'), hashtext(:edition))")
        connection.execute(statement, {"edition": edition})


@contextlib.contextmanager
def launch_lock(engine: Engine, workspace: Workspace, plan: Plan) -> Iterator[Connection]:
    """Open a transaction that only one launch of an edition can hold at a time. Pictures are stored before
    anything is written to the database. Raise LaunchRefusedError if the plan could not be launched at all."""
    refuse(find_plan_faults(workspace.settings, plan))
    for compiled in plan.compiled:
        write_media(compiled, workspace.media)
    with engine.begin() as connection:
        acquire_launch_lock(connection, plan.edition)
        yield connection
