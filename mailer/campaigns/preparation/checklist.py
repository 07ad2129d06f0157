"""What is still to be done before a prepared campaign can be launched, and what comes next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from locales.phrase import WordedEnum, gettext_noop


class ChecklistItem(StrEnum):
    """Something that a campaign needs, in the order in which one does it."""

    edition = "edition"
    """An edition without errors, from a sender who may send."""

    segment = "segment"
    """Who gets it."""

    audience = "audience"
    """Somebody who gets it."""

    versions = "versions"
    """A look at each of the different mails that readers get."""

    tests = "tests"
    """A test of exactly this content to colleagues."""

    start = "start"
    """When it starts."""

    options = "options"
    """How it is sent."""

    approval = "approval"
    """An approval of exactly this."""


class ItemStatus(WordedEnum):
    """How far an item is."""

    done = ("done", gettext_noop("Done"), "right")

    to_do = ("to_do", gettext_noop("To do"), "careful")
    """Somebody should do something; whether they must is for the settings to say."""

    blocked = ("blocked", gettext_noop("In the way"), "wrong")
    """Nothing can be asked for or launched like this."""

    waiting = ("waiting", gettext_noop("Not yet"))
    """It cannot be said yet: it is being looked for, or another item comes first."""


class LastTest(StrEnum):
    """Whether colleagues have got a test."""

    none = "none"
    """Nobody has got one of this edition."""

    outdated = "outdated"
    """Somebody has got one, and the content has changed since."""

    current = "current"
    """Somebody has got one of exactly this content."""


class ApprovalStatus(StrEnum):
    """How far the approval is."""

    unneeded = "unneeded"
    """The settings do not ask for one, and nobody has."""

    missing = "missing"
    """It is needed, and nobody has been asked."""

    asked = "asked"
    """Somebody has been asked, and has not answered."""

    refused = "refused"
    """Somebody has asked for a change."""

    void = "void"
    """It was given, and what was approved has changed since."""

    given = "given"
    """It was given for exactly this."""


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """The status of each item, in order. ``next_item`` is what comes next, None if it can be launched."""

    statuses: Mapping[ChecklistItem, ItemStatus]
    next_item: ChecklistItem | None
    may_ask: bool
    """Whether an approval can be asked for: nothing is blocked, and it is known who gets what."""

    may_launch: bool
    """Whether it can be launched, as far as is known: what is required is done."""

    def is_done(self, item: ChecklistItem) -> bool:
        return self.statuses[item] is ItemStatus.done


def make_checklist(
    now: datetime,
    *,
    errors: int | None,
    segment: str,
    audience: int | None,
    versions: int | None,
    seen: int,
    test: LastTest | None,
    start_at: datetime | None,
    approval: ApprovalStatus | None,
    segment_fault: str = "",
    requires_test: bool = False,
) -> Checklist:
    """Say how far each item is ``now``; what is None is not known yet. What a launch demands is decided by
    the launch itself, which looks at everything again; this is what leads people there.

    ``errors`` are the problems with which no campaign is launched, those of the sender included. ``segment``
    is "" while none is chosen. ``versions`` are the different mails that the ``audience`` gets, ``seen`` how
    many of them the member has looked at. ``start_at`` is None for a start at the launch.
    """
    is_past = start_at is not None and start_at <= now
    statuses = MappingProxyType(
        {
            ChecklistItem.edition: _judge_edition(errors),
            ChecklistItem.segment: _judge_segment(segment, segment_fault),
            ChecklistItem.audience: _judge_audience(segment, segment_fault, audience),
            ChecklistItem.versions: _judge_versions(errors, audience, versions, seen),
            ChecklistItem.tests: _judge_test(errors, test),
            ChecklistItem.start: ItemStatus.blocked if is_past else ItemStatus.done,
            ChecklistItem.options: ItemStatus.done,
            ChecklistItem.approval: _judge_approval(approval),
        }
    )
    must = [item for item in _MUST if item is not ChecklistItem.tests or requires_test]
    may_ask = all(statuses[item] is ItemStatus.done for item in must)
    return Checklist(
        statuses=statuses,
        next_item=_find_next(statuses),
        may_ask=may_ask,
        may_launch=may_ask and statuses[ChecklistItem.approval] is ItemStatus.done,
    )


_MUST = (
    *(ChecklistItem.edition, ChecklistItem.segment, ChecklistItem.audience, ChecklistItem.tests),
    ChecklistItem.start,
)


def _find_next(statuses: Mapping[ChecklistItem, ItemStatus]) -> ChecklistItem | None:
    """What is blocked comes before what is to do, except that one first says who gets it."""
    if statuses[ChecklistItem.segment] is ItemStatus.to_do:
        return ChecklistItem.segment
    for status in (ItemStatus.blocked, ItemStatus.to_do):
        for item, found in statuses.items():
            if found is status:
                return item
    return None


def _judge_edition(errors: int | None) -> ItemStatus:
    if errors is None:
        return ItemStatus.waiting
    return ItemStatus.blocked if errors else ItemStatus.done


def _judge_segment(segment: str, fault: str) -> ItemStatus:
    if fault:
        return ItemStatus.blocked
    return ItemStatus.done if segment else ItemStatus.to_do


def _judge_audience(segment: str, fault: str, audience: int | None) -> ItemStatus:
    if not segment or fault or audience is None:
        return ItemStatus.waiting
    return ItemStatus.done if audience else ItemStatus.blocked


def _judge_versions(errors: int | None, audience: int | None, versions: int | None, seen: int) -> ItemStatus:
    if errors or versions is None or not audience:
        return ItemStatus.waiting
    return ItemStatus.done if seen >= versions else ItemStatus.to_do


def _judge_test(errors: int | None, test: LastTest | None) -> ItemStatus:
    if test is LastTest.current:
        return ItemStatus.done
    return ItemStatus.waiting if errors or test is None else ItemStatus.to_do


def _judge_approval(approval: ApprovalStatus | None) -> ItemStatus:
    if approval is None:
        return ItemStatus.waiting
    if approval in {ApprovalStatus.unneeded, ApprovalStatus.given}:
        return ItemStatus.done
    return ItemStatus.to_do
