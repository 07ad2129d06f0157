"""A mail that somebody shows us: what is in it, our marks on it, and the keys of our signatures.

It is one mail, or one with others in it; nothing here fails, whatever the bytes are. A mail that was passed
on as an attachment is whole inside the other, of one passed on in the text only its words and links are left.
Each mark is signed, so finding one proves that we wrote it. It is not proved that the rest is ours, too.
"""

import hmac
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from quopri import decodestring

from sqlmodel import Session

from mailer.dispatch.sending_settings import load_signer
from mailer.dns import make_resolver
from mailer.errors import ConfigurationError
from mailer.feedback.mime_headers import decode_bytes, decode_words, read_mailbox
from mailer.feedback.mime_part import MimePart, parse_message
from mailer.keys import Keys
from mailer.rendering.mail_merge import PREVIEW_CODE, message_id
from mailer.rendering.message import sender_address
from mailer.selfservice.subscription import verify_campaign
from mailer.settings import Settings
from mailer.smtp.dkim_verifier import KeyFinder, KeyLookupError, is_aligned
from mailer.verification.answer import Obstacle
from mailer.verification.content_comparison import Token, read_html_tokens, read_text_tokens
from subscribers.errors import RetiredKeyError, TokenError
from subscribers.tokens import LinkPurpose, TokenPayload, TokenSigner

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TNEF_MAGIC = b"\x78\x9f\x3e\x22"
_TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_ENCRYPTED_TYPES = frozenset(
    {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"}
)
_ENCLOSED_TYPES = ("message/rfc822", "message/global", "text/rfc822")
# What belongs to a mail's text, or is added by programs on the way, is no attachment.
_HARMLESS_TYPES = ("text/plain", "text/html", "multipart/", "message/", "image/", "text/rfc822")
_SIGNATURE_TYPES = frozenset({"application/pkcs7-signature", "application/pgp-signature"})
_FIELD = re.compile(rb"^[A-Za-z][!-9;-~]{1,70}[ \t]*:", re.MULTILINE)
_BASE64_NOISE = re.compile(rb"[^A-Za-z0-9+/]")
_MAX_MAILS = 12
_MAX_DEPTH = 4
MAX_PART_BYTES = 512 * 1024
"""Of one part, decoded. An edition has 100 kB; what a program makes of it when it is passed on, several times
as many."""
_MAX_LOOKUPS = 4
"""So many names are asked for one mail. A genuine one has one or two signatures of ours."""
_CODE = re.compile(r"(?<![0-9A-Za-z-])[0-9A-Za-z]{4}(?:[-\u2010-\u2015][0-9A-Za-z]{4}){3}(?![0-9A-Za-z-])")
_MAIL_TOKEN = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{50}(?![0-9A-Za-z])")
_LINK_TOKEN = re.compile(r"/[up]/([\w-]{39})(?![\w-])", re.ASCII)
_MESSAGE_ID = re.compile(r"<c(\d{1,10})\.s(\d{1,10})\.([0-9a-f]{12})@([A-Za-z0-9.-]{1,255})>")
_TOKEN_FIELDS = ("x-feedback-token", "cfbl-feedback-id", "list-unsubscribe")
_MAX_OF_EACH = 40
"""How many things that look like a mark are tried."""
Reading = Callable[[], TokenPayload]
"""Verifies one mark, or raises TokenError."""


@dataclass(frozen=True, eq=False)
class SubmittedMail:
    """One mail: its ``part``, its bytes, and whether it stood inside another one."""

    part: MimePart
    source: bytes
    is_enclosed: bool = False

    @cached_property
    def tokens(self) -> tuple[tuple[Token, ...], ...]:
        """The words and links of each text part, in order."""
        return tuple(
            tuple((read_html_tokens if part.content_type == "text/html" else read_text_tokens)(text))
            for part, text in self._list_texts()
        )

    @cached_property
    def searchable_text(self) -> str:
        """Everything that the text parts say, with markup, for the search of marks."""
        return "\n".join(text for _, text in self._list_texts())

    @cached_property
    def is_too_long(self) -> bool:
        """Whether a text part is longer than what is read of it."""
        return any(len(decode_part(part)) > MAX_PART_BYTES for part in self.part.all_parts if part.is_text)

    @property
    def sender(self) -> str:
        """The address in From, in small letters. With several From headers or addresses, "" is returned."""
        values = self.part.headers.all("from")
        if len(values) != 1 or (values[0].count("@") > 1 and "," in values[0]):
            return ""
        return read_mailbox(values[0]).lower()

    @property
    def sender_text(self) -> str:
        """Every From header as it is shown."""
        return ", ".join(self.part.headers.all("from"))

    @property
    def reply_addresses(self) -> tuple[str, ...]:
        return tuple(read_mailbox(value).lower() for value in self.part.headers.all("reply-to"))

    @property
    def subject(self) -> str:
        return " ".join(decode_words(self.part.headers.raw("subject")).split())

    @property
    def has_attachments(self) -> bool:
        """Whether it has a part that is neither text, a picture nor another mail."""
        return any(
            not part.content_type.startswith(_HARMLESS_TYPES) and part.content_type not in _SIGNATURE_TYPES
            for part in self.part.all_parts
        )

    @property
    def obstacle(self) -> Obstacle | None:
        """Why it cannot be read, if so."""
        kinds = {part.content_type for part in self.part.all_parts}
        if kinds & _ENCRYPTED_TYPES:
            return Obstacle.encrypted
        if kinds & _TNEF_TYPES and not any(self.tokens):
            return Obstacle.winmail
        return None

    def _list_texts(self) -> Iterator[tuple[MimePart, str]]:
        for part in self.part.all_parts:
            if part.is_text:
                content = decode_part(part)[:MAX_PART_BYTES]
                yield part, decode_bytes(content, part.parameters.get("charset", ""))


def read_submission(source: bytes) -> tuple[SubmittedMail, ...] | Obstacle:
    """Return the mails in ``source``, the outer one first; or why there are none."""
    if source.startswith(_OLE_MAGIC):
        return Obstacle.outlook_file
    if source.startswith(_TNEF_MAGIC):
        return Obstacle.winmail
    if len(_FIELD.findall(source[:20_000])) < 2:
        return Obstacle.no_mail
    return tuple(_list_mails(source))


def _list_mails(source: bytes) -> Iterator[SubmittedMail]:
    waiting = [(source, 0)]
    budget = _MAX_MAILS
    while waiting and budget:
        raw, depth = waiting.pop(0)
        budget -= 1
        part = parse_message(raw)
        yield SubmittedMail(part, raw, is_enclosed=depth > 0)
        if depth < _MAX_DEPTH:
            waiting += [(decode_part(inner), depth + 1) for inner in part.all_parts if _is_mail(inner)]


def _is_mail(part: MimePart) -> bool:
    """Return whether a part is another mail. Some programs send one as a file of no particular kind."""
    if part.content_type.startswith(_ENCLOSED_TYPES):
        return True
    name = part.parameters.get("name", "") + part.headers.get("content-disposition")
    return part.content_type.startswith("application/") and ".eml" in name.lower()


def decode_part(part: MimePart) -> bytes:
    """Return the whole content of a part, undone of its transfer encoding."""
    encoding = part.headers.raw("content-transfer-encoding").strip().strip("\"'").lower()
    if encoding == "base64":
        letters = _BASE64_NOISE.sub(b"", part.body)
        whole = len(letters) // 4 * 4
        rest = letters[whole:]
        # The last group may be incomplete, and one letter is none.
        return b64decode(letters[:whole] + (rest.ljust(4, b"=") if len(rest) >= 2 else b""))
    if encoding == "quoted-printable":
        return decodestring(part.body)
    return part.body


def make_key_finder(settings: Settings, root: Path) -> KeyFinder:
    """Make a key finder for one mail, which asks the DNS for what is not in our own key files."""
    own = _read_own_keys(settings, root)
    budget = [_MAX_LOOKUPS]

    def find(name: str) -> str | None:
        if name in own:
            return own[name]
        budget[0] -= 1
        if budget[0] < 0:
            raise KeyLookupError
        return look_up_key(settings, name)

    return find


def make_domain_filter(settings: Settings) -> Callable[[str], bool]:
    """Return a test of whether a signature by a domain can be ours. No other domain's DNS is asked."""
    ours = {read_own_address(settings).rpartition("@")[2], settings.dkim.domain} - {""}
    return lambda domain: any(is_aligned(domain, one) for one in ours)


def read_own_address(settings: Settings) -> str:
    """Return the sender's address as it stands in our mails: with its domain in ASCII, in small letters."""
    try:
        return sender_address(settings.sender.address).lower()
    except ConfigurationError:
        # Nothing can be sent from it, so nothing is compared with it that counts.
        return settings.sender.address.lower()


def look_up_key(settings: Settings, name: str) -> str | None:
    """Ask the DNS for a key; None if there is none. Raise KeyLookupError if there was no answer."""
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer

    try:
        answer = make_resolver(settings.dns).resolve(name, "TXT")
    except (NXDOMAIN, NoAnswer):
        return None
    except (DNSException, ValueError) as error:
        raise KeyLookupError from error
    texts = (b"".join(record.strings).decode("latin-1") for record in answer)
    return next((text for text in texts if "p=" in text), None)


def _read_own_keys(settings: Settings, root: Path) -> dict[str, str]:
    try:
        signer = load_signer(settings, root)
    except ConfigurationError:
        # The doctor says what is wrong with the key. The DNS has its public half all the same.
        return {}
    return {record.name: record.text for record in signer.records} if signer else {}


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The campaigns that the marks of a mail name, most named first.

    ``are_in_headers`` if one of them stands where programs write, not people: whoever answers one of our
    mails quotes the others. ``is_preview`` if it has the code of a mail that was not sent.
    """

    campaign_ids: tuple[int, ...] = ()
    are_in_headers: bool = False
    is_test: bool = False
    is_preview: bool = False
    is_retired: bool = False

    def __bool__(self) -> bool:
        return bool(self.campaign_ids) or self.is_test


def find_marks(session: Session, keys: Keys, part: MimePart, text: str) -> Marks:
    """Find our marks in the headers of ``part`` and in ``text``, which is everything that it says."""
    signer = keys.tokens.newest()
    found: dict[int, int] = {}
    is_retired = are_in_headers = False
    of_headers = [(read, True) for read in _list_header_readings(signer, part)]
    for read, is_header in (*of_headers, *((read, False) for read in _list_text_readings(signer, text))):
        try:
            payload = read()
            verify_campaign(session, payload)
        except RetiredKeyError:
            is_retired = True
        except TokenError:
            continue
        else:
            found[payload.campaign_id] = found.get(payload.campaign_id, 0) + 1
            are_in_headers = are_in_headers or is_header
    # A test's links and code belong to no campaign.
    is_test = found.pop(0, 0) > 0 or any(
        _is_test(signer, token) for token in _list_distinct(_LINK_TOKEN.findall(text))
    )
    return Marks(
        campaign_ids=tuple(sorted(found, key=lambda number: -found[number])),
        are_in_headers=are_in_headers,
        is_test=is_test,
        is_preview=PREVIEW_CODE in text,
        is_retired=is_retired,
    )


def _list_header_readings(signer: TokenSigner, part: MimePart) -> Iterator[Reading]:
    fields = " ".join(part.headers.raw(name) for name in _TOKEN_FIELDS)
    for token in _list_distinct(_MAIL_TOKEN.findall(fields)):
        for purpose in (LinkPurpose.bounce, LinkPurpose.leave):
            yield partial(signer.read_mail, token, purpose)
    for token in _list_distinct(_LINK_TOKEN.findall(fields)):
        yield partial(signer.read, token, LinkPurpose.subscription)
    if match := _MESSAGE_ID.search(part.headers.raw("message-id")):
        yield partial(_read_message_id, signer, match)


def _list_text_readings(signer: TokenSigner, text: str) -> Iterator[Reading]:
    for code in _list_distinct(_CODE.findall(text)):
        yield partial(signer.read_code, code)
    for token in _list_distinct(_LINK_TOKEN.findall(text)):
        yield partial(signer.read, token, LinkPurpose.subscription)


def _list_distinct(found: Iterable[str]) -> Iterator[str]:
    return islice(dict.fromkeys(found), _MAX_OF_EACH)


def _read_message_id(signer: TokenSigner, match: re.Match[str]) -> TokenPayload:
    """Verify a Message-ID by making it again. It is made with the oldest key."""
    if min(signer.keys) in signer.retired:
        raise RetiredKeyError
    campaign_id, subscriber_id = int(match[1]), int(match[2])
    ours = message_id(campaign_id, subscriber_id, match[4], signer)
    if not hmac.compare_digest(ours.encode(), match[0].encode()):
        raise TokenError
    return TokenPayload(subscriber_id=subscriber_id, campaign_id=campaign_id)


def _is_test(signer: TokenSigner, token: str) -> bool:
    try:
        return signer.is_test(token)
    except TokenError:
        return False
