"""The words of a campaign's progress: its state, the terms of its sum, why some did not get it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mailer.campaigns.progress import CampaignProgress
from mailer.campaigns.report.reasons import ReasonGroup
from mailer.database.models import CampaignState
from mailer.i18n import Translator, gettext_noop
from mailer.reasons.reason import Fault
from mailer.web.studio.status_words import CAMPAIGN_WORDS, DELIVERY_WORDS

TERM_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "sent": gettext_noop("sent"),
        "rejected": gettext_noop("refused"),
        "failed": gettext_noop("failed"),
        "suppressed": gettext_noop("left before their turn"),
        "in_doubt": gettext_noop("in doubt"),
        "on_way": gettext_noop("being sent"),
        "deferred": gettext_noop("put off by their server"),
        "queued": gettext_noop("still to send"),
    }
)
"""What the terms of a campaign's sum are called."""
_NEVER_SENT = gettext_noop("do not get it")
"""What is called the rest of a campaign that was cancelled."""

_FAULT_WORDS: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.reader: gettext_noop("The fault is on the partner’s side."),
        Fault.sender: gettext_noop("The fault is on our side."),
        Fault.provider: gettext_noop("The fault is with the provider, or on the way."),
        Fault.nobody: gettext_noop("Nobody is at fault."),
    }
)


@dataclass(frozen=True, kw_only=True)
class SumTerm:
    """A number of the sum: what it is called, how many, and the name of its colour."""

    name: str
    words: str
    number: int


@dataclass(frozen=True, kw_only=True)
class BarPart:
    """A part of the bar, in hundredths of its length."""

    name: str
    start: float
    width: float


@dataclass(frozen=True, kw_only=True)
class RefusalRow:
    """What servers said, how often, whose fault it is and what it means; empty where that is not known."""

    words: str
    number: int
    state: str
    fault: str
    meaning: str


def describe_state(progress: CampaignProgress, translator: Translator) -> tuple[str, str]:
    """The words and the tone for a campaign's state."""
    translate = translator.translate
    if progress.state is CampaignState.paused and progress.canary is not None:
        return translate(
            gettext_noop("Paused after the first %(number)s"), number=str(progress.canary)
        ), "careful"
    if progress.state is CampaignState.sending and not progress.senders:
        return translate(gettext_noop("Waits to be sent")), "careful"
    words, tone = CAMPAIGN_WORDS[progress.state]
    return translate(words), tone


def list_terms(progress: CampaignProgress, translator: Translator) -> list[SumTerm]:
    """The terms of the sum, but for those that are nothing and seldom are anything."""
    always = {"sent", "rejected", "queued"}
    words = TERM_WORDS
    if progress.state is CampaignState.cancelled:
        words = {**TERM_WORDS, "queued": _NEVER_SENT, "deferred": _NEVER_SENT}
    return [
        SumTerm(name=name, words=translator.translate(words[name]), number=number)
        for name, number in progress.list_terms()
        if number or name in always
    ]


def list_bar_parts(terms: Sequence[SumTerm], audience: int) -> list[BarPart]:
    """The parts of a bar that is 100 long."""
    parts, start = [], 0.0
    for term in terms:
        width = 100 * term.number / audience if audience else 0.0
        if width:
            parts.append(BarPart(name=term.name, start=round(start, 2), width=round(width, 2)))
        start += width
    return parts


def describe_time_left(progress: CampaignProgress, translator: Translator) -> str:
    """How long the rest will take, in words; "" if that is not known."""
    seconds = progress.seconds_left
    if seconds is None:
        return ""
    count = translator.translations.ngettext
    if seconds < 90:
        return count("About %(num)s second left", "About %(num)s seconds left", seconds) % {"num": seconds}
    if seconds < 90 * 60:
        minutes = round(seconds / 60)
        return count("About %(num)s minute left", "About %(num)s minutes left", minutes) % {"num": minutes}
    hours = round(seconds / 3600)
    return count("About %(num)s hour left", "About %(num)s hours left", hours) % {"num": hours}


def list_refusals(groups: Sequence[ReasonGroup], translator: Translator) -> list[RefusalRow]:
    """Why some did not get it, or not yet, the most frequent first."""
    return [_describe_group(group, translator) for group in groups]


def _describe_group(group: ReasonGroup, translator: Translator) -> RefusalRow:
    told = group.explain()
    state, _ = DELIVERY_WORDS[group.state]
    return RefusalRow(
        words=group.reason,
        number=group.number,
        state=translator.translate(state),
        fault=translator.translate(_FAULT_WORDS[told.fault]) if told else "",
        meaning=f"{told.means} {told.advice}" if told else "",
    )
