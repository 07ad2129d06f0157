"""Checks of what others send in our name, as far as people have told us."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from mailer.database.engine import open_session
from mailer.database.schema import ensure_current
from mailer.doctor.diagnosis import Diagnosis, find_doubtful
from mailer.errors import ConfigurationError, MailerError
from mailer.verification.fakes import count_fakes
from mailer.workspace import Workspace

_LATELY = timedelta(days=30)


def check_fakes(workspace: Workspace) -> Iterator[Diagnosis]:
    """Name the fakes that people have submitted at /verify lately."""
    engine = workspace.open_database()
    try:
        ensure_current(engine)
        with open_session(engine, read_only=True) as session:
            number = count_fakes(session, since=datetime.now(UTC) - _LATELY)
    except (ConfigurationError, MailerError, SQLAlchemyError):
        # The check of the database says what is wrong.
        return
    finally:
        engine.dispose()
    if number:
        fakes = "1 fake mail" if number == 1 else f"{number} fake mails"
        message = f"{fakes} in your name in the last {_LATELY.days} days. To see them: mailer fakes list"
        yield find_doubtful("fakes", "fakes-submitted", message)
