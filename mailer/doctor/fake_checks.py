"""Checks of what others send in our name, as far as people have told us."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from locales.phrase import Phrase, gettext_noop
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
        message = Phrase(
            gettext_noop("1 fake mail in your name in the last %(days)s days. To see them: mailer fakes list")
            if number == 1
            else gettext_noop(
                "%(number)s fake mails in your name in the last %(days)s days. To see them: mailer fakes list"
            ),
            number=number,
            days=_LATELY.days,
        )
        yield find_doubtful("fakes", "fakes-submitted", message)
