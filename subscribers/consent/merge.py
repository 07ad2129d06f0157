"""Merge two subscribers who are one person. Nothing here commits.

Both rows stay, because messages and their links refer to them, and so do their records. The one that is
merged keeps its address alone, so that no import brings it back as another person, and the other stands for
it from then on (:func:`subscribers.queries.find_kept_subscriber`). What a person or the team has decided
holds for both addresses: those who left, complained or were suppressed with either get no more mail. That an
address bounced says nothing of the other one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Unpack

from sqlmodel import Session, col, update

from locales.phrase import WordedEnum, gettext_noop
from subscribers.consent.preferences import read_countries
from subscribers.consent.status_changes import (
    ConsentContext,
    add_consent_record,
    change_status,
    empty_details,
    lock_subscriber,
    replace_values,
    suppress,
)
from subscribers.consent.suppression import (
    SuppressionKey,
    add_suppression,
    lock_suppressions_exclusively,
    read_suppression,
)
from subscribers.errors import MergeError
from subscribers.models import (
    ConsentEvent,
    MailedLink,
    MergedSubscriber,
    Status,
    Subscriber,
    SubscriberCountry,
    SubscriberSector,
    SubscriberTag,
)
from subscribers.queries import digest_values, find_subscriber, read_details

_OWNER_LEFT = frozenset({Status.unsubscribed, Status.complained})
_STATUS_BY_DECISION: Mapping[ConsentEvent, Status] = MappingProxyType(
    {
        ConsentEvent.unsubscribed: Status.unsubscribed,
        ConsentEvent.complained: Status.complained,
        ConsentEvent.suppressed: Status.unsubscribed,
    }
)


class MergeDetail(WordedEnum):
    """What can be taken from the subscriber who is merged."""

    name = ("name", gettext_noop("Name"))  # type: ignore[assignment]
    organisation = ("organisation", gettext_noop("Organisation"))
    country = ("country", gettext_noop("Country"))
    language = ("language", gettext_noop("Language"))
    choices = ("choices", gettext_noop("Sectors they follow"))
    """With the further countries that they follow."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a :class:`MergeSide` that it stands for."""
        return ("sectors", "countries") if self is MergeDetail.choices else (self.value,)


@dataclass(frozen=True, kw_only=True)
class MergeSide:
    """One of the two. ``suppressed_for`` is why the address must not get mail, None if it may."""

    id: int
    email: str
    name: str
    organisation: str
    country: str | None
    language: str | None
    sectors: frozenset[str]
    countries: frozenset[str]
    tags: frozenset[str]
    status: Status
    paused_until: date | None
    suppressed_for: ConsentEvent | None
    created_at: datetime

    def has(self, detail: MergeDetail) -> bool:
        return any(getattr(self, field) for field in detail.fields)


@dataclass(frozen=True, kw_only=True)
class MergePlan:
    """What merging would do: ``kept`` becomes ``result``, with details ``taken`` from ``other``, and stands
    for it. ``decision`` is what its owner or the team has decided of ``other`` that holds for ``kept`` from
    then on, None if nothing is stricter.
    """

    kept: MergeSide
    other: MergeSide
    result: MergeSide
    taken: frozenset[MergeDetail]
    decision: ConsentEvent | None

    @property
    def digest(self) -> str:
        """16 hex digits of what both are like; another digest says that one of them has changed since."""
        return digest_values(*vars(self.kept).values(), *vars(self.other).values())

    def may_take(self, detail: MergeDetail) -> bool:
        """Return whether the other has a detail that differs from that of the one who is kept."""
        return self.other.has(detail) and any(
            getattr(self.kept, field) != getattr(self.other, field) for field in detail.fields
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "kept": _side_as_dict(self.kept),
            "other": _side_as_dict(self.other),
            "result": _side_as_dict(self.result),
            "taken": sorted(self.taken),
            "decision": self.decision,
        }


def read_merge_details(text: str) -> frozenset[MergeDetail]:
    """Read a list such as ``name, country``. Raise MergeError if it names something else."""
    words = [word.strip().casefold() for word in text.replace(";", ",").split(",")]
    for word in words:
        if word and word not in MergeDetail.__members__:
            raise MergeError(f'"{word}" cannot be taken. Choose from: {", ".join(MergeDetail)}.')
    return frozenset(MergeDetail(word) for word in words if word)


