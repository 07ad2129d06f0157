"""The page of a partner, and how partners are named and found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Any

from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.campaigns.subscriber_history import (
    list_returned_messages,
    list_sent_campaigns,
    list_sent_tests,
)
from mailer.database.feedback_models import Consequence, FeedbackKind
from mailer.i18n import gettext_noop
from mailer.privacy.erasure import list_out_of_reach
from mailer.team.members import Permission
from mailer.web.forms import list_sectors, own_language_name
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import depend_on_number
from mailer.web.studio.status_words import DELIVERY_WORDS, STATUS_WORDS
from subscribers.consent.preferences import read_countries
from subscribers.consent.status_changes import ConsentContext
from subscribers.consent.suppression import read_suppression
from subscribers.models import ConsentEvent, ConsentRecord, ImportBatch, Status, Subscriber
from subscribers.queries import find_kept_subscriber, list_merged_subscribers, read_sectors, read_tags
from subscribers.validation import clean_line

EVENT_WORDS: Mapping[ConsentEvent, str] = MappingProxyType(
    {
        ConsentEvent.imported: gettext_noop("Added by the team"),
        ConsentEvent.requested: gettext_noop("Signed up, to be confirmed"),
        ConsentEvent.subscribed: gettext_noop("Subscribed"),
        ConsentEvent.updated: gettext_noop("Details changed"),
        ConsentEvent.paused: gettext_noop("Mail paused"),
        ConsentEvent.resumed: gettext_noop("Pause ended"),
        ConsentEvent.unsubscribed: gettext_noop("Unsubscribed"),
        ConsentEvent.bounced: gettext_noop("Address found not to work"),
        ConsentEvent.complained: gettext_noop("Reported our mail as spam"),
        ConsentEvent.suppressed: gettext_noop("Blocked by the team"),
        ConsentEvent.unsuppressed: gettext_noop("No longer blocked"),
        ConsentEvent.erased: gettext_noop("Erased"),
        ConsentEvent.reconfirmed: gettext_noop("Said that they still want it"),
        ConsentEvent.merged: gettext_noop("Merged with another address of theirs"),
    }
)
"""What a consent record says has happened."""

SUPPRESSION_WORDS: Mapping[ConsentEvent, str] = MappingProxyType(
    {
        ConsentEvent.suppressed: gettext_noop(
            "The team blocked this address. No import and no form brings it back."
        ),
        ConsentEvent.bounced: gettext_noop("Mail to this address came back, so it gets no more."),
        ConsentEvent.complained: gettext_noop(
            "They reported our mail as spam. Only they can come back, by the link in a newsletter."
        ),
        ConsentEvent.unsubscribed: gettext_noop("They unsubscribed elsewhere. Only they can come back."),
        ConsentEvent.erased: gettext_noop("Somebody with this address was erased."),
    }
)
"""Why an address must not get mail."""


PartnerNumber = Annotated[int, depend_on_number("subscriber")]
"""The path's ``subscriber``, if it can be the number of one; otherwise the answer is 404."""


def find_partner(session: Session, number: int) -> Subscriber:
    """Return the subscriber with a number.

    Raises:
        HTTPException: 404, there is none.
    """
    found = session.get(Subscriber, number)
    if found is None:
        raise HTTPException(404)
    return found


_MOST = 20
_MOST_RECORDS = 100
_STATUS_EVENTS = frozenset(
    {
        *(ConsentEvent.imported, ConsentEvent.requested, ConsentEvent.subscribed, ConsentEvent.paused),
        *(ConsentEvent.resumed, ConsentEvent.unsubscribed, ConsentEvent.bounced, ConsentEvent.complained),
        *(ConsentEvent.suppressed, ConsentEvent.erased, ConsentEvent.reconfirmed, ConsentEvent.merged),
    }
)
_KIND_WORDS: Mapping[FeedbackKind, str] = {
    FeedbackKind.bounce: gettext_noop("Their mail server wrote back"),
    FeedbackKind.complaint: gettext_noop("Their provider reported a complaint"),
    FeedbackKind.auto_reply: gettext_noop("An automatic reply"),
    FeedbackKind.reply: gettext_noop("They replied"),
    FeedbackKind.leave: gettext_noop("They asked to leave by mail"),
    FeedbackKind.other: gettext_noop("A message that was not understood"),
    FeedbackKind.dmarc: gettext_noop("A report on our mail"),
}
_CONSEQUENCE_WORDS: Mapping[Consequence, str] = {
    Consequence.bounced: gettext_noop("The address gets no more mail."),
    Consequence.complained: gettext_noop("They get no more mail."),
    Consequence.unsubscribed: gettext_noop("They were unsubscribed."),
    Consequence.held: gettext_noop("It waits for a person to judge it."),
    Consequence.alarm: gettext_noop("It is about us, not about them."),
}


@dataclass(frozen=True, kw_only=True)
class _Person:
    """A partner with the addresses that were merged with theirs."""

    subscriber: Subscriber
    merged: Sequence[Subscriber]

    @property
    def numbers(self) -> list[int]:
        return [one.id or 0 for one in (self.subscriber, *self.merged)]

    @property
    def addresses(self) -> list[str]:
        return [one.email for one in (self.subscriber, *self.merged)]


def show_partner(page: PageDep, subscriber: PartnerNumber) -> Response:
    """Show a partner."""
    return render_partner(page, subscriber, [])


