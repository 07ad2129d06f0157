"""Runs the simulator for a workspace: its server, and the reading of what comes back."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlmodel import col, select

from mailer.background import run_beside
from mailer.database.engine import open_session
from mailer.database.feedback_models import Consequence, FeedbackEvent, FeedbackKind
from mailer.errors import ConfigurationError
from mailer.feedback.context import FeedbackContext
from mailer.feedback.intake import Disposition, Intake, receive
from mailer.feedback.mailboxes.maildir import Maildir
from mailer.feedback.mailboxes.reading import FolderPolicy, Notices, SourceLock
from mailer.feedback.recorder import Receipt
from mailer.feedback.reply_forwarder import run_forwarding
from mailer.feedback.simulator.rehearsal import RETURN_MAILDIR
from mailer.feedback.simulator.server import Report, ReturnPath, run_simulator, to_lmtp, to_maildir
from mailer.settings import SmtpSettings
from mailer.workspace import Workspace
from subscribers.models import Subscriber

_POLL_SECONDS = 0.5
_SOURCE = "simulator"

_KINDS: Final[Mapping[FeedbackKind, str]] = {
    FeedbackKind.bounce: "bounced",
    FeedbackKind.complaint: "reported it as spam",
    FeedbackKind.auto_reply: "sent an automatic reply",
    FeedbackKind.reply: "replied",
    FeedbackKind.leave: "left by mail",
    FeedbackKind.other: "wrote something that was not understood",
    FeedbackKind.dmarc: "reported who sends in our name",
}

_OUTCOMES: Final[Mapping[Consequence, str]] = {
    Consequence.recorded: "stays on the list",
    Consequence.bounced: "gets no more mail",
    Consequence.complained: "gets no more mail",
    Consequence.unsubscribed: "gets no more mail",
    Consequence.alarm: "stays on the list; the server spoke about you",
    Consequence.held: "stays on the list until a person has looked at it",
    Consequence.unproven: "stays on the list: nothing was sent to them",
    Consequence.outdated: "stays on the list: they have been active since",
    Consequence.gone: "had left already",
}
_FOLDER = "simulator"


Followed = tuple[str, str, str]
"""A reader's address, "" if nobody was found; in words what they or their server did, and what became of
them.
"""


def read_returns(workspace: Workspace, engine: Engine, maildir: Path) -> list[Followed]:
    """Read what is in the Maildir now, and return what followed, in the order it came. Raise OSError if the
    Maildir cannot be read, and TryAgainError if the database cannot be used.
    """
    followed: list[Followed] = []
    _make_maildir(workspace, engine, maildir, followed.append, lambda _: None).read_new(threading.Event())
    return followed


@contextmanager
def keep_reading(workspace: Workspace, maildir: Path, report: Report) -> Iterator[None]:
    """Read the Maildir and send people's replies on, in threads of this process, while the block runs."""
    engine = workspace.open_database(durable=True)

    def tell(followed: Followed) -> None:
        address, what, outcome = followed
        report(f"{address or 'Somebody unknown'} {what}: {outcome}.")

    reader = _make_maildir(workspace, engine, maildir, tell, report)
    context = FeedbackContext(workspace=workspace, engine=engine)
    forward = partial(run_forwarding, context, report=report, poll_seconds=_POLL_SECONDS)
    try:
        with run_beside("mailer-simulator", reader.run, forward):
            yield
    finally:
        engine.dispose()


def _make_maildir(
    workspace: Workspace, engine: Engine, path: Path, on_event: Callable[[Followed], None], report: Report
) -> Maildir:
    context = FeedbackContext(workspace=workspace, engine=engine)

    def take(raw: bytes) -> Disposition:
        receipt = receive(context, raw, source=_SOURCE, now=datetime.now(UTC))
        for event in _read_events(engine, receipt):
            on_event(event)
        return Disposition.unclear if receipt.is_held else Disposition.settled

    settings = workspace.settings.feedback
    return Maildir(
        path,
        policy=FolderPolicy(processed=settings.processed_folder, quarantine=settings.quarantine_folder),
        intake=Intake(receive=take),
        lock=SourceLock(workspace.root, f"maildir {path}"),
        notices=Notices(f"Maildir {path}", report),
        poll_seconds=_POLL_SECONDS,
    )


