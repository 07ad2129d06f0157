"""What a launch is refused for: the kinds of faults, and those of a plan by itself.

The whole list of a campaign-to-be is made by :func:`mailer.campaigns.readiness.check_readiness`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlmodel import col

from editions.errors import Problem
from locales.phrase import FURTHER, Phrase, WordedEnum, gettext_noop, join_sentences
from mailer.campaigns.plan import Plan
from mailer.campaigns.preflight import NO_POSTAL_ADDRESS
from mailer.campaigns.recipients import ALREADY_SENT, find_missing_identity
from mailer.database.models import Campaign, CampaignState
from mailer.errors import MailerError
from mailer.settings import SETTINGS_FILE, Settings
from mailer.settings.campaigns import CampaignSettings

_NOBODY = gettext_noop("Nobody in the segment %(segment)s would get %(edition)s.")
_NOBODY_LEFT = gettext_noop(
    "Nobody in the segment %(segment)s would get %(edition)s (left out: %(left_out)s)."
)
_SEE_SEGMENT = gettext_noop(
    "To see who is in the segment, run `mailer subscribers list --segment %(query)s`."
)
_SEND_AGAIN = gettext_noop("Add --again to send it to readers who already have it.")
_COUNTED = gettext_noop("%(number)s %(reason)s")


class LaunchFaultKind(WordedEnum):
    """Kinds of obstacles to a launch."""

    segment = ("segment", gettext_noop("Nobody has chosen who gets it."))
    content = ("content", gettext_noop("The edition cannot be sent as it is."))
    sender = ("sender", gettext_noop("The settings do not say who sends it."))
    address = ("address", gettext_noop("Partners could not unsubscribe with one click."))
    links = ("links", gettext_noop("Partners could not unsubscribe with one click."))
    """The links lead to a place that only this machine or network reaches."""

    audience = ("audience", gettext_noop("Nobody would get it."))
    people = (
        "people",
        gettext_noop(
            'Two people launch a campaign here ([campaigns] launch_by = "two"): one asks for '
            "it in Studio, and another confirms it there."
        ),
    )
    trial = ("trial", gettext_noop("Trial mode is on, so campaigns go to test readers alone."))
    approval = ("approval", gettext_noop("It has no valid approval."))
    test = ("test", gettext_noop("It has not been tested in this form."))
    running = (
        "running",
        gettext_noop("Another campaign is already sending this edition to these partners."),
    )


@dataclass(frozen=True, kw_only=True)
class LaunchFault:
    """Something that stands in the way of a launch. ``words`` say in Studio what the kind does not, and
    ``refusal`` is what a launch is refused with, with the command to try next. ``campaign_id`` is another
    campaign that it is about."""

    kind: LaunchFaultKind
    words: str
    refusal: str
    campaign_id: int | None = None


class LaunchRefusedError(MailerError):
    """The campaign was not launched; nothing was written to the database. ``fault`` is what stands in its
    way, None for what only a launch meets, such as another one at the same moment."""

    def __init__(self, refused: LaunchFault | str, /, **values: object) -> None:
        self.fault = refused if isinstance(refused, LaunchFault) else None
        super().__init__(refused.refusal if isinstance(refused, LaunchFault) else refused, **values)


def refuse(faults: Iterable[LaunchFault]) -> None:
    """Raise LaunchRefusedError with the first of ``faults``, if there is one."""
    for fault in faults:
        raise LaunchRefusedError(fault)


def find_plan_faults(settings: Settings, plan: Plan) -> Iterator[LaunchFault]:
    """Yield why a plan could not be launched whoever approves it: the web pages are not reachable by https,
    the sender is not the workspace's own, or the edition has errors."""
    if not settings.web.supports_one_click:
        base_url = settings.web.base_url
        yield LaunchFault(
            kind=LaunchFaultKind.address,
            words=Phrase(
                "[web] base_url is %(base_url)s, and one-click unsubscribe requires https.", base_url=base_url
            ),
            refusal=Phrase(
                "[web] base_url is %(base_url)s, but one-click unsubscribe requires https (RFC 8058 "
                "§3.1). Set it to the public https address of `mailer serve`.",
                base_url=base_url,
            ),
        )
    if missing := find_missing_identity(settings):
        yield LaunchFault(kind=LaunchFaultKind.sender, words=missing, refusal=missing)
    refusal = Phrase(
        "%(edition)s cannot be sent yet, and was not.\n%(complaints)s",
        edition=plan.edition,
        complaints="\n".join(str(problem) for problem in plan.launch_problems),
    )
    for problem in plan.launch_problems:
        if problem.path != SETTINGS_FILE:
            yield LaunchFault(kind=LaunchFaultKind.content, words=_locate(problem), refusal=refusal)
        elif problem.code != NO_POSTAL_ADDRESS:
            yield LaunchFault(kind=LaunchFaultKind.sender, words=problem.message, refusal=refusal)
    if plan.errors or not plan.compiled:
        yield LaunchFault(
            kind=LaunchFaultKind.content,
            words="\n".join(map(_locate, plan.errors)),
            refusal=Phrase(
                "%(edition)s has errors, so it was not sent. Fix them; `mailer check %(edition)s` lists "
                "them all.\n%(complaints)s",
                edition=plan.edition,
                complaints="\n".join(str(problem) for problem in plan.errors),
            ),
        )


