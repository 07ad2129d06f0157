"""Merging a partner with another address of the same person."""

from typing import Any

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.subscriber_history import SubscriberMerge, apply_merge, preview_merge
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, list_sectors, own_language_name
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.partners.partner_page import PartnerNumber, find_partner, make_context
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.status_words import STATUS_WORDS
from subscribers.consent.merge import MergeDetail, MergeSide
from subscribers.errors import AddressError, DetailError, MergeError, UnknownSubscriberError
from subscribers.models import ConsentEvent, Status, Subscriber
from subscribers.queries import list_merged_subscribers

_NO_ADDRESS = gettext_noop("Write the other address in full, such as mei@example.org.")
_UNKNOWN = gettext_noop("Nobody on the list has this address.")
_UNFIT = gettext_noop(
    "These two cannot be merged: it is the same entry, one of them was merged or erased before, or this one "
    "has not confirmed its sign-up yet. If so, open the other one and merge this one into it."
)
_CHANGED = gettext_noop(
    "One of the two has changed since you opened the page. Look at what would be kept once more; nothing is "
    "merged yet."
)
_BAD_TEXT = gettext_noop("This text cannot be stored. Shorten it, or type it again.")
_LABELS = {
    MergeDetail.name: gettext_noop("Name"),
    MergeDetail.organisation: gettext_noop("Organisation"),
    MergeDetail.country: gettext_noop("Country"),
    MergeDetail.language: gettext_noop("Language"),
    MergeDetail.choices: gettext_noop("Sectors they follow"),
}
_DECISIONS = {
    ConsentEvent.unsubscribed: gettext_noop(
        "They unsubscribed with the other address, so they get no more mail."
    ),
    ConsentEvent.complained: gettext_noop(
        "They reported our mail as spam at the other address, so they get no more mail."
    ),
    ConsentEvent.suppressed: gettext_noop("The team blocked the other address, so both are blocked."),
}


def show_merge(page: PageDep, subscriber: PartnerNumber) -> Response:
    """Ask for the other address, or show both side by side with what would stay."""
    other = page.request.query_params.get("other", "").replace("\0", "").strip()[:320]
    if _is_merged(page, subscriber, other):
        return page.redirect(f"/partners/{subscriber}", Notice.partners_merged)
    return _render(page, subscriber, other, None, [])


def merge(page: PageDep, subscriber: PartnerNumber, form: OwnFormDep) -> Response:
    """Merge the two, if nothing has changed since they were shown."""
    require_confirmed(page)
    other, translate = form.get("other").strip(), page.translator.translate
    if _is_merged(page, subscriber, other):
        # The first of two clicks was quicker.
        return page.redirect(f"/partners/{subscriber}", Notice.partners_merged)
    take = _read_take(dict(form.fields))
    try:
        with page.state.write_session() as session:
            partner = _find_somebody(session, subscriber)
            merged = apply_merge(
                session,
                partner.email,
                other,
                key=page.state.workspace.keys.suppression,
                take=take,
                digest=form.get("digest"),
                **make_context(page, reason=form.get("reason")),
            )
            record_activity(
                session,
                page.actor,
                Act.merged_subscribers,
                subject=merged.people.kept.email,
                detail=f"with {merged.people.other.email}",
                now=page.state.clock(),
            )
    except MergeError:
        return _render(page, subscriber, other, take, [("", translate(_CHANGED))], reason=form.get("reason"))
    except (AddressError, UnknownSubscriberError):
        return _render(page, subscriber, "", None, [("other", translate(_UNKNOWN))])
    except DetailError:
        return _render(
            page, subscriber, other, take, [("reason", translate(_BAD_TEXT))], reason=form.get("reason")
        )
    return page.redirect(f"/partners/{subscriber}", Notice.partners_merged)


def _is_merged(page: StudioPage, number: int, other: str) -> bool:
    """Whether the address ``other`` has given way to this partner before."""
    if not other:
        return False
    with page.state.read_session() as session:
        return any(one.email.lower() == other.lower() for one in list_merged_subscribers(session, number))


def _find_somebody(session: Session, number: int) -> Subscriber:
    partner = find_partner(session, number)
    if partner.status in {Status.erased, Status.merged}:
        raise HTTPException(404)
    return partner


def _read_take(fields: dict[str, str]) -> frozenset[MergeDetail]:
    return frozenset(detail for detail in MergeDetail if fields.get(f"take-{detail.value}") == "other")


def _render(
    page: StudioPage,
    number: int,
    other: str,
    take: frozenset[MergeDetail] | None,
    errors: list[tuple[str, str]],
    *,
    reason: str = "",
) -> Response:
    planned: SubscriberMerge | None = None
    translate = page.translator.translate
    with page.state.read_session() as session:
        partner = _find_somebody(session, number)
        if other:
            try:
                key = page.state.workspace.keys.suppression
                planned = preview_merge(session, partner.email, other, key=key, take=take)
            except AddressError:
                errors = [("other", translate(_NO_ADDRESS))]
            except UnknownSubscriberError:
                errors = [("other", translate(_UNKNOWN))]
            except MergeError:
                errors = [("other", translate(_UNFIT))]
    return page.render(
        "partner_merge.html",
        status=422 if errors else 200,
        section="partners",
        partner=partner,
        other=other,
        reason=reason,
        errors=errors,
        problems=dict(errors),
        planned=planned,
        rows=[] if planned is None else _describe_rows(page, planned),
        digest="" if planned is None else planned.people.digest,
        status_words=STATUS_WORDS,
        decision="" if planned is None else _describe_decision(planned),
        waiting=0 if planned is None else len(planned.deliveries.moved) + len(planned.deliveries.dropped),
    )


def _describe_decision(planned: SubscriberMerge) -> str:
    decision = planned.people.decision
    return "" if decision is None else _DECISIONS.get(decision, "")


def _describe_rows(page: StudioPage, planned: SubscriberMerge) -> list[dict[str, Any]]:
    """Each detail of both; those to choose from have a ``name``, and ``takes`` says whose is chosen."""
    people = planned.people
    return [
        {
            "name": detail.value,
            "label": page.translator.translate(label),
            "kept": _describe(page, people.kept, detail),
            "other": _describe(page, people.other, detail),
            "may_choose": people.other.has(detail) and _differs(people.kept, people.other, detail),
            "takes": detail in people.taken,
        }
        for detail, label in _LABELS.items()
    ]


def _differs(one: MergeSide, another: MergeSide, detail: MergeDetail) -> bool:
    names = ("sectors", "countries") if detail is MergeDetail.choices else (detail.value,)
    return any(getattr(one, name) != getattr(another, name) for name in names)


def _describe(page: StudioPage, side: MergeSide, detail: MergeDetail) -> str:
    match detail:
        case MergeDetail.country:
            return page.name_country(side.country)
        case MergeDetail.language:
            return own_language_name(side.language) if side.language else ""
        case MergeDetail.choices:
            names = dict(list_sectors(page.translator, page.settings))
            sectors = [names.get(slug, slug) for slug in sorted(side.sectors)]
            countries = [page.name_country(code) for code in sorted(side.countries)]
            return ", ".join([*sectors, *countries])
        case _:
            return str(getattr(side, detail.value))


ROUTES = (
    StudioRoute("/partners/{subscriber}/merge", show_merge, GET, Permission.change_partners),
    StudioRoute("/partners/{subscriber}/merge", merge, POST, Permission.change_partners),
)
