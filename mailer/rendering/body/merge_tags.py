"""Holes: the places in a compiled mail that differ from reader to reader, written ``@@name@@``.

The mark has no space and no character that a URL must escape, so it passes through MJML, the inliner and HTML
parsers as it is, in text and in ``href`` (``{{ name }}`` becomes ``{{%20name%20}}`` there, ``__name__`` is
Markdown).
"""

import re
from enum import StrEnum

DELIMITER = "@@"
TAG_PATTERN = re.compile("@@([a-z_]+)@@")


class TagContext(StrEnum):
    """Where a hole stands, which decides how its value is escaped."""

    text = "text"
    """Between tags: ``&``, ``<``, ``>`` and quotes are escaped."""

    url = "url"
    """The whole value of an ``href``, and a line of its own in the text part: an absolute URL."""


class MergeTag(StrEnum):
    """A hole a template may use. Its value is the name between the marks."""

    greeting = "greeting"
    """The line that greets the reader by name; empty where we know no name."""

    unsubscribe_url = "unsubscribe_url"
    """The page where this reader leaves."""

    preferences_url = "preferences_url"
    """The page where this reader chooses what to get."""

    archive_url = "archive_url"
    """This edition in the browser."""

    @property
    def context(self) -> TagContext:
        return TagContext.text if self is MergeTag.greeting else TagContext.url

    @property
    def placeholder(self) -> str:
        return f"{DELIMITER}{self.value}{DELIMITER}"


class StoryCount(StrEnum):
    """A number that differs from variant to variant; legal inside a section or its line of the contents."""

    stories = "stories"
    """How many stories of the section this variant has, in words: "3 stories"."""

    number = "number"
    """The same in digits."""

    @property
    def placeholder(self) -> str:
        return f"{DELIMITER}{self.value}{DELIMITER}"
