"""Merging two partners who are one person: both side by side, and what would stay."""

from functools import partial

from starlette.responses import Response

from mailer.activity import deeds
from mailer.campaigns.subscriber_history import apply_merge, preview_merge
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, own_language_name
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.partners.partner_page import PartnerPage, SomebodyPageDep, explain, make_context
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.confirmation import require_confirmed
from subscribers.consent.merge import MergeDetail, MergeSide
from subscribers.errors import AddressError, DetailError, MergeError, UnknownSubscriberError
from subscribers.models import ConsentEvent
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
_DECISIONS = {
    ConsentEvent.unsubscribed: gettext_noop(
        "They unsubscribed with the other address, so they get no more mail."
    ),
    ConsentEvent.complained: gettext_noop(
        "They reported our mail as spam at the other address, so they get no more mail."
    ),
    ConsentEvent.suppressed: gettext_noop("The team blocked the other address, so both are blocked."),
}

ROUTES = Routes()


@ROUTES.get_route("/partners/{subscriber}/merge", Permission.change_partners)
def show_merge(page: SomebodyPageDep) -> Response:
    """Ask for the other address, or show both side by side with what would stay."""
    other = page.request.query_params.get("other", "").replace("\0", "").strip()[:320]
    return page.go_back(Notice.partners_merged) if _is_merged(page, other) else _render(page, other)


@ROUTES.post_route("/partners/{subscriber}/merge", Permission.change_partners)
def merge(page: SomebodyPageDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    other, reason = form.get("other").strip(), form.get("reason")
    if _is_merged(page, other):
        # The first of two clicks was quicker.
        return page.go_back(Notice.partners_merged)
    take = frozenset(detail for detail in MergeDetail if form.get(f"take-{detail.value}") == "other")
    key, digest = page.state.workspace.keys.suppression, form.get("digest")
    try:
        with page.writing() as session:
            current, context = page.read_again(session), make_context(page, reason=reason)
            or_404(current.is_somebody)
            people = apply_merge(
                session, current.partner.email, other, key=key, take=take, digest=digest, **context
            ).people
            page.record(session, deeds.merged_subscribers(people.kept.email, people.other.email))
    except MergeError:
        return _render(page, other, take, "", _CHANGED, reason)
    except DetailError as error:
        return _render(page, other, take, "reason", explain(error), reason)
    except (AddressError, UnknownSubscriberError):
        return _render(page, "", None, "other", _UNKNOWN)
    return page.go_back(Notice.partners_merged)


def _is_merged(page: PartnerPage, other: str) -> bool:
    """Return whether the address ``other`` has given way to this partner before."""
    merged = list_merged_subscribers(page.session, page.number) if other else []
    return any(one.email.lower() == other.lower() for one in merged)


def _render(
    page: PartnerPage,
    other: str,
    take: frozenset[MergeDetail] | None = None,
    field: str = "",
    words: str = "",
    reason: str = "",
) -> Response:
    planned = None
    if other:
        key = page.state.workspace.keys.suppression
        try:
            planned = preview_merge(page.session, page.partner.email, other, key=key, take=take)
        except AddressError:
            field, words = "other", _NO_ADDRESS
        except UnknownSubscriberError:
            field, words = "other", _UNKNOWN
        except MergeError:
            field, words = "other", _UNFIT
    people = planned.people if planned else None
    decision = people.decision if people else None
    errors = [(field, page.translate(words))] if words else []
    return page.render(
        "partner_merge.html",
        other=other,
        reason=reason,
        errors=errors,
        people=people,
        details=MergeDetail,
        describe=partial(_describe, page),
        decision=_DECISIONS.get(decision, "") if decision else "",
        waiting=len(planned.moved) + len(planned.dropped) if planned else 0,
    )


def _describe(page: PartnerPage, side: MergeSide, detail: MergeDetail) -> str:
    match detail:
        case MergeDetail.country:
            return page.name_country(side.country)
        case MergeDetail.language:
            return own_language_name(side.language) if side.language else ""
        case MergeDetail.choices:
            sectors, countries = sorted(side.sectors), sorted(side.countries)
            return ", ".join([*map(page.name_sector, sectors), *map(page.name_country, countries)])
        case _:
            return str(getattr(side, detail.value))