def make_merge_plan(kept: MergeSide, other: MergeSide, take: Collection[MergeDetail] | None) -> MergePlan:
    """Plan to merge ``other`` into ``kept``, with the details ``take`` of the other; None takes those that
    are empty in the one who is kept. Raise MergeError if it is the same subscriber, one was merged or erased
    before, or the kept one has yet to confirm.
    """
    _refuse_unfit(kept, other)
    wanted = MergeDetail if take is None else take
    taken = frozenset(
        detail for detail in wanted if other.has(detail) and (take is not None or not kept.has(detail))
    )
    values: dict[str, Any] = {field: getattr(other, field) for detail in taken for field in detail.fields}
    decision = _find_decision(kept, other)
    status, paused_until = _find_status(kept, other, decision)
    result = replace(
        kept,
        **values,
        tags=kept.tags | other.tags,
        status=status,
        paused_until=paused_until,
        suppressed_for=kept.suppressed_for or find_carried_suppression(other),
        created_at=min(kept.created_at, other.created_at),
    )
    return MergePlan(kept=kept, other=other, result=result, taken=taken, decision=decision)


def _refuse_unfit(kept: MergeSide, other: MergeSide) -> None:
    if kept.id == other.id:
        raise MergeError(f"{kept.email} is one subscriber already. Give the addresses of two.")
    for side in (kept, other):
        if side.status is Status.merged:
            raise MergeError(
                f"{side.email} was merged before. To see into whom: mailer subscribers show {side.email}"
            )
        if side.status is Status.erased:
            raise MergeError("One of the two was erased. There is nothing left to merge.")
    if kept.status is Status.pending:
        raise MergeError(
            gettext_noop(
                "%(email)s has not confirmed its sign-up yet, and may never do so. Keep "
                "%(other)s instead, or wait until it is confirmed."
            )
            % {"email": kept.email, "other": other.email}
        )


def _find_decision(kept: MergeSide, other: MergeSide) -> ConsentEvent | None:
    carried = find_carried_suppression(other)
    if carried in {ConsentEvent.complained, ConsentEvent.suppressed}:
        return None if kept.suppressed_for not in {None, ConsentEvent.bounced} else carried
    if kept.status in _OWNER_LEFT or other.status not in _OWNER_LEFT:
        return None
    return ConsentEvent(other.status)


def find_carried_suppression(side: MergeSide) -> ConsentEvent | None:
    """Return why the other address must not get mail either; None if nothing of the kind was decided."""
    return None if side.suppressed_for is ConsentEvent.bounced else side.suppressed_for


def _find_status(
    kept: MergeSide, other: MergeSide, decision: ConsentEvent | None
) -> tuple[Status, date | None]:
    # A decision is stricter than that an address bounced, after which its owner may come back.
    if decision is not None and kept.status in {Status.active, Status.paused, Status.bounced}:
        return _STATUS_BY_DECISION[decision], None
    if kept.status not in {Status.active, Status.paused}:
        return kept.status, None
    pauses = [side.paused_until for side in (kept, other) if side.status is Status.paused]
    until = max((day for day in pauses if day is not None), default=None)
    return (kept.status, kept.paused_until) if until is None else (Status.paused, until)


def _side_as_dict(side: MergeSide) -> dict[str, Any]:
    return {
        name: sorted(value)
        if isinstance(value, frozenset)
        else value.isoformat()
        if isinstance(value, date)
        else value
        for name, value in vars(side).items()
    }


def plan_merge(
    session: Session,
    keep: str,
    other: str,
    *,
    key: SuppressionKey,
    take: Collection[MergeDetail] | None = None,
) -> MergePlan:
    """Plan to merge the subscriber with address ``other`` into that with address ``keep``. Writes nothing.

    Raises as :func:`make_merge_plan` does, AddressError if an address is not valid, and
    UnknownSubscriberError if no subscriber has it.
    """
    sides = [_read_side(session, find_subscriber(session, address), key) for address in (keep, other)]
    return make_merge_plan(sides[0], sides[1], take)


