"""Checks of the message as it is sent: its headers and its size."""

import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from email.utils import parseaddr, parsedate_to_datetime
from urllib.parse import urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.checks.mail.parsed_mail import MailFinding, ParsedMail, finding
from mailer.rendering.body.counted_links import measure_growth
from mailer.settings import LOOPBACK_HOSTS

_MAX_LINE = 998
_LIST_ID = re.compile(r"(.*\s)?<[\w-]+(\.[\w-]+)+>", re.DOTALL)
_MESSAGE_ID = re.compile(r"<[^@\s<>]+@([^@\s<>]+)>")
_MUST_BE_SIGNED = frozenset({"list-unsubscribe", "list-unsubscribe-post"})


_SEVERAL = gettext_noop(
    "the message has %(number)s valid %(name)s and needs exactly one, or providers treat it as forged."
)
_NONE = gettext_noop(
    "the message has no valid %(name)s and needs exactly one, or providers treat it as forged."
)
MAX_HTML_BYTES = 100_000
"""Bytes of HTML above which an email is rejected: Gmail cuts it off a little above 102,000."""
WARN_HTML_BYTES = 85_000
"""Bytes of HTML above which the author is warned: a translation or two more stories would be too much."""


def check_headers(mail: ParsedMail) -> Iterator[MailFinding]:
    """33 and 34, if a message was built."""
    message = mail.source.message
    if message is None:
        return
    head = message.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    parsed = BytesHeaderParser().parsebytes(head)
    headers = {name.lower(): " ".join(str(value).split()) for name, value in parsed.items()}
    yield from _check_list_headers(headers)
    yield from _check_identity(headers, [name.lower() for name in parsed])
    longest = max(map(len, message.split(b"\r\n")))
    if longest > _MAX_LINE:
        yield finding(
            "long-line",
            gettext_noop(
                "a line of the message has %(longest)s bytes, more than the %(most)s that SMTP "
                "allows, and servers break it. Encode the part as quoted-printable or base64."
            ),
            longest=f"{longest:,}",
            most=_MAX_LINE,
            key="",
            weight=longest,
        )


def _check_list_headers(headers: dict[str, str]) -> Iterator[MailFinding]:
    targets = re.findall(r"<([^>]*)>", headers.get("list-unsubscribe", ""))
    if not any(map(_is_safe, targets)):
        yield finding(
            "no-list-unsubscribe",
            gettext_noop(
                "List-Unsubscribe must contain an https page, or Gmail and Yahoo reject bulk email. Set "
                "web.base_url."
            ),
        )
    elif not _is_safe(targets[0]):
        yield finding(
            "no-list-unsubscribe",
            gettext_noop(
                "List-Unsubscribe names its https page after something else, and some programs read only "
                "what comes first. Put the https page first."
            ),
        )
    if headers.get("list-unsubscribe-post") != "List-Unsubscribe=One-Click":
        yield finding(
            "no-one-click",
            gettext_noop(
                "List-Unsubscribe-Post must be List-Unsubscribe=One-Click, or the email program shows no "
                "unsubscribe button."
            ),
        )
    if not _LIST_ID.fullmatch(headers.get("list-id", "")):
        yield finding(
            "no-list-id",
            gettext_noop(
                "List-Id is missing or not a name in <…>; readers filter by it, and providers track the "
                "list’s reputation by it. Set sender.list_id."
            ),
        )
    signed = re.search(r"\bh=([^;]*)", headers.get("dkim-signature", ""))
    if signed and not {name.strip().lower() for name in signed[1].split(":")} >= _MUST_BE_SIGNED:
        yield finding(
            "dkim-gap",
            gettext_noop(
                "the DKIM signature does not cover List-Unsubscribe and List-Unsubscribe-Post, so "
                "providers ignore them. Have the relay sign both."
            ),
        )


def _is_safe(target: str) -> bool:
    """Return whether one-click unsubscribe may use it: https, or this machine, for a trial."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS)


def _check_identity(headers: dict[str, str], names: list[str]) -> Iterator[MailFinding]:
    for name in ("From", "Date", "Message-ID"):
        number = names.count(name.lower())
        if number != 1 or not _is_valid(name, headers[name.lower()]):
            yield finding(
                "message-header",
                Phrase(_SEVERAL, number=number, name=name) if number else Phrase(_NONE, name=name),
            )
    identity = _MESSAGE_ID.fullmatch(headers.get("message-id", ""))
    sender = parseaddr(headers.get("from", ""))[1].rpartition("@")[2].lower()
    if identity and sender and not _are_related(identity[1].lower(), sender):
        yield finding(
            "foreign-message-id",
            gettext_noop(
                "the Message-ID belongs to %(domain)s and the sender to %(sender)s, as in forged "
                "email. Use the sender’s domain for both."
            ),
            domain=identity[1],
            sender=sender,
        )


def _is_valid(name: str, value: str) -> bool:
    if name == "From":
        return "@" in parseaddr(value)[1]
    if name == "Message-ID":
        return bool(_MESSAGE_ID.fullmatch(value))
    try:
        return parsedate_to_datetime(value) is not None
    except ValueError:
        return False


def _are_related(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def check_size(mail: ParsedMail) -> Iterator[MailFinding]:
    """13: measured in bytes of this email, with the addresses that count clicks if they are counted."""
    size = len(mail.source.html.encode())
    if mail.source.counts_clicks:
        size += measure_growth(mail.source.html, mail.source.base_url)
    values = {"size": f"{size:,}", "most": f"{MAX_HTML_BYTES:,}"}
    if size > MAX_HTML_BYTES:
        yield finding(
            "mail-too-large",
            gettext_noop(
                "the email has %(size)s bytes of HTML, more than the %(most)s that Gmail "
                "shows: it would hide the rest, including the unsubscribe link. Shorten stories, or move "
                "some to the next edition."
            )
            % values
            + _name_longest_story(mail),
            key="",
            weight=size,
        )
    elif size > WARN_HTML_BYTES:
        yield finding(
            "mail-large",
            gettext_noop(
                "the email has %(size)s bytes of HTML, close to the %(most)s that Gmail shows. "
                "It can be sent, but a longer text or translation might not fit."
            )
            % values
            + _name_longest_story(mail),
            key="",
            weight=size,
        )


def _name_longest_story(mail: ParsedMail) -> str:
    """Return a sentence about where to begin, if it is known where the stories are."""
    spans = mail.source.html_stories
    if len(spans) < 2:
        return ""
    sizes = {span.slug: len(mail.source.html[span.start : span.end].encode()) for span in spans}
    longest = max(sizes, key=lambda slug: sizes[slug])
    return " " + gettext_noop("The longest story is %(longest)s, with %(bytes)s of them.") % {
        "longest": longest,
        "bytes": f"{sizes[longest]:,}",
    }
