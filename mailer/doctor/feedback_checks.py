"""Checks of what comes back: the mailbox, its addresses, the webhooks, and what waits for a person."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from locales.phrase import CLAUSES, Phrase, gettext_noop, join_sentences
from mailer.database.engine import open_session
from mailer.database.schema import ensure_current
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.incoming_checks import (
    check_feedback,
    check_leaving_by_mail,
    check_return_path,
    check_returned,
)
from mailer.errors import ConfigurationError, MailerError
from mailer.feedback.dmarc_reports import read_senders
from mailer.feedback.webhooks.registry import find_faults
from mailer.verification.fakes import count_fakes
from mailer.workspace import Workspace

_MANY_UNKNOWN = 10
_UNKNOWN_SHARE = 0.02
"""Every domain has some mail that was forwarded badly; more than this is worth a look."""


def check_incoming(workspace: Workspace) -> Iterator[Diagnosis]:
    """Ask the mailbox where bounces and replies arrive."""
    settings = workspace.settings
    yield from check_feedback(workspace)
    yield check_return_path(settings)
    yield check_leaving_by_mail(settings)


def check_alarms(workspace: Workspace) -> Iterator[Diagnosis]:
    """Name what came back that somebody must look at."""
    try:
        yield from list(check_returned(workspace))
    except (ConfigurationError, MailerError, SQLAlchemyError):
        # The check of the database says what is wrong.
        return


def check_reported_senders(workspace: Workspace) -> Iterator[Diagnosis]:
    """Say who sends in our name, as receivers reported in the last 30 days (DMARC, RFC 9990)."""
    engine = workspace.open_database()
    try:
        with engine.connect() as connection:
            found = read_senders(connection, since=datetime.now(UTC) - timedelta(days=30))
    except SQLAlchemyError:
        return
    finally:
        engine.dispose()
    if not found.reports:
        return
    unknown = sum(sender.messages - sender.passed for sender in found.unknown)
    said = Phrase(
        "in 30 days, receivers reported %(messages)s messages in your name, of which %(passed)s passed",
        messages=f"{found.messages:,}",
        passed=f"{found.passed:,}",
    )
    if unknown < _MANY_UNKNOWN or unknown < found.messages * _UNKNOWN_SHARE:
        yield find_good("senders", said)
        return
    came = Phrase(
        gettext_noop(
            "%(number)s came from 1 unknown address. See `mailer feedback senders`: bring programs of yours "
            "under SPF or DKIM, and keep others out with p=quarantine or p=reject."
        )
        if len(found.unknown) == 1
        else gettext_noop(
            "%(number)s came from %(addresses)s unknown addresses. See `mailer feedback senders`: bring "
            "programs of yours under SPF or DKIM, and keep others out with p=quarantine or p=reject."
        ),
        number=f"{unknown:,}",
        addresses=f"{len(found.unknown):,}",
    )
    yield find_doubtful("senders", "dmarc-unknown-senders", join_sentences([said, came], CLAUSES))


def check_webhooks(workspace: Workspace) -> Iterator[Diagnosis]:
    """Name the webhooks of providers, and those whose secret is missing."""
    settings = workspace.settings
    faults = find_faults(settings.feedback, workspace.root)
    for name in settings.feedback.webhooks.list_names():
        subject = f"webhook {name}"
        address = f"{settings.web.base_url}/hooks/{name}"
        if name in faults:
            yield find_bad(
                subject,
                "webhook-secret",
                Phrase("every event is refused: %(faults)s", faults=faults[name]),
            )
        elif not settings.web.base_url.startswith("https://"):
            message = Phrase(
                "events are received at %(address)s, which the provider cannot reach. Set [web] base_url "
                "to your https address.",
                address=address,
            )
            yield find_doubtful(subject, "webhook-unreachable", message)
        else:
            yield find_good(subject, Phrase("events are received at %(address)s", address=address))


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
