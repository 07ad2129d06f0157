"""Checks of what was written for another program: merge tags, task lists, names of emoji, marked-up titles.

Nothing here turns it into anything, so readers would see the signs themselves. What stands in code is meant
to be seen, and is left alone.
"""

import re
from collections.abc import Iterator, Sequence

from editions.checks.emoji_names import EMOJI_BY_NAME
from editions.errors import Problem
from editions.markdown.code_mask import mask_code, mask_code_spans
from editions.source.document import AnyDocument, make_warning
from editions.source.yaml_parser import KeyPath
from locales.phrase import gettext_noop

_MERGE_TAG = re.compile(
    r"""(?<!\\)(?:
      \*\|[A-Z]{2}[\w:=.,/\ -]*\|\*                               # Mailchimp
    | \{\{\{?\s*[\#/^&]?\s*[A-Za-z_][^{}\n]*\}\}\}?               # Brevo, HubSpot, Klaviyo, Handlebars
    | \{%-?\s*[A-Za-z_]+\b[^%\n]*%\}                               # Liquid, HubL
    | %%=?[A-Za-z_][^%\n]{0,60}%%                                 # Salesforce
    | (?<![\w%])%(?:[A-Z][A-Z_]{2,}|[A-Za-z]+_[A-Za-z_]+)%(?![\w%])   # ActiveCampaign
    | \[\[[A-Za-z][\w.:"'-]*\]\](?![(\[])                         # Constant Contact, Mailjet
    | \[(?:NAME|FIRST_?NAME|LAST_?NAME|EMAIL|USERID|UNSUBSCRIBE(?:URL)?|PREFERENCES(?:URL)?|FORWARD(?:URL)?)\]
      (?![(\[:])                                                  # phpList
    | \[[A-Za-z]+,\s?fallback=[^\]\n]*\]                          # Campaign Monitor
    | \[(?:subscriber|newsletter|link):\w+[^\]\n]*\](?![(\[])     # MailPoet
    | \{\$[A-Za-z_][\w.]*\}                                       # MailerLite
    | [$\#]\{[A-Za-z_][\w.]*\}                                    # scripts
    | <%[=-]?\s*[\w@][^%\n]*%>                                    # ERB
    | \{![A-Za-z$][\w.$]*\}                                       # Salesforce
    | «\w+_\w+»                                                   # Word
    )""",
    re.VERBOSE,
)
# Each of those tags has one of these signs, and few lines have any.
_TAG_SIGN = re.compile(r"[{%\[|«]")
_TASK = re.compile(r"\s*(?:>\s*)*(?:[-*+]|\d{1,9}[.)])\s+(?P<box>\[[ xX]\])(?=\s|$)")
_EMOJI = re.compile(r"(?<![\w:/\\])(?<!\]):(?P<name>[a-z0-9_+-]+):(?![\w:/])")
_MARKUP = re.compile(
    r"(?P<ticks>`+)(?!`)[^`]+(?P=ticks)(?!`)|\*\*[^*\s][^*]*\*\*|\[[^\]]+\]\((?:https?:|mailto:)[^)]*\)"
)
# What is sent as it is written, without Markdown.
_TITLES: Sequence[KeyPath] = (("title",), ("subject",), ("preheader",), ("period",), ("letter", "title"))


def check_foreign_markup(document: AnyDocument) -> Iterator[Problem]:
    """All problems of this kind in one file, its front matter included."""
    body_line = document.front_matter.body_line
    for number, line in enumerate(read_prose(document), start=1):
        if _TAG_SIGN.search(line):
            yield from _check_merge_tags(document, number, line)
        if line.count(":") > 1:
            yield from _check_emoji(document, number, line)
        if number >= body_line and (task := _TASK.match(line)):
            yield make_warning(
                document,
                number,
                "task-list",
                gettext_noop(
                    "readers would see `%(box)s` as it is, because an email has no boxes to tick. Delete "
                    "the brackets, or say in words what is done."
                )
                % {"box": task["box"]},
            )
    yield from _check_titles(document)


def read_prose(document: AnyDocument) -> list[str]:
    """The lines of a file as far as readers see them: without code, and without comments in front matter."""
    first = document.front_matter.body_line - 1
    front = document.text.split("\n")[:first]
    front = ["" if line.lstrip().startswith("#") else line for line in front]
    return [
        *mask_code_spans("\n".join(front)).split("\n")[:first],
        *mask_code(document.front_matter.body).split("\n"),
    ]


def _check_merge_tags(document: AnyDocument, number: int, line: str) -> Iterator[Problem]:
    for tag in dict.fromkeys(found[0] for found in _MERGE_TAG.finditer(line)):
        yield make_warning(
            document,
            number,
            "foreign-merge-tag",
            gettext_noop(
                "`%(tag)s` looks like a merge tag of another program, and readers would see it as it is. "
                "Delete it: the greeting with the reader's name and the links to unsubscribe are added "
                "for you. If readers are meant to see it, put it between backticks in the body."
            )
            % {"tag": tag},
        )


def _check_emoji(document: AnyDocument, number: int, line: str) -> Iterator[Problem]:
    names = dict.fromkeys(found["name"] for found in _EMOJI.finditer(line))
    for name in names:
        if emoji := EMOJI_BY_NAME.get(name):
            yield make_warning(
                document,
                number,
                "emoji-name",
                gettext_noop(
                    "readers would see the letters `:%(name)s:`. Write the character %(emoji)s itself, or "
                    "leave it out."
                )
                % {"name": name, "emoji": emoji},
            )


def _check_titles(document: AnyDocument) -> Iterator[Problem]:
    front_matter = document.front_matter
    for key_path in _TITLES:
        text = front_matter.text(*key_path)
        if found := _MARKUP.search(text):
            yield make_warning(
                document,
                front_matter.line_of(*key_path),
                "markup-in-title",
                gettext_noop(
                    "`%(key)s` is sent as it is written, so readers would see the signs in %(signs)s. "
                    "Write the words alone."
                )
                % {"key": ".".join(map(str, key_path)), "signs": f"{found[0]!r}"},
            )
