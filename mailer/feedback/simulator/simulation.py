"""Runs the simulator for a workspace: its server, and the reading of what comes back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from mailer.errors import ConfigurationError
from mailer.feedback.simulator.mailbox_server import Report
from mailer.feedback.simulator.rehearsal import RETURN_MAILDIR
from mailer.feedback.simulator.return_path import ReturnPath, to_lmtp, to_maildir
from mailer.feedback.simulator.returns_reader import keep_reading
from mailer.feedback.simulator.server import run_simulator
from mailer.settings import SmtpSettings
from mailer.workspace import Workspace

_FOLDER = "simulator"


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

    Mail in a Maildir is read here; mail sent by LMTP is read by whoever listens.

    Raises:
        MailerError: the port is in use.
        ConfigurationError: the LMTP server is not on this machine, or a command would send to other relays.
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
    with (
        run_simulator(
            workspace.root / _FOLDER / "received",
            return_path=return_path,
            takes=_who_is_taken(workspace, takes_everyone=takes_everyone),
            report=report,
            port=port,
        ) as server,
        nullcontext() if place is None else keep_reading(_aim(workspace, server.url), place, report),
    ):
        yield Simulation(url=server.url, variables=_list_variables(workspace, server.url), reading=reading)


def choose_maildir(workspace: Workspace) -> Path | None:
    """The Maildir where mail comes back in a rehearsal; None if it goes by LMTP."""
    settings = workspace.settings.feedback
    if settings.maildir is not None:
        return workspace.root / settings.maildir
    return None if settings.lmtp else workspace.root / _FOLDER / RETURN_MAILDIR


def _aim(workspace: Workspace, url: str) -> Workspace:
    """The workspace with ``url`` as its only relay, so that replies go on to nobody outside this machine."""
    settings = workspace.settings.model_copy(update={"smtp": SmtpSettings(url=url)})
    return replace(workspace, settings=settings)


def _who_is_taken(workspace: Workspace, *, takes_everyone: bool) -> Callable[[str], bool]:
    """Whether the simulator takes mail for an address that is not simulated: that of the team, to which
    replies go on, and of colleagues who get tests.
    """
    sender = workspace.settings.sender
    team = {sender.address, sender.reply_to, *workspace.settings.campaigns.test_readers}
    known = {address.lower() for address in team}
    return lambda address: takes_everyone or address.lower() in known


def _list_variables(workspace: Workspace, url: str) -> tuple[str, ...]:
    feedback, domain = workspace.settings.feedback, workspace.settings.sender.domain
    wanted = [("SMTP__URL", url)]
    if not feedback.bounce_address:
        wanted.append(("FEEDBACK__BOUNCE_ADDRESS", f"bounce@{domain}"))
    if not feedback.leave_address:
        wanted.append(("FEEDBACK__LEAVE_ADDRESS", f"leave@{domain}"))
    return tuple(f"MAILER_{name}={value}" for name, value in wanted)
