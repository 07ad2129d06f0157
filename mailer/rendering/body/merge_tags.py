"""Merge tags: the places in a compiled email that are filled in for each reader, written ``@@name@@``.

The placeholder has no space and no character that a URL must escape, so MJML, the inliner and HTML parsers
leave it unchanged, in text and in ``href`` (``{{ name }}`` would become ``{{%20name%20}}`` there, and
``__name__`` is Markdown).
"""

import re
from enum import StrEnum

DELIMITER = "@@"
TAG_PATTERN = re.compile("@@([a-z_]+)@@")


class TagContext(StrEnum):
    """Where a merge tag is used, which determines how its value is escaped."""

    text = "text"
    """Between tags: ``&``, ``<``, ``>`` and quotes are escaped."""

    url = "url"
    """The whole value of an ``href``, and a line of its own in the text part: an absolute URL."""

    query = "query"
    """The end of such a value: the query of a URL."""


class MergeTag(StrEnum):
    """A merge tag that a template may use. Its value is the name between the delimiters."""

    greeting = "greeting"
    """The greeting by name; empty if the name is not known."""

    unsubscribe_url = "unsubscribe_url"
    """The page where this reader can unsubscribe."""

    preferences_url = "preferences_url"
    """The page where this reader can choose what to receive."""

    verification_code = "verification_code"
    """The code of this message, by which anybody can ask whether it is from us."""

    verify_url = "verify_url"
    """The page where that is asked."""

    verify_place = "verify_place"
    """The same address for people to read and type, without "https://"."""

    archive_url = "archive_url"
    """This edition in the archive."""

    version = "version"
    """What ends the address of a story of this edition, so that it opens for whoever has the email. Its value
    is made of the digest of the email, which therefore cannot contain it."""

    @property
    def context(self) -> TagContext:
        if self in _TEXTS:
            return TagContext.text
        return TagContext.query if self is MergeTag.version else TagContext.url

    @property
    def placeholder(self) -> str:
        return f"{DELIMITER}{self.value}{DELIMITER}"


_TEXTS = frozenset({MergeTag.greeting, MergeTag.verification_code, MergeTag.verify_place})


class StoryCount(StrEnum):
    """A number that differs between variants; only allowed inside a section or its line of the contents."""

    stories = "stories"
    """How many stories of the section this variant has, in words: "3 stories"."""

    number = "number"
    """The same in digits."""

    @property
    def placeholder(self) -> str:
        return f"{DELIMITER}{self.value}{DELIMITER}"


class LinkTag(StrEnum):
    """A tag that no template may write: :mod:`mailer.rendering.body.counted_links` puts it where the address
    of a link was."""

    click_url = "click_url"
    """Where this reader's clicks are counted. The number of the link follows."""

    @property
    def placeholder(self) -> str:
        return f"{DELIMITER}{self.value}{DELIMITER}"


ANY_TAG = (MergeTag, StoryCount, LinkTag)
"""What can stand in an email beside texts and fragments."""
