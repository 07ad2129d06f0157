"""The email to be checked: everything that a reader receives, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from editions.images.prepare import PreparedImage
from mailer.rendering.body.assembly import StorySpan
from mailer.rendering.body.merge_tags import MergeTag
from mailer.rendering.themes.theme import Theme


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One distinct email: an edition in one language, as one variant of readers receives it.

    ``html`` and ``text`` may still contain placeholders of :mod:`mailer.rendering.body.merge_tags`; if the
    personal links are filled in, ``unsubscribe_url`` and ``preferences_url`` have their values. ``message``
    is the whole message in bytes with CRLF, or None if none was built; then its headers are not checked.
    ``images`` are the pictures, by the last part of their address. ``variant`` names the variant in messages.
    Addresses that start with ``base_url`` are our own pages: they may be on this machine while the program is
    being tried out. ``words_language`` is the language of the fixed phrases, empty if unknown.
    ``html_stories`` and ``text_stories`` say where the stories are, if that is known. ``written`` is the
    template code that authors wrote, which nothing processes, as
    :func:`~mailer.checks.rules.unprocessed_markup.find_written_code` finds it.
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
    written: frozenset[str] = frozenset()
    html_stories: tuple[StorySpan, ...] = field(default=(), repr=False)
    text_stories: tuple[StorySpan, ...] = field(default=(), repr=False)
    counts_clicks: bool = False
    unsubscribe_url: str = MergeTag.unsubscribe_url.placeholder
    preferences_url: str = MergeTag.preferences_url.placeholder

    def is_own(self, url: str) -> bool:
        """Whether ``url`` is one of our own pages, or the placeholder for one."""
        own = (*(tag.placeholder for tag in MergeTag), self.unsubscribe_url, self.preferences_url)
        return url in own or url == self.base_url or url.startswith(f"{self.base_url}/")