def merge_subscribers(
    session: Session,
    keep: str,
    other: str,
    *,
    key: SuppressionKey,
    take: Collection[MergeDetail] | None = None,
    digest: str = "",
    **context: Unpack[ConsentContext],
) -> MergePlan:
    """Merge the subscriber with address ``other`` into that with address ``keep``; return what was done.

    The ledger of deliveries is not touched: :mod:`mailer.campaigns.subscriber_history` does both. Raises as
    :func:`plan_merge` does, and MergeError if ``digest`` is given and one of them has changed since the plan
    with it was made.
    """
    lock_suppressions_exclusively(session)
    found = [find_subscriber(session, address).id or 0 for address in (keep, other)]
    # In the order of their numbers, so that two who merge the same pair never wait for each other.
    locked = {number: lock_subscriber(session, number) for number in sorted(found)}
    kept, gone = (locked[number] for number in found)
    plan = make_merge_plan(_read_side(session, kept, key), _read_side(session, gone, key), take)
    if digest and digest != plan.digest:
        raise MergeError(
            gettext_noop("One of the two has changed in the meantime. Look at what would be kept once more.")
        )
    said = context.get("evidence", "")
    _store_result(session, kept, plan, context["now"])
    _carry_decision(session, kept, plan, key, context)
    for one, another in ((plan.kept, plan.other), (plan.other, plan.kept)):
        if (reason := find_carried_suppression(one)) is not None:
            add_suppression(session, key, another.email, reason=reason, now=context["now"])
    context["evidence"] = f"merged with {plan.other.email}; {said}".removesuffix("; ")
    add_consent_record(session, kept, ConsentEvent.merged, **context)
    context["evidence"] = f"merged into {plan.kept.email}; {said}".removesuffix("; ")
    change_status(session, gone, Status.merged, event=ConsentEvent.merged, **context)
    empty_details(session, gone, SubscriberCountry, SubscriberSector, SubscriberTag, MailedLink)
    _link(session, gone.id or 0, kept.id or 0, context["now"])
    return plan


def _read_side(session: Session, subscriber: Subscriber, key: SuppressionKey) -> MergeSide:
    number = subscriber.id or 0
    suppression = read_suppression(session, key, subscriber.email)
    return MergeSide(
        id=number,
        **vars(read_details(session, subscriber)),
        countries=read_countries(session, number),
        status=Status(subscriber.status),
        paused_until=subscriber.paused_until,
        suppressed_for=None if suppression is None else ConsentEvent(suppression.reason),
        created_at=subscriber.created_at,
    )


def _store_result(session: Session, kept: Subscriber, plan: MergePlan, now: datetime) -> None:
    result = plan.result
    kept.name, kept.organisation = result.name, result.organisation
    kept.country, kept.language = result.country, result.language
    kept.created_at, kept.updated_at = result.created_at, now
    session.add(kept)
    number = kept.id or 0
    replace_values(session, SubscriberSector, number, result.sectors)
    replace_values(session, SubscriberCountry, number, result.countries)
    replace_values(session, SubscriberTag, number, result.tags)
    session.flush()


def _carry_decision(
    session: Session, kept: Subscriber, plan: MergePlan, key: SuppressionKey, context: ConsentContext
) -> None:
    result, decision = plan.result, plan.decision
    about: ConsentContext = {**context, "evidence": f"carried over from {plan.other.email}, merged with it"}
    if decision in {ConsentEvent.complained, ConsentEvent.suppressed}:
        suppress(session, kept.email, key=key, reason=decision, **about)
    if kept.status is not result.status and decision is not None:
        # Also where the address was suppressed before, as one that had bounced.
        change_status(session, kept, result.status, event=decision, **about)
    elif result.status is Status.paused and (kept.status, kept.paused_until) != (
        Status.paused,
        result.paused_until,
    ):
        paused = ConsentEvent.paused
        change_status(session, kept, Status.paused, event=paused, paused_until=result.paused_until, **about)


def _link(session: Session, gone_id: int, kept_id: int, now: datetime) -> None:
    # Those who were merged into the one that is merged now have the same one to stand for them.
    session.exec(
        update(MergedSubscriber).where(col(MergedSubscriber.kept_id) == gone_id).values(kept_id=kept_id)
    )
    session.add(MergedSubscriber(subscriber_id=gone_id, kept_id=kept_id, merged_at=now))
    session.flush()
