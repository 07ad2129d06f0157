"""Reports: how campaigns stand, who did not get the mail and why, and by name who may or may not have it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from mailer.campaigns.lifecycle import find_campaign
from mailer.database.models import Campaign, CampaignContent, CampaignState, Delivery, DeliveryState
from mailer.dispatch.counts import Counts, count_deliveries
from mailer.dispatch.replies import is_dead_address
from mailer.rendering.compiled import CompiledEdition, CompiledVersionError
from mailer.rendering.reader import message_id
from mailer.workspace import Workspace
from subscribers.models import Subscriber

_EXPLAINED = (
    DeliveryState.rejected,
    DeliveryState.failed,
    DeliveryState.deferred,
    DeliveryState.suppressed,
    DeliveryState.in_doubt,
)

_COLUMNS = (
    col(Delivery.state),
    col(Delivery.code),
    col(Delivery.reason),
    col(Subscriber.id),
    col(Subscriber.email),
)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One campaign and its numbers. ``reason`` says why it stands still, if it does."""

    id: int
    edition: str
    title: str
    segment: str
    state: CampaignState
    reason: str
    counts: Counts

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON shows it: the numbers beside the names."""
        words = {"edition": self.edition, "title": self.title, "segment": self.segment, "reason": self.reason}
        return {"id": self.id, "state": self.state.value, **self.counts.as_dict(), **words}


@dataclass(frozen=True, kw_only=True)
class ReasonGroup:
    """Deliveries that ended alike: ``reason`` is the server's reply or our own words, addresses left out.

    ``dead_address`` marks refusals that say the address does not work, as against one that dislikes the
    sender.
    """

    state: DeliveryState
    number: int
    reason: str
    dead_address: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "state": self.state.value}


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A reader who may or may not have the mail; ``message_id`` is how to find it in a server's log."""

    email: str
    message_id: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Report:
    """A campaign with what went wrong, the largest group first, and everyone in doubt by name.

    ``switched_off`` are the checks it was sent without, by code, with the reason its writers gave.
    """

    summary: Summary
    reasons: tuple[ReasonGroup, ...]
    in_doubt: tuple[Doubt, ...]
    switched_off: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON shows it."""
        return {
            "campaign": self.summary.as_dict(),
            "equation": self.summary.counts.equation(),
            "reasons": [group.as_dict() for group in self.reasons],
            "in_doubt": [doubt.as_dict() for doubt in self.in_doubt],
            "switched_off": dict(self.switched_off),
        }


def counts(session: Session, campaign_id: int) -> Counts:
    """The numbers of a campaign.

    Raises:
        UnknownCampaignError: there is none.
    """
    find_campaign(session, campaign_id)
    return count_deliveries(session.connection(), campaign_id)


def summarise(session: Session, campaign_id: int) -> Summary:
    """How a campaign stands.

    Raises:
        UnknownCampaignError: there is none.
    """
    return _summarise(session, find_campaign(session, campaign_id))


def list_campaigns(session: Session) -> list[Summary]:
    """Every campaign, the newest first."""
    campaigns = session.exec(select(Campaign).order_by(col(Campaign.id).desc())).all()
    return [_summarise(session, campaign) for campaign in campaigns]


def report_campaign(session: Session, campaign_id: int, workspace: Workspace) -> Report:
    """The report of a campaign.

    Raises:
        UnknownCampaignError: there is none.
    """
    summary = summarise(session, campaign_id)
    statement = (
        select_columns(*_COLUMNS)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state).in_(_EXPLAINED))
        .order_by(col(Delivery.id))
    )
    rows = session.connection().execute(statement).all()
    return Report(
        summary=summary,
        reasons=_group((state, code, reason) for state, code, reason, _, _ in rows),
        in_doubt=tuple(
            Doubt(email=email, message_id=_identify(campaign_id, number, workspace), reason=reason)
            for state, _, reason, number, email in rows
            if state is DeliveryState.in_doubt
        ),
        switched_off=_read_switched_off(session, campaign_id),
    )


def _read_switched_off(session: Session, campaign_id: int) -> Mapping[str, str]:
    content = session.exec(
        select(CampaignContent).where(col(CampaignContent.campaign_id) == campaign_id).limit(1)
    ).first()
    try:
        return CompiledEdition.from_bytes(content.body).switched_off if content else {}
    except CompiledVersionError:
        # Sent by another version of this program; what it says is its own.
        return {}


def _summarise(session: Session, campaign: Campaign) -> Summary:
    assert campaign.id is not None  # noqa: S101 - it came from the database
    return Summary(
        id=campaign.id,
        edition=campaign.edition,
        title=campaign.title,
        segment=campaign.segment,
        state=campaign.state,
        reason=campaign.state_reason,
        counts=count_deliveries(session.connection(), campaign.id),
    )


def _identify(campaign_id: int, subscriber_id: int | None, workspace: Workspace) -> str:
    domain, signer = workspace.settings.sender.domain, workspace.keys.tokens
    return message_id(campaign_id, subscriber_id or 0, domain, signer)


def _group(rows: Iterable[tuple[DeliveryState, int | None, str]]) -> tuple[ReasonGroup, ...]:
    """Rows that differ only in an address are one group."""
    grouped = Counter(
        ReasonGroup(
            state=state,
            number=0,
            reason=_generalise(code, reason),
            dead_address=state is DeliveryState.rejected and is_dead_address(code, reason),
        )
        for state, code, reason in rows
    )
    groups = (
        ReasonGroup(state=group.state, number=number, reason=group.reason, dead_address=group.dead_address)
        for group, number in grouped.items()
    )
    return tuple(sorted(groups, key=lambda group: (-group.number, group.state.value, group.reason)))


def _generalise(code: int | None, reason: str) -> str:
    words = re.sub(r"<?[^\s<>]+@[^\s<>:,;]+>?", "<…>", reason)
    return words if code is None else f"{code} {words}"