def _locate(problem: Problem) -> str:
    """Return a problem with its place; the code of a check says nothing to who launches."""
    return f"{problem.path}:{problem.line}: {problem.message}"


def describe_empty_audience(plan: Plan) -> LaunchFault:
    """Return the fault of a campaign that nobody would get."""
    values = {"segment": repr(plan.segment_label), "edition": plan.edition}
    counts = [Phrase(_COUNTED, number=number, reason=reason) for reason, number in plan.left_out.items()]
    sentences = [
        Phrase(_NOBODY_LEFT, **values, left_out=join_sentences(counts, FURTHER))
        if counts
        else Phrase(_NOBODY, **values),
        Phrase(_SEE_SEGMENT, query=repr(plan.segment.text)),
    ]
    if ALREADY_SENT in plan.left_out:
        sentences.append(Phrase(_SEND_AGAIN))
    return LaunchFault(
        kind=LaunchFaultKind.audience,
        words=", ".join(f"{number:,} {reason}" for reason, number in plan.left_out.items()),
        refusal=join_sentences(sentences),
    )


def find_people_fault(settings: CampaignSettings, confirmed_by: str) -> Iterator[LaunchFault]:
    """Yield that one person launches alone, where two have to."""
    if settings.launch_by == "two" and not confirmed_by:
        kind = LaunchFaultKind.people
        yield LaunchFault(kind=kind, words="", refusal=kind.words)


def find_unfinished_campaign(connection: Connection, plan: Plan) -> Row[Any] | None:
    """Return the newest campaign with this ``plan`` that is scheduled, sending or paused. Raise
    LaunchRefusedError if it has an earlier version of the edition, or counts clicks where the plan does not,
    or the other way round."""
    states = [CampaignState.scheduled, CampaignState.sending, CampaignState.paused]
    columns: tuple[Any, ...] = (
        *(col(Campaign.id), col(Campaign.digest), col(Campaign.state), col(Campaign.state_reason)),
        *(col(Campaign.canary), col(Campaign.audience), col(Campaign.again), col(Campaign.scheduled_at)),
        col(Campaign.counts_clicks),
    )
    statement = (
        select(*columns)
        .where(
            col(Campaign.edition) == plan.edition,
            col(Campaign.segment) == plan.segment.text,
            col(Campaign.state).in_(states),
        )
        .order_by(col(Campaign.id).desc())
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    if row.digest != plan.digest:
        words = _explain_earlier_version(row.id, row.state, plan.edition)
    elif row.counts_clicks != plan.counts_clicks:
        words = _explain_other_links(row.id, row.state, counts_clicks=row.counts_clicks)
    else:
        return row
    raise LaunchRefusedError(
        LaunchFault(kind=LaunchFaultKind.running, words=words, refusal=words, campaign_id=row.id)
    )


def _explain_earlier_version(number: int, state: CampaignState, edition: str) -> str:
    cancel = f"`mailer campaigns cancel {number}`"
    if state is CampaignState.scheduled:
        return Phrase(
            "Campaign %(number)s has already scheduled an earlier version of %(edition)s for this "
            "segment. Cancel it with %(cancel)s, then schedule the new version.",
            number=number,
            edition=edition,
            cancel=cancel,
        )
    return Phrase(
        "Campaign %(number)s is sending an earlier version of %(edition)s to this segment and is "
        "not finished. Finish it with `mailer campaigns resume %(number)s`, or cancel it with "
        "%(cancel)s.",
        number=number,
        edition=edition,
        cancel=cancel,
    )


def _explain_other_links(number: int, state: CampaignState, *, counts_clicks: bool) -> str:
    does = gettext_noop("counts clicks") if counts_clicks else gettext_noop("does not count clicks")
    cancel = f"`mailer campaigns cancel {number}`"
    if state is CampaignState.scheduled:
        return Phrase(
            "Campaign %(number)s has scheduled this edition for this segment and %(does)s. Cancel it "
            "with %(cancel)s, then schedule it again.",
            number=number,
            does=does,
            cancel=cancel,
        )
    option = "--count-clicks" if counts_clicks else "--no-count-clicks"
    return Phrase(
        "Campaign %(number)s is sending this edition to this segment and %(does)s, which cannot "
        "change once it has started. Continue it with %(option)s, or cancel it with %(cancel)s.",
        number=number,
        does=does,
        option=option,
        cancel=cancel,
    )


def explain_gone(campaign_id: int) -> str:
    """Return why a campaign is not launched that was approved when we looked, and is not now."""
    return Phrase(
        "Campaign %(campaign_id)s was cancelled or launched at the same moment. `mailer "
        "campaigns show %(campaign_id)s` says which.",
        campaign_id=campaign_id,
    )
