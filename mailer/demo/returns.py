"""The demo's step on what comes back: simulated readers bounce, complain, reply and leave."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.campaigns.launch import launch
from mailer.campaigns.plan import plan_campaign
from mailer.campaigns.send import send_campaign
from mailer.database.feedback_models import ProposedSuccessor
from mailer.database.models import Delivery, DeliveryState
from mailer.demo.output import DemoOutput
from mailer.errors import MailerError
from mailer.feedback.context import FeedbackContext
from mailer.feedback.reply_forwarder import find_destination, forward_due_replies
from mailer.feedback.simulator.rehearsal import TAG, add_simulated_readers
from mailer.feedback.simulator.returned_mails import SimulatedRecipient
from mailer.feedback.simulator.simulation import Followed, read_returns
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from subscribers.segments.segment import parse_segment


@dataclass(frozen=True, kw_only=True)
class _Fate:
    """How the delivery to a simulated reader ended, whether it was in doubt, and how often it was put off."""

    state: DeliveryState
    doubted: bool
    deferrals: int


def show_returns(
    workspace: Workspace, engine: Engine, edition: str, maildir: Path, output: DemoOutput
) -> None:
    """Send the edition to simulated readers, and read what comes back to ``maildir``.

    Raises:
        MailerError: the campaign stopped early.
    """
    output.step("What comes back from ten simulated readers")
    add_simulated_readers(workspace, engine, now=datetime.now(UTC))
    plan = plan_campaign(
        workspace, engine, edition, parse_segment(f"tag:{TAG}"), now=datetime.now(UTC), again=False
    )
    campaign_id = launch(engine, workspace, plan, now=datetime.now(UTC))
    with output.progress(f"Campaign {campaign_id}") as on_progress:
        result = send_campaign(workspace, campaign_id, on_progress=on_progress, wait=True)
    if result.needs_attention:
        raise MailerError(f"Campaign {campaign_id} is {result.state}: {result.reason}")
    followed = read_returns(workspace, engine, maildir)
    passed_on = forward_due_replies(FeedbackContext(workspace=workspace, engine=engine))
    fates = _read_fates(engine, campaign_id)
    output.table([("reader", "what came back", "what followed"), *_list_rows(fates, followed)])
    output.line(
        f"{passed_on} letters of people went on to {find_destination(workspace.settings)}, unchanged."
    )
    for name, address in _read_successors(engine):
        output.line(f"A successor waits for your decision: {name} <{address}>.")


def _list_rows(fates: Mapping[str, _Fate], followed: Sequence[Followed]) -> list[tuple[str, str, str]]:
    by_reader: defaultdict[str, list[Followed]] = defaultdict(list)
    for one in followed:
        by_reader[one.address].append(one)
    rows = []
    for recipient in SimulatedRecipient:
        address, fate = recipient.address, fates[recipient.address]
        came = [one.what for one in by_reader[address]]
        rows.append(
            (
                address,
                "; ".join([*_describe_fate(fate), *came]) or "nothing",
                _describe_end(fate, by_reader[address]),
            )
        )
    return rows


def _describe_fate(fate: _Fate) -> list[str]:
    if fate.state is DeliveryState.rejected:
        return ["refused at once"]
    told = ["in doubt"] if fate.doubted else []
    return [*told, *(["refused for now, taken the next time"] if fate.deferrals else [])]


def _describe_end(fate: _Fate, followed: Sequence[Followed]) -> str:
    if fate.state is DeliveryState.rejected:
        return "gets no more mail"
    return "; ".join(one.outcome for one in followed) or "stays on the list"


def _read_fates(engine: Engine, campaign_id: int) -> dict[str, _Fate]:
    with Session(engine) as session:
        rows = session.exec(
            select(Delivery, col(Subscriber.email))
            .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
            .where(col(Delivery.campaign_id) == campaign_id)
        ).all()
        return {
            email: _Fate(state=DeliveryState(one.state), doubted=one.doubted, deferrals=one.deferrals)
            for one, email in rows
        }


def _read_successors(engine: Engine) -> list[tuple[str, str]]:
    with Session(engine) as session:
        return [(one.name, one.email) for one in session.exec(select(ProposedSuccessor))]
