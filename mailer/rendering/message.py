"""Builds one reader's message as bytes for SMTP, from pieces that were encoded once.

It does not use ``email.message``, which folds, encodes and checks the whole message for every reader and
takes several hundred times as long (3 to 10 ms, against some microseconds) to produce the same bytes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes, policy
from email.utils import format_datetime
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote

from locales.phrase import Phrase, gettext_noop
from mailer.errors import BuildError, ConfigurationError
from mailer.rendering.archive_urls import archive_url, verify_place, verify_url, version_query
from mailer.rendering.body.assembly import SOFT_BREAK, BodyTemplate, EncodedBody
from mailer.rendering.body.counted_links import LinkKey, replace_links
from mailer.rendering.body.fragments import LinkTag, MergeTag
from mailer.rendering.body.variants import Interests, Variant, choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.headers import (
    format_mailbox,
    format_phrase,
    format_text,
    plain_phrase,
    split_address,
    split_token_headers,
    write_campaign_fields,
    write_header,
)
from mailer.rendering.mail_merge import Reader, check_url, format_greeting
from mailer.settings import FeedbackSettings, SenderSettings, Settings
from subscribers.address import normalise_address
from subscribers.errors import AddressError

_MAX_VARIANTS = 128
"""Variants kept at a time, each some 1.3 times the size of its email: 16 MB for emails of 100 KB."""

_MAX_COUNTED = 64
"""Variants in base64 kept with the counted links of one country and sectors, each as large as a message."""

_MAX_INTERESTS = 4096
"""Sets of interests whose variant is cached; a few hundred bytes each."""

# In the order of the values that _encode_values makes.
_READER_TAGS: tuple[MergeTag | LinkTag, ...] = (
    *(MergeTag.greeting, MergeTag.verification_code, MergeTag.unsubscribe_url, MergeTag.preferences_url),
    LinkTag.click_url,
)
_NO_LINKS: Mapping[LinkKey, int] = MappingProxyType({})
# A link that needs no escaping in HTML and fits on a line of quoted-printable with its soft break.
_PLAIN_LINK = re.compile(r"(?=.{1,75}\Z)https?://[A-Za-z0-9.:/_~-]+")
# Characters that HTML escapes; text without them is the same in HTML and plain text.
_HTML_SPECIAL = frozenset("&<>\"'")
# The To header of a preview without a recipient (RFC 5322, appendix A.1.3).
_NO_RECIPIENT = "undisclosed-recipients:;"


class _SharedParts:
    """What all messages of an edition in one language share: its two parts, encoded, the headers around those
    of a reader, and the bytes before each part and at the end."""

    def __init__(self, mail: CompiledEdition, html: EncodedBody, settings: Settings, label: str) -> None:
        sender, own_address = settings.sender, sender_address(settings.sender.address)
        text = mail.text_body
        self.text, self.html = text, html
        self.are_quoted_printable = text.encoding == html.encoding == "quoted-printable"
        # "=_" occurs neither in quoted-printable nor in base64, so no body can contain the boundary.
        boundary = f"=_{mail.digest[:32]}"
        self.before_text = f"\r\n--{boundary}\r\n{_write_part_headers('plain', text)}".encode()
        self.before_html = f"\r\n--{boundary}\r\n{_write_part_headers('html', html)}".encode()
        self.end = f"\r\n--{boundary}--\r\n".encode()
        self.before_to = write_header("From", format_mailbox(mail.sender_name, own_address))
        self.before_date = _write_headers(
            [
                ("Reply-To", sender_address(sender.reply_to) if sender.reply_to else ""),
                ("Subject", format_text(f"{label} {mail.subject}" if label else mail.subject)),
            ]
        )
        # Follows the campaign in Feedback-ID.
        self.after_campaign = write_campaign_fields(mail.slug, mail.language, own_address.rpartition("@")[2])
        self.before_unsubscribe = write_header("MIME-Version", "1.0")
        self.after_unsubscribe = _write_headers(
            [
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
                ("List-Id", f"<{_list_id(settings)}>"),
                ("List-Post", "NO"),
                ("Precedence", "bulk"),
                # Asks Exchange for no out-of-office replies, unless they are read for who follows a reader.
                # Auto-Submitted is for automatic replies (RFC 3834).
                ("X-Auto-Response-Suppress", "" if settings.feedback.successors else "OOF, AutoReply"),
                ("Content-Language", mail.language),
                ("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
            ]
        )


@dataclass(frozen=True, kw_only=True)
class _MessageTemplate:
    """The message of one variant, without what differs between its readers."""

    mail: CompiledEdition
    shared: _SharedParts
    text: BodyTemplate
    html: BodyTemplate


class MessageBuilder:
    def __init__(
        self,
        mails: Sequence[CompiledEdition],
        settings: Settings,
        *,
        links: Mapping[LinkKey, int] = _NO_LINKS,
    ) -> None:
        self._mails = {mail.language: mail for mail in mails}
        self._settings = settings
        self._labels = settings.subject_labels
        self._leave_address = _write_leave_address(settings.feedback)
        self._token_headers = split_token_headers(settings.feedback)
        self._counts_clicks = bool(links)
        try:
            self._shared_parts = {
                (mail.language, label): _SharedParts(mail, html, settings, label)
                for mail in mails
                # Replacing addresses can change which encoding is the smaller one.
                for html in (
                    EncodedBody(replace_links(mail.html_parts, links), markup=True)
                    if links
                    else mail.html_body,
                )
                for label in {"", *self._labels.values()}
            }
        except (ValueError, UnicodeError) as error:
            words = gettext_noop("no message can be built from this edition: %(error)s.")
            raise BuildError(words, error=error) from error
        # Bounded, and a single call into C for each reader.
        self._get_variant = lru_cache(_MAX_INTERESTS)(self.choose_variant)
        self._get_template = lru_cache(_MAX_VARIANTS)(self._make_template)
        self._get_counted_template = lru_cache(_MAX_COUNTED)(self._make_counted_template)

    def choose_variant(self, language: str, interests: Interests, named: bool = True) -> Variant:
        mail = self._mails[choose_language(language, tuple(self._mails))]
        return mail.variant_for(interests, named=named)

    def build(self, reader: Reader, *, now: datetime) -> bytes:
        """Return the message for ``reader``: multipart/alternative, CRLF throughout, body lines of at most 76
        characters. The same arguments give the same bytes. Raise BuildError, with the reason, if none can be
        built."""
        links = [reader.unsubscribe_url, reader.preferences_url]
        if self._counts_clicks:
            links.append(_require_click_url(reader))
        are_plain = _check_links(links, reader)
        name = plain_phrase(reader.name)
        variant = self._get_variant(reader.language, reader.interests, bool(name))
        form = self._get_template(variant)
        # In base64, each value shifts what follows it, and sixty links took 30 times as long as none. Many
        # readers have the same links, so they are joined once for all of them.
        if self._counts_clicks and not form.shared.are_quoted_printable:
            form = self._get_counted_template(variant, links[2])
        frame, mail = form.shared, form.mail
        if label := self._labels.get(reader.country):
            frame = self._shared_parts[mail.language, label]
        try:
            head = self._write_head(frame, reader, links[0], name, now)
            greeting, code = format_greeting(mail, name), reader.verification_code
            text, html = _encode_values(frame, greeting, (code, *links), are_plain=are_plain)
            return b"".join(
                (
                    head,
                    frame.before_text,
                    *form.text.fill(text),
                    frame.before_html,
                    *form.html.fill(html),
                    frame.end,
                )
            )
        except (ValueError, UnicodeError) as error:
            raise BuildError(f"{reader.email}: the message cannot be built: {error}.") from error

    def _write_head(
        self, shared: _SharedParts, reader: Reader, unsubscribe_url: str, name: str, now: datetime
    ) -> bytes:
        to = format_phrase(name, reader.envelope) if reader.envelope else _NO_RECIPIENT
        # RFC 8058: exactly one https URI, for the POST request, and first, since some programs read no
        # further. The address beside it says all by itself: Apple Mail leaves out its subject.
        leave = reader.leave_token.join(self._leave_address) if reader.leave_token else ""
        token = reader.bounce_token.join(self._token_headers) if reader.bounce_token else ""
        return (
            f"{shared.before_to}To: {to}\r\n{shared.before_date}Date: {_format_date(now)}\r\n"
            f"Message-ID: {reader.message_id}\r\n{token}"
            f"Feedback-ID: c{reader.campaign_id}{shared.after_campaign}\r\n"
            f"{shared.before_unsubscribe}List-Unsubscribe: <{unsubscribe_url}>{leave}\r\n"
            f"{shared.after_unsubscribe}"
        ).encode()

    def _make_template(self, variant: Variant) -> _MessageTemplate:
        mail, shared = self._mails[variant.language], self._shared_parts[variant.language, ""]
        selection = mail.select(variant)
        base_url = self._settings.web.base_url
        fixed = {
            MergeTag.archive_url: archive_url(base_url, mail.slug, mail.language, mail.digest),
            MergeTag.verify_url: verify_url(base_url),
            MergeTag.verify_place: verify_place(base_url),
            MergeTag.version: version_query(mail.digest),
        }
        return _MessageTemplate(
            mail=mail,
            shared=shared,
            text=shared.text.make_template(selection, fixed, _READER_TAGS),
            html=shared.html.make_template(selection, fixed, _READER_TAGS),
        )

    def _make_counted_template(self, variant: Variant, click_url: str) -> _MessageTemplate:
        form = self._get_template(variant)
        value = form.shared.html.encode_value(click_url)
        return replace(form, html=form.html.fix(_READER_TAGS.index(LinkTag.click_url), value))


def build_message(compiled: CompiledEdition, reader: Reader, settings: Settings, *, now: datetime) -> bytes:
    """Return the whole message for one ``reader``; for many readers, keep a :class:`MessageBuilder`. Raise
    BuildError as that does, and ConfigurationError if the sender's own address or list id cannot be used."""
    return MessageBuilder([compiled], settings).build(reader, now=now)


