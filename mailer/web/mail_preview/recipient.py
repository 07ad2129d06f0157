"""Whose email the preview shows: a subscriber's, each reader's of a segment in turn, or an anonymous
reader's."""

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from locales.phrase import Phrase, gettext_noop, join_sentences
from mailer.campaigns.audiences.recipient_selection import find_database_problem, load_reader
from mailer.campaigns.audiences.segments import read_segment
from mailer.database.engine import open_session
from mailer.rendering.recipient import Reader, anonymous_reader
from mailer.web.mail_preview.query import PreviewQuery
from mailer.workspace import Workspace
from subscribers.errors import SegmentError, SubscriberError
from subscribers.models import Subscriber
from subscribers.queries import count_subscribers, find_subscriber, select_subscribers
from subscribers.segments.segment import eligible

_MAX_ADDRESSES = 500
"""The number of addresses suggested while typing. Any other address can be typed in full."""


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """The reader whose email is shown.

    ``words`` describe who that is; the error messages are empty unless a field of the form is invalid. ``n``
    of ``number`` is the reader's position in the segment, 0 of 0 without a segment.
    """

    reader: Reader
    words: str
    address_error: str = ""
    segment_error: str = ""
    n: int = 0
    number: int = 0


_ONE_READER = gettext_noop("%(number)s reader today.")
_READERS = gettext_noop("%(number)s readers today.")
_SHOWN_FOR_NUMBER = gettext_noop("Shown for number %(n)s: %(reader)s.")


class RecipientFinder:
    """Finds recipients on the list. Only reads, and works without a list too."""

    def __init__(self, workspace: Workspace, engine: Engine) -> None:
        self.workspace = workspace
        self.engine = engine
        self.anonymous = Recipient(
            reader=anonymous_reader(workspace.settings),
            words=gettext_noop("Shown without a particular reader."),
        )

    def find_list_error(self) -> str:
        """Return why the list cannot be read; empty if it can."""
        return find_database_problem(self.engine)

    def list_addresses(self, today: date) -> list[str]:
        """List some addresses that get mail, to choose from."""
        with open_session(self.engine, read_only=True) as session:
            wanted = select(Subscriber.email).where(eligible(today)).order_by(col(Subscriber.email))
            return list(session.exec(wanted.limit(_MAX_ADDRESSES)))

    def find_recipient(self, query: PreviewQuery, today: date) -> Recipient:
        """Find the reader that the query asks for; the anonymous one, with the reason, if there is none."""
        with open_session(self.engine, read_only=True) as session:
            if query.address:
                return self._find_by_address(session, query.address)
            if query.segment:
                return self._find_by_segment(session, query, today)
        return self.anonymous

    def _find_by_address(self, session: Session, address: str) -> Recipient:
        try:
            subscriber = find_subscriber(session, address)
        except SubscriberError as error:
            return replace(self.anonymous, address_error=str(error))
        return Recipient(
            reader=load_reader(session, subscriber, self.workspace),
            words=Phrase(gettext_noop("Shown for %(reader)s."), reader=_describe_subscriber(subscriber)),
        )

    def _find_by_segment(self, session: Session, query: PreviewQuery, today: date) -> Recipient:
        try:
            segment = read_segment(query.segment, self.workspace.settings, session)
        except SegmentError as error:
            return replace(self.anonymous, segment_error=str(error))
        number = count_subscribers(session, segment, today=today)
        n = min(query.n, number)
        if n == 0:
            nobody = gettext_noop("Nobody in this segment gets mail today.")
            return replace(self.anonymous, words=join_sentences([nobody, self.anonymous.words]))
        subscriber = session.exec(select_subscribers(segment, today=today).offset(n - 1).limit(1)).one()
        readers = Phrase(_ONE_READER if number == 1 else _READERS, number=f"{number:,}")
        shown = Phrase(_SHOWN_FOR_NUMBER, n=f"{n:,}", reader=_describe_subscriber(subscriber))
        words = join_sentences([readers, shown])
        return Recipient(
            reader=load_reader(session, subscriber, self.workspace), words=words, n=n, number=number
        )


def _describe_subscriber(subscriber: Subscriber) -> str:
    return f"{subscriber.name}, {subscriber.email}" if subscriber.name else subscriber.email
