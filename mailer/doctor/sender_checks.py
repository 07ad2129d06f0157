"""Checks of the sender: that it is somebody, and not the example."""

from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from locales.phrase import FULL_STOP, Phrase, gettext_noop, join_sentences
from mailer.campaigns.recipients import find_missing_identity
from mailer.campaigns.trial import find_example_sender, read_trial
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.network import is_reserved_domain
from mailer.workspace import Workspace


def check_sender(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check who the mail is from."""
    settings = workspace.settings
    if fault := find_missing_identity(settings):
        yield find_bad("sender", "sender-incomplete", fault)
        return
    if fault := find_example_sender(settings):
        yield find_bad("sender", "sender-sample", fault)
        return
    address = settings.sender.address
    if is_reserved_domain(settings.sender.domain):
        message = Phrase(
            gettext_noop("%(address)s is only an example. Set [sender] address to your own address."),
            address=address,
        )
        yield find_doubtful("sender", "sender-example", message)
    else:
        yield find_good("sender", address)


def check_trial(workspace: Workspace) -> Iterator[Diagnosis]:
    """Say whether campaigns reach anybody but test readers."""
    engine = workspace.open_database()
    try:
        with engine.connect() as connection:
            trial = read_trial(connection, workspace.settings)
    except SQLAlchemyError:
        return  # What is wrong with the database is said already.
    finally:
        engine.dispose()
    words = trial.describe()
    if trial.is_on:
        advice = gettext_noop("When the doctor finds nothing bad, end it with `mailer trial end --by NAME`.")
        words = join_sentences([Phrase(FULL_STOP, words=words), advice])
    yield find_good("trial", words)
