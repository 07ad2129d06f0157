"""Checks of what an inbox shows of an edition: the subject and the preheader."""

import re
import unicodedata
from collections.abc import Iterator

from editions.checks.comparable_text import make_comparable
from editions.errors import Problem
from editions.source.document import AnyDocument, make_warning
from locales.phrase import gettext_noop

# In columns, of which a Chinese, Japanese or Korean character takes two.
_MAX_SUBJECT_WIDTH = 70
_PREHEADER_WIDTHS = (40, 130)
# Promises and exclamations that spam filters such as SpamAssassin give points for.
_ADVERTISING = re.compile(r"[!！]{2,}|100\s?% (guaranteed|free)|act now|risk[- ]free", re.IGNORECASE)


def check_inbox(document: AnyDocument) -> Iterator[Problem]:
    """Check what an inbox shows: the subject and the preheader, by their width."""
    subject, preheader = document.front_matter.text("subject"), document.front_matter.text("preheader")
    line = document.front_matter.line_of("subject")
    if (columns := _display_width(subject)) > _MAX_SUBJECT_WIDTH:
        yield make_warning(
            document,
            line,
            "long-subject",
            gettext_noop(
                "the subject has %(columns)s characters, and inboxes will cut it off. Keep it to %(most)s."
            )
            % {"columns": columns, "most": _MAX_SUBJECT_WIDTH},
        )
    if subject.isupper() and sum(letter.isupper() for letter in subject) >= 8:
        yield make_warning(
            document,
            line,
            "shouting-subject",
            gettext_noop(
                "the subject is all in capitals, which spam filters count against the email. Use "
                "lower-case letters too."
            ),
        )
    if _ADVERTISING.search(subject):
        yield make_warning(
            document,
            line,
            "loud-subject",
            gettext_noop(
                "the subject sounds like an advertisement, which spam filters count against the email. "
                "Say what is in the email, without exclamation marks or promises."
            ),
        )
    yield from _check_preheader(document, subject, preheader)


def _check_preheader(document: AnyDocument, subject: str, preheader: str) -> Iterator[Problem]:
    line, columns, (fewest, most) = (
        document.front_matter.line_of("preheader"),
        _display_width(preheader),
        _PREHEADER_WIDTHS,
    )
    if not preheader:
        return
    if make_comparable(preheader) == make_comparable(subject):
        yield make_warning(
            document,
            line,
            "preheader-repeats-subject",
            gettext_noop(
                "the preheader repeats the subject, and inboxes show the two side by side. Say what else "
                "is in the email."
            ),
        )
    if not fewest <= columns <= most:
        yield make_warning(
            document,
            line,
            "preheader-length",
            gettext_noop(
                "the preheader has %(columns)s characters. With fewer than %(fewest)s, inboxes add the "
                "first words of the email; with more than %(most)s, they cut it off. Write %(fewest)s to "
                "%(most)s."
            )
            % {"columns": columns, "fewest": fewest, "most": most},
        )


def _display_width(text: str) -> int:
    """How wide ``text`` is shown: a Chinese, Japanese or Korean character counts as two."""
    return sum(2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1 for character in text)