def render_partner(page: StudioPage, number: int, errors: list[tuple[str, str]], **typed: object) -> Response:
    """Render a partner's page; with ``errors`` as the answer to a form of it, with what was ``typed``."""
    with page.state.read_session() as session:
        subscriber = find_partner(session, number)
        kept = find_kept_subscriber(session, subscriber)
        person = _Person(subscriber=subscriber, merged=list_merged_subscribers(session, number))
        values = {
            "partner": subscriber,
            "kept": None if kept is subscriber else kept,
            "merged": person.merged,
            **_describe_details(page, session, subscriber),
            **_describe_status(page, session, subscriber),
            **_describe_history(session, person),
            "records": _list_records(session, person),
        }
    return page.render(
        "partner.html",
        status=422 if errors else 200,
        section="partners",
        errors=errors,
        problems=dict(errors),
        typed=typed,
        tomorrow=(page.state.clock() + timedelta(days=1)).date().isoformat(),
        out_of_reach=list_out_of_reach(page.state.engine),
        **values,
    )


def _describe_details(page: StudioPage, session: Session, subscriber: Subscriber) -> dict[str, Any]:
    number, translator = subscriber.id or 0, page.translator
    names = dict(list_sectors(translator, page.settings))
    followed = sorted(read_sectors(session, [subscriber])[number])
    countries = sorted(read_countries(session, number))
    return {
        "country": page.name_country(subscriber.country),
        "language": own_language_name(subscriber.language) if subscriber.language else "",
        "sectors": [(slug, names.get(slug, slug)) for slug in followed],
        "countries": [page.name_country(code) for code in countries],
        "tags": sorted(read_tags(session, [subscriber])[number]),
    }


def _describe_status(page: StudioPage, session: Session, subscriber: Subscriber) -> dict[str, Any]:
    words, tone = STATUS_WORDS[Status(subscriber.status)]
    since = session.exec(
        select(ConsentRecord)
        .where(
            col(ConsentRecord.subscriber_id) == subscriber.id,
            col(ConsentRecord.event).in_(_STATUS_EVENTS - _list_irrelevant(subscriber)),
        )
        .order_by(col(ConsentRecord.id).desc())
        .limit(1)
    ).first()
    suppression = read_suppression(session, page.state.workspace.keys.suppression, subscriber.email)
    status = Status(subscriber.status)
    return {
        "status_words": words,
        "tone": tone,
        "since": since,
        "since_words": EVENT_WORDS[ConsentEvent(since.event)] if since is not None else "",
        "suppression": ""
        if suppression is None
        else SUPPRESSION_WORDS.get(ConsentEvent(suppression.reason), ""),
        "may_lift": suppression is not None
        and suppression.reason in {ConsentEvent.suppressed, ConsentEvent.bounced, ConsentEvent.erased},
        "is_on_list": status in {Status.active, Status.paused, Status.pending},
        "may_pause": status in {Status.active, Status.paused},
        "is_somebody": status not in {Status.erased, Status.merged},
    }


def _list_irrelevant(subscriber: Subscriber) -> frozenset[ConsentEvent]:
    """That somebody was merged into a partner is not why that one has their status."""
    return frozenset() if subscriber.status is Status.merged else frozenset({ConsentEvent.merged})


def _describe_history(session: Session, person: _Person) -> dict[str, Any]:
    addresses = dict(zip(person.numbers, person.addresses, strict=True))
    own = person.subscriber.id
    return {
        "deliveries": [
            {
                "sent": sent,
                "words": DELIVERY_WORDS[sent.state][0],
                "tone": DELIVERY_WORDS[sent.state][1],
                "address": "" if sent.subscriber_id == own else addresses[sent.subscriber_id],
            }
            for sent in list_sent_campaigns(session, person.numbers, limit=_MOST)
        ],
        "returned": [
            (one, _KIND_WORDS[one.kind], _CONSEQUENCE_WORDS.get(one.consequence, ""))
            for one in list_returned_messages(session, person.numbers, limit=_MOST)
        ],
        "tests": list_sent_tests(session, person.addresses, limit=_MOST),
    }


def _list_records(session: Session, person: _Person) -> list[dict[str, Any]]:
    addresses = dict(zip(person.numbers, person.addresses, strict=True))
    found = session.exec(
        select(ConsentRecord, ImportBatch.source)
        .join(ImportBatch, col(ImportBatch.id) == col(ConsentRecord.import_id), isouter=True)
        .where(col(ConsentRecord.subscriber_id).in_(person.numbers))
        .order_by(col(ConsentRecord.at).desc(), col(ConsentRecord.id).desc())
        .limit(_MOST_RECORDS)
    )
    return [
        {
            "record": record,
            "words": EVENT_WORDS[ConsentEvent(record.event)],
            "address": ""
            if record.subscriber_id == person.subscriber.id
            else addresses[record.subscriber_id],
        }
        for record, _ in found
    ]


ROUTES = (StudioRoute("/partners/{subscriber}", show_partner, GET, Permission.see_partners),)

METHOD = "studio"


def make_context(page: StudioPage, *, reason: str = "", basis: str = "") -> ConsentContext:
    """The context of a change by the member who makes the request.

    Raises:
        DetailError: the reason or the basis is too long, or has characters that no text has.
    """
    return {
        "method": METHOD,
        "now": page.state.clock(),
        "source": f"by {page.member.name}",
        "evidence": clean_line(reason, "reason"),
        "basis": clean_line(basis, "basis"),
    }
