"""Whom a message is for, and what is filled in for each reader."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from html import escape
from typing import Final, NamedTuple, Protocol

from mailer.errors import BuildError
from mailer.rendering.archive_urls import archive_url, verify_place, verify_url, version_query
from mailer.rendering.body.fragments import TAG_PATTERN, LinkTag, MergeTag, TagContext
from mailer.rendering.body.variants import NO_INTERESTS, Interests, Variant
from mailer.rendering.compiled_edition import CompiledEdition, MailTexts
from mailer.rendering.headers import plain_phrase
from mailer.settings import Settings
from subscribers.tokens import LinkPurpose, TokenSigner

_MESSAGE_ID_DIGITS = 12


PREVIEW_CODE: Final = "0000-0000-0000-0000"
"""The code of a mail that was not sent to anybody."""
# Visible ASCII characters allowed in a URL, and no more of them than fit in a header line.
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,900}")


class SubscriberLike(Protocol):
    """The attributes needed of a subscriber: the columns of ``Subscriber``, from any source."""

    @property
    def id(self) -> int | None: ...
    @property
    def email(self) -> str: ...
    @property
    def envelope(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def country(self) -> str | None: ...
    @property
    def language(self) -> str | None: ...


class Reader(NamedTuple):
    """A reader of one campaign. ``envelope`` is the address as SMTP and headers use it, with the domain in
    ASCII; ``token`` signs their links below ``base_url`` and is empty for the anonymous reader;
    ``interests`` are what the reader follows, which determines their variant; ``country`` is where they
    are, "" if unknown, which determines a label before the subject. ``bounce_token`` tells whose message came
    back, and ``leave_token`` is in the address that unsubscribes them; "" for none. ``click_token`` is in the
    links whose clicks are counted, and names nobody who has not agreed to it; "" if none are counted.
    ``verification_code`` says that a message is from us, and nothing of its reader."""

    subscriber_id: int
    campaign_id: int
    email: str
    envelope: str
    name: str
    language: str
    base_url: str
    token: str
    message_id: str
    interests: Interests = NO_INTERESTS
    country: str = ""
    bounce_token: str = ""
    leave_token: str = ""
    click_token: str = ""
    verification_code: str = PREVIEW_CODE

    @property
    def needs_smtputf8(self) -> bool:
        return not self.envelope.isascii()

    @property
    def unsubscribe_url(self) -> str:
        return f"{self.base_url}/u/{self.token}" if self.token else f"{self.base_url}/"

    @property
    def preferences_url(self) -> str:
        return f"{self.base_url}/p/{self.token}" if self.token else f"{self.base_url}/"

    @property
    def click_url(self) -> str:
        """What comes before the number of a link in its address, if clicks are counted."""
        return f"{self.base_url}/c/{self.click_token}"

    def archive_url(self, edition: str, language: str, digest: str = "") -> str:
        return archive_url(self.base_url, edition, language, digest)


def reader_for(
    subscriber: SubscriberLike,
    campaign_id: int,
    settings: Settings,
    signer: TokenSigner,
    *,
    sectors: Iterable[str] = (),
    countries: Iterable[str] = (),
    bounce_token: str = "",
    click_token: str = "",
) -> Reader:
    """Return the reader for ``subscriber``, who follows ``sectors`` and ``countries`` besides their own, in a
    campaign (0 for a preview). ``bounce_token`` is signed here unless the caller has done so; ``click_token``
    is given if the campaign counts clicks. Raise BuildError if the subscriber has not been saved."""
    if subscriber.id is None:
        raise BuildError(
            f"{subscriber.email}: the subscriber has not been saved yet, so no link can be made."
        )
    ids = {"subscriber_id": subscriber.id, "campaign_id": campaign_id}
    return Reader(
        subscriber.id,
        campaign_id,
        subscriber.email,
        subscriber.envelope,
        subscriber.name,
        subscriber.language or "",
        settings.web.base_url,
        signer.sign(LinkPurpose.subscription, **ids),
        message_id(campaign_id, subscriber.id, settings.sender.domain, signer),
        interests_of(subscriber.country, sectors, countries),
        subscriber.country or "",
        bounce_token or signer.sign_mail(LinkPurpose.bounce, **ids),
        signer.sign_mail(LinkPurpose.leave, **ids) if settings.feedback.leave_address else "",
        click_token,
        signer.sign_code(**ids) if campaign_id else PREVIEW_CODE,
    )


def interests_of(country: str | None, sectors: Iterable[str], countries: Iterable[str] = ()) -> Interests:
    """Return the interests of a subscriber in ``country`` who follows ``sectors``, and also ``countries``."""
    return _interests_of(country, frozenset(sectors), frozenset(countries))


# Few interests and many readers: comparing an object with itself is fast.
@lru_cache(maxsize=4096)
def _interests_of(country: str | None, sectors: frozenset[str], countries: frozenset[str]) -> Interests:
    return Interests(sectors=sectors, countries=countries | {country} if country else countries)


def anonymous_reader(settings: Settings) -> Reader:
    """Return the reader for the archive and previews without a subscriber: no name, no personal links."""
    return Reader(
        subscriber_id=0,
        campaign_id=0,
        email="",
        envelope="",
        name="",
        language="",
        base_url=settings.web.base_url,
        token="",
        message_id=f"<c0.s0@{_ascii_domain(settings.sender.domain)}>",
    )


def message_id(campaign_id: int, subscriber_id: int, domain: str, signer: TokenSigner) -> str:
    """Return the Message-ID of a campaign's message to a subscriber: always the same, so that duplicates can
    be recognised. Its twelve hex digits prevent forgery. They are derived from the oldest key, because a
    retry after a key rotation must have the id of the first attempt."""
    message = f"message-id\0{campaign_id}\0{subscriber_id}\0{domain}".encode()
    message += signer.find_salt(subscriber_id, campaign_id)
    digits = signer.permanent_digest(message).hex()[:_MESSAGE_ID_DIGITS]
    return f"<c{campaign_id}.s{subscriber_id}.{digits}@{_ascii_domain(domain)}>"


def _ascii_domain(domain: str) -> str:
    return domain if domain.isascii() else domain.encode("idna").decode("ascii")


def personalise(compiled: CompiledEdition, reader: Reader, variant: Variant | None = None) -> MailTexts:
    """Return the email of ``reader``: the variant for their interests (or ``variant``), with its merge tags
    filled in. Raise BuildError if a link is not a valid URL."""
    values = merge_values(compiled, reader)
    if variant is None:
        variant = compiled.variant_for(reader.interests, named=bool(values[MergeTag.greeting]))
    mail = compiled.assemble(variant)
    return MailTexts(
        html=fill_merge_tags(mail.html, values, escape), text=fill_merge_tags(mail.text, values, str)
    )


def merge_values(compiled: CompiledEdition, reader: Reader) -> Mapping[MergeTag, str]:
    """Return the value of each merge tag for ``reader``; the greeting is empty if the name is not known.
    Raise BuildError if a link is not a valid URL."""
    values = {
        MergeTag.greeting: format_greeting(compiled, plain_phrase(reader.name)),
        MergeTag.unsubscribe_url: reader.unsubscribe_url,
        MergeTag.preferences_url: reader.preferences_url,
        MergeTag.verification_code: reader.verification_code,
        MergeTag.verify_url: verify_url(reader.base_url),
        MergeTag.verify_place: verify_place(reader.base_url),
        MergeTag.archive_url: reader.archive_url(compiled.slug, compiled.language, compiled.digest),
        MergeTag.version: version_query(compiled.digest),
    }
    for tag, value in values.items():
        if tag.context is TagContext.url:
            check_url(value, tag, reader)
    return values


def format_greeting(compiled: CompiledEdition, name: str) -> str:
    """Return the greeting for ``name`` (a plain phrase); empty without one."""
    return compiled.greeting.replace("{name}", name) if name else ""


def check_url(value: str, tag: MergeTag | LinkTag, reader: Reader) -> None:
    """Raise BuildError, with the link and the reader, if a value is not a URL."""
    if not _URL.fullmatch(value):
        raise BuildError(f"{reader.email or 'a reader'}: {tag} is not a valid URL: {value!r}.")


def fill_merge_tags(template: str, values: Mapping[MergeTag, str], written: Callable[[str], str]) -> str:
    """Return ``template`` with its merge tags filled in, in one pass: a name like a tag stays a name."""
    return TAG_PATTERN.sub(lambda match: written(values[MergeTag(match[1])]), template)