def _require_click_url(reader: Reader) -> str:
    if not reader.click_token:
        raise BuildError(f"{reader.email or 'a reader'}: clicks are counted, but there is no token for it.")
    return reader.click_url


def _check_links(links: Sequence[str], reader: Reader) -> bool:
    """Return whether the links are so plain that HTML and quoted-printable leave them unchanged."""
    # The second differs from the first in one letter of the path, so one test is enough for both.
    if all(map(_PLAIN_LINK.fullmatch, links[::2])):
        return True
    for link, tag in zip(links, _READER_TAGS[2:], strict=False):
        check_url(link, tag, reader)
    return False


def _encode_values(
    shared: _SharedParts, greeting: str, plain: Sequence[str], *, are_plain: bool
) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return the values in the order of ``_READER_TAGS``, for the text part and for the HTML part. ``plain``
    are the code, which has letters, digits and hyphens, and the links."""
    if not (are_plain and shared.are_quoted_printable):
        values = (greeting, *plain)
        write_text, write_html = shared.text.encode_value, shared.html.encode_value
        return tuple(map(write_text, values)), tuple(map(write_html, values))
    encoded = [value.encode() + SOFT_BREAK for value in plain]
    in_text = shared.text.encode_value(greeting)
    in_html = in_text if _HTML_SPECIAL.isdisjoint(greeting) else shared.html.encode_value(greeting)
    return (in_text, *encoded), (in_html, *encoded)


@lru_cache(maxsize=4)
def _format_date(now: datetime) -> str:
    return format_datetime(now)


def _write_leave_address(feedback: FeedbackSettings) -> tuple[str, str]:
    """Return what is around the token of the address that unsubscribes, beside the https page."""
    before, after = split_address(feedback.leave_address, feedback.delimiter)
    # RFC 6068, section 2: an equals sign in the address is escaped, a plus sign is not.
    return f", <mailto:{quote(before, safe='+')}", f"{after}>"


def _write_headers(headers: Sequence[tuple[str, str]]) -> str:
    return "".join(write_header(name, value) for name, value in headers if value)


def _write_part_headers(subtype: str, body: EncodedBody) -> str:
    kind, encoding = f'text/{subtype}; charset="utf-8"', body.encoding
    return _write_headers([("Content-Type", kind), ("Content-Transfer-Encoding", encoding)]) + "\r\n"


@lru_cache(maxsize=8)
def sender_address(address: str) -> str:
    """Return one of our own addresses as used in headers, with its domain in ASCII. Raise ConfigurationError
    if it is not a valid address, or its local part is not ASCII, which many servers reject."""
    try:
        normalised = normalise_address(address)
    except AddressError as error:
        raise ConfigurationError(f"[sender] {address}: {error}") from error
    if normalised.needs_smtputf8:
        raise ConfigurationError(
            Phrase(
                "[sender] %(address)s: use only ASCII characters before the @; many servers reject other "
                "addresses.",
                address=address,
            )
        )
    return normalised.envelope


def envelope_sender(sender: SenderSettings) -> str:
    """Return the address to which a message without a token bounces, as SMTP takes it: with its domain in
    ASCII, so that any relay accepts it. Raise ConfigurationError as :func:`sender_address` does."""
    return sender_address(sender.bounces_to or sender.address)


def _list_id(settings: Settings) -> str:
    """Return the list's name for RFC 2919: constant, like a domain name, without encoded words."""
    domain = sender_address(settings.sender.address).rpartition("@")[2]
    label = settings.sender.list_id or f"newsletter.{domain}"
    if not label.isascii() or any(character in label for character in "<> \t\r\n") or "." not in label:
        words = gettext_noop("[sender] list_id: %(label)s must look like newsletter.example.org.")
        raise ConfigurationError(Phrase(words, label=repr(label)))
    return label


def names_survive_folding() -> bool:
    """Return whether a display name like an address is still read as a name by other programs."""
    to = write_header("To", format_mailbox("evil@example.com, " + "x" * 80, "reader@example.org"))
    addresses = message_from_bytes(to.encode(), policy=policy.default)["To"].addresses
    return [address.addr_spec for address in addresses] == ["reader@example.org"]
