"""Whose mail the preview shows: a subscriber's, a segment's one by one, or nobody's in particular."""

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.campaigns.audiences.segments import read_segment
from mailer.campaigns.audiences.selection import find_database_problem, load_reader
from mailer.database.engine import open_session
from mailer.rendering.reader import Reader, anonymous_reader
from mailer.web.preview.query import PreviewQuery
from mailer.workspace import Workspace
from subscribers.errors import SegmentError, SubscriberError
from subscribers.models import Subscriber
from subscribers.queries import count_subscribers, find_subscriber, select_subscribers
from subscribers.segments.segment import eligible

_MAX_ADDRESSES = 500
"""Addresses offered while typing; a browser shows a handful, and any other can be typed whole."""


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """The reader a view is shown for.

    ``words`` say who that is; the errors are empty unless a field of the form cannot be understood. ``n`` of
    ``number`` is the reader's place in the segment, 0 of 0 where there is none.
    """

    reader: Reader
    words: str
    address_error: str = ""
    segment_error: str = ""
    n: int = 0
    number: int = 0


class RecipientFinder:
    """The list as the preview sees it. It only reads, and does without where there is no list yet."""

    def __init__(self, workspace: Workspace, engine: Engine) -> None:
        self.workspace = workspace
        self.engine = engine
        self.nobody = Recipient(
            reader=anonymous_reader(workspace.settings), words="Shown as nobody in particular gets it."
        )

    def find_list_error(self) -> str:
        """Why the list cannot be read; empty if it can."""
        return find_database_problem(self.engine)

    def list_addresses(self, today: date) -> list[str]:
        """Some addresses that get mail, to choose from."""
        with open_session(self.engine, read_only=True) as opened:
            wanted = select(Subscriber.email).where(eligible(today)).order_by(col(Subscriber.email))
            return list(opened.exec(wanted.limit(_MAX_ADDRESSES)))

    def find_recipient(self, view: PreviewQuery, today: date) -> Recipient:
        """The reader ``view`` asks for; nobody, with the reason, where there is none."""
        with open_session(self.engine, read_only=True) as opened:
            if view.address:
                return self._find_by_address(opened, view.address)
            if view.segment:
                return self._find_by_segment(opened, view, today)
        return self.nobody

    def _find_by_address(self, opened: Session, address: str) -> Recipient:
        try:
            subscriber = find_subscriber(opened, address)
        except SubscriberError as error:
            return replace(self.nobody, address_error=str(error))
        return Recipient(
            reader=load_reader(opened, subscriber, self.workspace),
            words=f"Shown as {_describe_subscriber(subscriber)} gets it.",
        )

    def _find_by_segment(self, opened: Session, view: PreviewQuery, today: date) -> Recipient:
        try:
            segment = read_segment(view.segment, self.workspace.settings, opened)
        except SegmentError as error:
            return replace(self.nobody, segment_error=str(error))
        number = count_subscribers(opened, segment, today=today)
        n = min(view.n, number)
        if n == 0:
            return replace(self.nobody, words=f"Nobody in this segment gets mail today. {self.nobody.words}")
        subscriber = opened.exec(select_subscribers(segment, today=today).offset(n - 1).limit(1)).one()
        readers = f"{number:,} reader{'' if number == 1 else 's'} today"
        words = f"{readers}. Shown as number {n:,} gets it: {_describe_subscriber(subscriber)}."
        return Recipient(
            reader=load_reader(opened, subscriber, self.workspace), words=words, n=n, number=number
        )


def _describe_subscriber(subscriber: Subscriber) -> str:
    return f"{subscriber.name}, {subscriber.email}" if subscriber.name else subscriber.email
