"""The messages that came back, page by page and one by one."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, col, func, select

from editions.unsafe_characters import remove_unsafe_characters
from mailer.database.feedback_models import FeedbackEvent, FeedbackKind, FeedbackMessage, FeedbackState
from mailer.feedback.mime_headers import decode_words, parse_parameters
from mailer.feedback.mime_part import MimePart, parse_message
from subscribers.models import Subscriber

PAGE_ROWS: Final = 50
"""How many messages a page has."""

_MAX_LOOKED_AT: Final = 20_000
"""How many messages are looked at for a page, so that a kind that is rare among millions costs no more."""
SHOWN_HEADERS: Final = ("From", "To", "Date", "Subject", "Reply-To", "Return-Path", "Auto-Submitted")
"""The headers that are shown, where a message has them."""
_MAX_TEXT = 20_000
_MAX_HEADER = 500
_MAX_ATTACHMENTS = 50


def list_messages(
    session: Session,
    *,
    kind: FeedbackKind | None = None,
    campaign_id: int | None = None,
    before: int | None = None,
) -> tuple[Sequence[FeedbackMessage], int | None]:
    """Return a page of messages, the newest first: those of a kind, about a campaign, and before a number.

    With it comes the number before which the next page begins, None if there is none. A page may be empty
    although there are older ones.
    """
    end = (
        before if before is not None else (session.exec(select(func.max(FeedbackMessage.id))).one() or 0) + 1
    )
    start = max(end - _MAX_LOOKED_AT, 0)
    wanted = select(FeedbackMessage).where(col(FeedbackMessage.id) < end, col(FeedbackMessage.id) >= start)
    if kind is not None:
        wanted = wanted.where(FeedbackMessage.kind == kind)
    if campaign_id is not None:
        about = select(FeedbackEvent.message_id).where(FeedbackEvent.campaign_id == campaign_id)
        wanted = wanted.where(col(FeedbackMessage.id).in_(about))
    rows = session.exec(wanted.order_by(col(FeedbackMessage.id).desc()).limit(PAGE_ROWS + 1)).all()
    shown = rows[:PAGE_ROWS]
    # A window that has not filled the page leads on to the one before it.
    earlier = start if start > 1 else None
    return shown, shown[-1].id if len(rows) > PAGE_ROWS else earlier


def find_next_held(session: Session, number: int) -> int | None:
    """Return the message that waits for a person after ``number``, else the first; None if none waits."""
    waits = (
        select(FeedbackMessage.id)
        .where(col(FeedbackMessage.state) == FeedbackState.held)
        .order_by(col(FeedbackMessage.id))
        .limit(1)
    )
    later = session.exec(waits.where(col(FeedbackMessage.id) > number)).first()
    return later if later is not None else session.exec(waits).first()


def list_subscribers(session: Session, messages: Sequence[FeedbackMessage]) -> Mapping[int, Sequence[str]]:
    """Return the addresses of those whom each message is about, by its number."""
    statement = (
        select(FeedbackEvent.message_id, Subscriber.email)
        .join(Subscriber, col(Subscriber.id) == col(FeedbackEvent.subscriber_id))
        .where(col(FeedbackEvent.message_id).in_([message.id for message in messages]))
        .order_by(col(FeedbackEvent.position))
    )
    found: dict[int, list[str]] = defaultdict(list)
    for number, email in session.exec(statement):
        found[number].append(email)
    return found


@dataclass(frozen=True, kw_only=True)
class MessageView:
    """What is shown of a message: headers, the text without markup, and the names of the attachments, or
    their types. ``is_cut`` says that the text goes on."""

    headers: tuple[tuple[str, str], ...]
    text: str
    is_cut: bool
    attachments: tuple[str, ...]


def view_message(raw: bytes) -> MessageView:
    """Read ``raw`` for a person to look at. Never raises, whatever the bytes are."""
    message = parse_message(raw)
    text = remove_unsafe_characters(message.readable_text).strip()
    return MessageView(
        headers=tuple(
            (name, remove_unsafe_characters(value)[:_MAX_HEADER])
            for name in SHOWN_HEADERS
            if (value := message.headers.get(name.lower()))
        ),
        text=text[:_MAX_TEXT],
        is_cut=len(text) > _MAX_TEXT,
        attachments=tuple(_list_attachments(message))[:_MAX_ATTACHMENTS],
    )


def _list_attachments(message: MimePart) -> Iterator[str]:
    for part in message.all_parts:
        disposition, parameters = parse_parameters(part.headers.raw("content-disposition"))
        name = decode_words(parameters.get("filename", "") or part.parameters.get("name", ""))
        is_body = part.is_text and disposition != "attachment" and not name
        if not (is_body or part.content_type.startswith("multipart/")):
            yield remove_unsafe_characters(name)[:200] or part.content_type[:100]
