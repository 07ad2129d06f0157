"""The message that an incoming one is about: in a part of its own, or copied into the text."""

import re

from mailer.feedback.incoming_message import OriginalMessage
from mailer.feedback.mime.addresses import list_addresses
from mailer.feedback.mime.part import MimePart, parse_message

_ENCLOSED_TYPES = ("message/rfc822", "message/global", "text/rfc822", "message/partial", "message/rfc2822")
# How servers write that what follows is the message they return.
_COPY_FOLLOWS = (
    r"-{2,}\s*(?:this is a copy of|original message|returned message|your original (?:message|mail)"
    r"|(?:the )?(?:header|body|first \d+ lines)\b.{0,30} of (?:the|your) (?:original )?(?:message|mail)"
    r"|below this line is|below the next line is|message (?:header|text|body)|the header|unsent message"
    r"|undelivered message|original mail|enclosed is|included is|begin returned|forwarded message"
    r"|enclosed are the original headers|start of returned|transcript of message|a copy of the).*",
    r"[ \t|*>=#_-]*(?:unsent message|(?:your )?original (?:message|mail)|(?:original |undelivered |returned |"
    r"bounced |the )?(?:message|mail|e-?mail)(?: text| header(?:s)?| body)?)(?: as)? (?:below|follows?)"
    r"(?: *\(.{0,60}\))?[ \t]*[:.]?[ \t|*<=#_-]*",
    r"[ \t]*(?:original|returned|bounced|undelivered) (?:message|mail|e-mail) ?headers?:?[ \t]*",
    r"[ \t]*-{2,} ?(?:original message|message header|original headers|original mail info|returned message|"
    r"original mail|original message header|returned mail|message headers?)[ \t-]*:?",
    r"[ \t]*[|*=_#>-]{3,}[ \t]*(?:message (?:text|header|headers|body|contents?) follows?|original message"
    r"(?: follows| header)?|returned message|unsent message follows).*",
    r"[ \t]*(?:the )?(?:header|headers|text|beginning|first part|contents?|copy) of (?:the|your) "
    r"(?:original |undelivered |returned )?(?:message|mail|e-mail)\b.{0,60}",
    r"Received: (?:from|by|\(qmail) .*",
    r"Return-Path: *<.*>.*",
)
_START = re.compile(rf"^(?:{'|'.join(_COPY_FOLLOWS)})$", re.IGNORECASE | re.MULTILINE)
_USUAL_FIRST_FIELDS = ("\nReceived: ", "\nReturn-Path: ", "\nReturn-path: ")
_MESSAGE_FIELD = re.compile(
    r"^[ \t>|]*(?:Received|Return-Path|Message-ID|From|To|Date|Subject|DKIM-Signature|X-[A-Za-z-]+):",
    re.I | re.M,
)
_FIRST_FIELD = re.compile(
    r"^[ \t>|]*(?:Received|Return-Path|Message-I[Dd]|From|To|Date|Subject|DKIM-Signature|MIME-Version|"
    r"X-[A-Za-z-]+|Delivered-To|Reply-To|Sender|List-[A-Za-z]+|ARC-[A-Za-z-]+|Content-Type)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
# Above this number of recipients, a message is not one of ours, which have one each.
_MAX_RECIPIENTS = 20
_TOKEN_FIELDS = ("x-feedback-token", "cfbl-feedback-id")
_RECIPIENT_FIELDS = ("to", "cc", "x-original-to", "delivered-to", "envelope-to", "apparently-to", "resent-to")


def find_enclosed(message: MimePart) -> MimePart | None:
    """Return the message, or the headers, that a part of ``message`` encloses; None if no part does."""
    for part in message.walk():
        if part.content_type.startswith(_ENCLOSED_TYPES):
            enclosed = part.read_enclosed()
            return enclosed if enclosed.headers else parse_message(part.body.lstrip())
    return None


def split_copy(text: str) -> tuple[str, MimePart | None]:
    """Split ``text`` into a server's own words and the message that it copied below them.

    The copy is recognised by what servers write above it and by headers that follow; None if there is none.
    """
    # Most copies begin with one of these fields, so that nothing below it has to be searched.
    fields = [position for name in _USUAL_FIRST_FIELDS if (position := text.find(name)) >= 0]
    end = min(fields) + 200 if fields else len(text)
    for match in _START.finditer(text[:end]):
        is_field = match[0][:8].lower() in ("received", "return-p")
        rest = text[match.start() if is_field else match.end() :]
        field = _FIRST_FIELD.search(rest[:4000])
        if field is None:
            continue
        copy = rest[field.start() :]
        # One header alone may be a server's own words about the message.
        if len(_MESSAGE_FIELD.findall(copy[:4000])) < 2:
            continue
        return text[: match.start()], parse_message(_unquote(copy).encode("utf-8", "replace"))
    return text, None


def _unquote(copy: str) -> str:
    """Take the same indent or quote mark off every line of a copied message."""
    mark = re.match(r"[ \t>|]*", copy)
    prefix = mark[0] if mark else ""
    if not prefix:
        return copy
    return "\n".join(line.removeprefix(prefix) for line in copy.split("\n"))


def describe_original(original: MimePart | None) -> OriginalMessage:
    """Return what the headers of ``original`` show of the message."""
    if original is None:
        return OriginalMessage()
    headers = original.headers
    recipients = list_addresses(*(value for name in _RECIPIENT_FIELDS for value in headers.all(name)))
    senders = list_addresses(headers.raw("return-path"))
    return OriginalMessage(
        message_id=headers.raw("message-id").strip()[:998],
        # A report by RFC 9477 may have the second of these and nothing else.
        feedback_token=" ".join(filter(None, map(headers.raw, _TOKEN_FIELDS)))[:998],
        list_unsubscribe=headers.raw("list-unsubscribe").strip()[:2000],
        envelope_sender=senders[0] if senders else "",
        recipients=recipients[:_MAX_RECIPIENTS],
    )
