"""The query string of the preview, which says what to show; its URLs can be bookmarked and shared."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from locales.phrase import Phrase, gettext_noop, join_sentences
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.recipients import load_reader
from mailer.database.engine import open_session
from mailer.rendering.mail_merge import Reader, anonymous_reader
from mailer.web.forms import read_number
from mailer.workspace import Workspace
from subscribers.errors import SegmentError, SubscriberError
from subscribers.models import Subscriber
from subscribers.queries import count_subscribers, find_subscriber, select_subscribers
from subscribers.segments.segment import eligible

_KEYS = {"address": "for"}
Choice = TypeVar("Choice", bound=StrEnum)
_MAX_ADDRESSES = 500
"""The number of addresses suggested while typing. Any other address can be typed in full."""
_ONE_READER = gettext_noop("%(number)s reader today.")
_READERS = gettext_noop("%(number)s readers today.")
_SHOWN_FOR_NUMBER = gettext_noop("Shown for number %(n)s: %(reader)s.")


class ShownWindows(StrEnum):
    """Which windows the page shows."""

    both = "both"
    """Desktop and phone, side by side if there is room."""

    desktop = "desktop"
    """700 px wide."""

    phone = "phone"
    """375 px wide."""

    text = "text"
    """The plain-text part."""

    paper = "paper"
    """Printed on a sheet of A4."""


class ColourScheme(StrEnum):
    """The colour scheme of the reader's mail program."""

    light = "light"
    dark = "dark"


class ImageLoading(StrEnum):
    """Whether the mail program loads images."""

    on = "on"
    off = "off"
    """The alternative text is shown instead."""


class ShownForm(StrEnum):
    """Which form of the edition the preview shows."""

    own = "own"
    """The one that the edition is sent in."""

    full = "full"
    """Every story as a whole."""

    digest = "digest"
    """Cards that lead to the stories' pages."""


@dataclass(frozen=True, kw_only=True)
class PreviewQuery:
    """What to show of an edition. ``address`` or else ``segment`` says whose email it is; if both are empty,
    an anonymous reader's. ``n`` is the position in the segment, from 1; ``language`` "" for the reader's own.
    """

    show: ShownWindows = ShownWindows.both
    scheme: ColourScheme = ColourScheme.light
    images: ImageLoading = ImageLoading.on
    form: ShownForm = ShownForm.own
    address: str = ""
    segment: str = ""
    n: int = 1
    language: str = ""

    def link(self, field: str, value: object) -> str:
        """Return the URL of this view with one field changed."""
        return f"/?{replace(self, **{field: value}).encode()}"  # type: ignore[arg-type]

    @property
    def frame(self) -> str:
        """The URL of the email itself in this view."""
        return f"/frame?{self.encode()}"

    def encode(self) -> str:
        """Return the query that :func:`parse_query` reads as this view, without what goes without saying."""
        usual = asdict(PreviewQuery())
        form_language = {
            _KEYS.get(name, name): value for name, value in asdict(self).items() if value != usual[name]
        }
        return urlencode(form_language)


def parse_query(query: Mapping[str, str]) -> PreviewQuery:
    """Parse a query; an unknown value becomes the default."""
    return PreviewQuery(
        show=_parse_choice(ShownWindows, query.get("show"), ShownWindows.both),
        scheme=_parse_choice(ColourScheme, query.get("scheme"), ColourScheme.light),
        images=_parse_choice(ImageLoading, query.get("images"), ImageLoading.on),
        form=_parse_choice(ShownForm, query.get("form"), ShownForm.own),
        address=query.get("for", "").strip(),
        segment=query.get("segment", "").strip(),
        n=read_number(query.get("n", ""), digits=8) or 1,
        language=query.get("language", ""),
    )


def _parse_choice(choices: type[Choice], value: str | None, usual: Choice) -> Choice:
    return choices(value) if value is not None and value in choices.__members__ else usual


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """The reader whose email is shown, with words for who that is. The error messages are empty unless a
    field of the form is invalid. ``n`` of ``number`` is the reader's position in the segment, 0 of 0 without
    one.
    """

    reader: Reader
    words: str
    address_error: str = ""
    segment_error: str = ""
    n: int = 0
    number: int = 0


class RecipientFinder:
    """Finds recipients on the list. Only reads, and works without a list too."""

    def __init__(self, workspace: Workspace, engine: Engine) -> None:
        self.workspace = workspace
        self.engine = engine
        self.anonymous = Recipient(
            reader=anonymous_reader(workspace.settings),
            words=gettext_noop("Shown without a particular reader."),
        )

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
            words=Phrase("Shown for %(reader)s.", reader=_describe_subscriber(subscriber)),
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
