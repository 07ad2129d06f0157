"""Checks 3, 4 and 7: what screen readers navigate by: the title, tables, headings."""

import re
from collections.abc import Iterator

from locales.phrase import Phrase, gettext_noop
from mailer.checks.finding import Finding, excerpt, finding
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import ParsedMail

_LAYOUT_ROLES = frozenset({"presentation", "none"})
_OUTLOOK_TABLE = re.compile(r"<table\b[^>]*>", re.IGNORECASE)
_HAS_ROLE = re.compile(r"\brole\s*=\s*[\"']?(?:presentation|none)\b", re.IGNORECASE)


def check_title(mail: ParsedMail) -> Iterator[Finding]:
    """3: a title, and the same title as the label of the article."""
    title = " ".join((mail.root.findtext("head/title") or "").split())
    if not title:
        yield finding(
            "no-title",
            (
                gettext_noop(
                    "the email has no <title>, which browsers show and screen readers announce first. Set "
                    "mj-title in the template."
                )
            ),
        )
    if not mail.articles:
        yield finding(
            "no-article",
            gettext_noop(
                "nothing in the email has role=article, which separates it from the page around it for "
                "screen readers. Set mj-title in the template."
            ),
        )
    for article in mail.articles:
        label = " ".join((article.get("aria-label") or "").split())
        if title and label != title:
            yield finding(
                "title-differs",
                Phrase(
                    gettext_noop(
                        "the title is “%(title)s” in the head and “%(label)s” in the label that screen "
                        "readers announce. Set both with mj-title."
                    ),
                    title=excerpt(title),
                    label=excerpt(label),
                ),
            )


def check_tables(mail: ParsedMail) -> Iterator[Finding]:
    """4: layout tables are marked as layout, data tables have proper header cells."""
    silent = [
        table
        for table in mail.find_all("table")
        if not _header_cells(table) and table.get("role") not in _LAYOUT_ROLES
    ]
    hidden = [tag for tag in _OUTLOOK_TABLE.findall(mail.outlook_comments) if not _HAS_ROLE.search(tag)]
    if silent or hidden:
        what = f"“{excerpt(silent[0].text)}”" if silent else hidden[0]
        number = len(silent) + len(hidden)
        yield finding(
            "layout-table",
            Phrase(
                gettext_noop(
                    "screen readers announce %(number)s layout tables as data tables, the first of them "
                    '%(what)s. Give each role="presentation".'
                ),
                number=number,
                what=what,
            ),
            key="",
            weight=number,
            place=mail.place_of(silent[0]) if silent else None,
        )
    for table in mail.find_all("table"):
        heads = _header_cells(table)
        if heads and table.get("role") in _LAYOUT_ROLES:
            yield finding(
                "data-table",
                Phrase(
                    gettext_noop(
                        "the table “%(text)s” contains data but is marked as layout. Remove its role."
                    ),
                    text=excerpt(table.text),
                ),
                place=mail.place_of(table),
            )
        elif any(head.get("scope") not in {"col", "row", "colgroup", "rowgroup"} for head in heads):
            yield finding(
                "data-table",
                Phrase(
                    gettext_noop(
                        'a header cell of the table “%(text)s” has no scope. Give each <th> scope="col" or '
                        'scope="row".'
                    ),
                    text=excerpt(table.text),
                ),
                place=mail.place_of(table),
            )


def _header_cells(table: Node) -> list[Node]:
    """The ``<th>`` of ``table``, without those of nested tables."""
    return [
        cell
        for row in table.children
        for line in (row.children if row.tag != "tr" else [row])
        for cell in (line.children if line.tag == "tr" else [line])
        if cell.tag == "th"
    ]


def check_headings(mail: ParsedMail) -> Iterator[Finding]:
    """7: one level 1 heading, no level skipped, no empty heading."""
    headings = [node for node in mail.nodes if re.fullmatch("h[1-6]", node.tag)]
    levels = [int(heading.tag[1]) for heading in headings]
    if levels.count(1) != 1:
        yield finding(
            "one-heading",
            Phrase(
                gettext_noop(
                    "the email has %(number)s level 1 headings, and people using screen readers start "
                    "from a single one. Make the title of the email the only <h1>."
                ),
                number=levels.count(1),
            ),
        )
    for before, after, heading in zip(levels, levels[1:], headings[1:], strict=False):
        if after > before + 1:
            yield finding(
                "heading-leap",
                gettext_noop(
                    "“%(words)s” skips from heading level %(before)s to %(after)s, as if a section were "
                    "missing. Make it <h%(level)s>."
                )
                % {"words": excerpt(heading.text), "before": before, "after": after, "level": before + 1},
                place=mail.place_of(heading),
            )
    for heading in headings:
        if not heading.text:
            yield finding(
                "silent-heading",
                gettext_noop(
                    "a heading in the email is empty, and screen readers announce it all the same. Remove it."
                ),
                place=mail.place_of(heading),
            )
