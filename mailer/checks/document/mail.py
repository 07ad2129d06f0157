"""The mail that is checked: everything a reader gets, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from editions.images.prepare import PreparedImage
from mailer.rendering.body.merge_tags import MergeTag
from mailer.rendering.themes.theme import Theme


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One distinct mail: an edition in one language, as one variant of readers gets it.

    ``html`` and ``text`` may still hold the holes of :mod:`mailer.rendering.body.merge_tags`; where the links to leave
    and to choose are filled, ``unsubscribe_url`` and ``preferences_url`` say with what. ``message`` is the
    whole message in bytes with CRLF, None where none was made; then its headers are not judged. ``images``
    are the pictures by the last part of their address. ``variant`` names it in messages. What begins with
    ``base_url`` is our own page: it may be on this machine while somebody tries the program out.
    ``words_language`` is that of the phrases around the content, empty where it is not known.
    """

    language: str
    direction: str
    html: str = field(repr=False)
    text: str = field(repr=False)
    subject: str
    preheader: str
    theme: Theme = field(repr=False)
    organisation: str
    postal_address: str
    base_url: str
    message: bytes | None = field(default=None, repr=False)
    images: Mapping[str, PreparedImage] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    variant: str = ""
    words_language: str = ""
    unsubscribe_url: str = MergeTag.unsubscribe_url.placeholder
    preferences_url: str = MergeTag.preferences_url.placeholder

    def is_own(self, url: str) -> bool:
        """Whether ``url`` is one of our own pages, or a hole that will hold one."""
        own = (*(hole.placeholder for hole in MergeTag), self.unsubscribe_url, self.preferences_url)
        return url in own or url == self.base_url or url.startswith(f"{self.base_url}/")
