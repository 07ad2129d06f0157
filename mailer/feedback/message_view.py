"""A message as a person may safely look at it: its headers and its text, and the names of its attachments."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from editions.unsafe_characters import remove_unsafe_characters
from mailer.feedback.mime_headers import decode_words, parse_parameters
from mailer.feedback.mime_part import MimePart, parse_message

SHOWN_HEADERS: Final = ("From", "To", "Date", "Subject", "Reply-To", "Return-Path", "Auto-Submitted")
"""The headers that are shown, where a message has them."""

_MAX_TEXT = 20_000
_MAX_HEADER = 500
_MAX_ATTACHMENTS = 50


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A part of a message that is not its text: its ``name``, "" if it has none, and its type."""

    name: str
    content_type: str


@dataclass(frozen=True, kw_only=True)
class MessageView:
    """What is shown of a message: headers, the text without markup, and the attachments, never their
    content. ``is_cut`` says that the text goes on."""

    headers: tuple[tuple[str, str], ...]
    text: str
    is_cut: bool
    attachments: tuple[Attachment, ...]


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


def _list_attachments(message: MimePart) -> Iterator[Attachment]:
    for part in message.walk():
        disposition, parameters = parse_parameters(part.headers.raw("content-disposition"))
        name = decode_words(parameters.get("filename", "") or part.parameters.get("name", ""))
        is_body = part.is_text and disposition != "attachment" and not name
        if not (is_body or part.content_type.startswith("multipart/")):
            yield Attachment(name=remove_unsafe_characters(name)[:200], content_type=part.content_type[:100])
