"""One reader as the mail knows them: where it goes, how they are greeted, their own links."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import quote

from mailer.errors import BuildError
from mailer.rendering.body.variants import NO_INTERESTS, Interests
from mailer.settings import Settings
from subscribers.tokens import LinkPurpose, TokenSigner

_MESSAGE_ID_DIGITS = 12
DIGEST_DIGITS = 16
"""Digits of a content's digest in the address of an edition: 64 bits, which nobody tries out."""


class SubscriberLike(Protocol):
    """What is asked of a subscriber: the columns of ``Subscriber``, wherever they were read."""

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
    """A reader of one campaign. ``envelope`` is the address as SMTP and headers take it, domain in ASCII;
    ``token`` is that of their links below ``base_url``, empty for nobody; ``interests`` are what the reader
    follows, which decides about their variant; ``country`` is where they are, "" if unknown, which decides
    about a label before the subject."""

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

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the server must offer SMTPUTF8 (RFC 6531): only for a local part that is not ASCII."""
        return not self.envelope.isascii()

    @property
    def unsubscribe_url(self) -> str:
        """Where this reader leaves."""
        return f"{self.base_url}/u/{self.token}" if self.token else f"{self.base_url}/"

    @property
    def preferences_url(self) -> str:
        """Where this reader chooses what to get."""
        return f"{self.base_url}/p/{self.token}" if self.token else f"{self.base_url}/"

    def archive_url(self, edition: str, language: str, digest: str = "") -> str:
        """An edition in the browser."""
        return archive_url(self.base_url, edition, language, digest)


def reader_for(
    subscriber: SubscriberLike,
    campaign_id: int,
    settings: Settings,
    signer: TokenSigner,
    *,
    sectors: Iterable[str] = (),
    countries: Iterable[str] = (),
) -> Reader:
    """The reader ``subscriber``, who follows ``sectors``, is in a campaign (0 for a preview).

    ``countries`` are those they follow besides their own.

    Raises:
        BuildError: the subscriber has not been saved, and so has no number to sign.
    """
    if subscriber.id is None:
        raise BuildError(f"{subscriber.email}: not saved yet, so no link can be made for them.")
    return Reader(
        subscriber.id,
        campaign_id,
        subscriber.email,
        subscriber.envelope,
        subscriber.name,
        subscriber.language or "",
        settings.web.base_url,
        signer.sign(LinkPurpose.subscription, subscriber_id=subscriber.id, campaign_id=campaign_id),
        message_id(campaign_id, subscriber.id, settings.sender.domain, signer),
        interests_of(subscriber.country, sectors, countries),
        subscriber.country or "",
    )


def archive_url(base_url: str, edition: str, language: str, digest: str = "") -> str:
    """An edition in the browser, below ``base_url``.

    With the ``digest`` of its content it is the address that the mail itself gives. That opens the edition
    for whoever has the mail, also where it is in no archive: nobody can guess it without the content.
    """
    path = f"{base_url}/e/{quote(edition, safe='')}/{quote(language, safe='')}"
    return f"{path}?v={digest[:DIGEST_DIGITS]}" if digest else path


def interests_of(country: str | None, sectors: Iterable[str], countries: Iterable[str] = ()) -> Interests:
    """What a subscriber of ``country`` cares for who follows ``sectors``, and ``countries`` besides."""
    return _interests_of(country, frozenset(sectors), frozenset(countries))


# Few interests and many readers: the same object again is quickly found to be equal.
@lru_cache(maxsize=4096)
def _interests_of(country: str | None, sectors: frozenset[str], countries: frozenset[str]) -> Interests:
    return Interests(sectors=sectors, countries=countries | {country} if country else countries)


def anonymous_reader(settings: Settings) -> Reader:
    """The reader of the archive and of previews without one: no name, links to nobody's choices."""
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
    """The Message-ID of a campaign's mail to a subscriber: always the same, so that a duplicate shows.

    The twelve digits keep others from making one up. They come from the oldest key, because a retry after the
    keys were renewed must have the id of the first try.
    """
    message = f"message-id\0{campaign_id}\0{subscriber_id}\0{domain}".encode()
    digits = signer.permanent_digest(message).hex()[:_MESSAGE_ID_DIGITS]
    return f"<c{campaign_id}.s{subscriber_id}.{digits}@{_ascii_domain(domain)}>"


def _ascii_domain(domain: str) -> str:
    return domain if domain.isascii() else domain.encode("idna").decode("ascii")