def _read_events(engine: Engine, receipt: Receipt) -> list[Followed]:
    """Return what the message of ``receipt`` says, once for each person."""
    with open_session(engine, read_only=True) as session:
        rows = session.exec(
            select(FeedbackEvent, col(Subscriber.email))
            .join(Subscriber, col(Subscriber.id) == col(FeedbackEvent.subscriber_id), isouter=True)
            .where(col(FeedbackEvent.message_id) == receipt.number)
            .order_by(col(FeedbackEvent.position))
        ).all()
        if not rows:
            consequence = Consequence.held if receipt.is_held else Consequence.recorded
            return [("", _KINDS[receipt.kind], _OUTCOMES[consequence])]
        return [(email or "", *_describe(receipt.kind, event)) for event, email in rows]


def _describe(kind: FeedbackKind, event: FeedbackEvent) -> tuple[str, str]:
    why = f" ({event.reason.words})" if kind is FeedbackKind.bounce and event.reason else ""
    settled = "; the doubt is settled" if event.settled_doubt else ""
    return f"{_KINDS[kind]}{why}", f"{_OUTCOMES[event.consequence]}{settled}"


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A running simulator: its URL, the variables of the environment with which a command sends to it, and a
    sentence on who reads what comes back.
    """

    url: str
    variables: tuple[str, ...]
    reading: str


@contextmanager
def simulate(
    workspace: Workspace, *, port: int, takes_everyone: bool, report: Report
) -> Iterator[Simulation]:
    """Run the simulator on ``port`` for the duration of the block. What comes back goes to the Maildir of
    ``[feedback]``, else by LMTP to its server, else to a Maildir of the simulator's own.

    Mail in a Maildir is read here; mail sent by LMTP is read by whoever listens. Raise MailerError if the
    port is in use, and ConfigurationError if the LMTP server is not on this machine, or a command would send
    to other relays.
    """
    if workspace.settings.smtp.relays:
        raise ConfigurationError(
            "mailer.toml lists relays ([[smtp.relays]]), and a command would send to those and not to the "
            "simulator. Add --rehearsal FOLDER, which leaves them out."
        )
    place = choose_maildir(workspace)
    return_path: ReturnPath
    if place is None:
        lmtp = workspace.settings.feedback.lmtp
        return_path = to_lmtp(lmtp, workspace.root)
        reading = f"What comes back goes to {lmtp}, where `mailer serve` or `mailer work` must be running."
    else:
        return_path = to_maildir(place)
        reading = f"What comes back goes to {place}, and is read here."
    sender = workspace.settings.sender
    # Replies go on to the team, and colleagues get tests.
    addresses = (sender.address, sender.reply_to, *workspace.settings.campaigns.test_readers)
    team = {address.lower() for address in addresses}
    with (
        run_simulator(
            workspace.root / _FOLDER / "received",
            return_path=return_path,
            takes=lambda address: takes_everyone or address.lower() in team,
            report=report,
            port=port,
        ) as server,
        nullcontext() if place is None else keep_reading(_aim(workspace, server.url), place, report),
    ):
        yield Simulation(url=server.url, variables=_list_variables(workspace, server.url), reading=reading)


def choose_maildir(workspace: Workspace) -> Path | None:
    """Return the Maildir where mail comes back in a rehearsal; None if it goes by LMTP."""
    settings = workspace.settings.feedback
    if settings.maildir is not None:
        return workspace.root / settings.maildir
    return None if settings.lmtp else workspace.root / _FOLDER / RETURN_MAILDIR


def _aim(workspace: Workspace, url: str) -> Workspace:
    """Return the workspace with ``url`` as its only relay, so that replies stay on this machine."""
    settings = workspace.settings.model_copy(update={"smtp": SmtpSettings(url=url)})
    return replace(workspace, settings=settings)


def _list_variables(workspace: Workspace, url: str) -> tuple[str, ...]:
    feedback, domain = workspace.settings.feedback, workspace.settings.sender.domain
    wanted = [("SMTP__URL", url)]
    if not feedback.bounce_address:
        wanted.append(("FEEDBACK__BOUNCE_ADDRESS", f"bounce@{domain}"))
    if not feedback.leave_address:
        wanted.append(("FEEDBACK__LEAVE_ADDRESS", f"leave@{domain}"))
    return tuple(f"MAILER_{name}={value}" for name, value in wanted)
