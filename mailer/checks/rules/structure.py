"""Checks 3, 4 and 7: what a screen reader finds its way by: the title, tables, headings."""

import re
from collections.abc import Iterator

from mailer.checks.document.dom import Node
from mailer.checks.document.parsed_mail import ParsedMail
from mailer.checks.finding import Finding, excerpt, finding

_LAYOUT_ROLES = frozenset({"presentation", "none"})
_OUTLOOK_TABLE = re.compile(r"<table\b[^>]*>", re.IGNORECASE)
_HAS_ROLE = re.compile(r"\brole\s*=\s*[\"']?(?:presentation|none)\b", re.IGNORECASE)


def check_title(mail: ParsedMail) -> Iterator[Finding]:
    """3: a title that the mail itself repeats as its name."""
    title = " ".join((mail.root.findtext("head/title") or "").split())
    if not title:
        yield finding(
            "no-title", "the mail has no <title>, which browsers and screen readers say first. Set mj-title."
        )
    if not mail.articles:
        yield finding(
            "no-article",
            "nothing in the mail has role=article, by which screen readers tell it from the page around it. "
            "Set mj-title in the template.",
        )
    for article in mail.articles:
        label = " ".join((article.get("aria-label") or "").split())
        if title and label != title:
            yield finding(
                "title-differs",
                f"the mail is called “{excerpt(title)}” in its head and “{excerpt(label)}” for whoever "
                "listens. Set both from mj-title.",
            )


def check_tables(mail: ParsedMail) -> Iterator[Finding]:
    """4: layout tables say that they are layout, tables of data that they are data."""
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
            f"{number} of the tables that lay the mail out are read out as tables, the first of them {what}. "
            'Give each role="presentation".',
            key="",
            weight=number,
        )
    for table in mail.find_all("table"):
        heads = _header_cells(table)
        if heads and table.get("role") in _LAYOUT_ROLES:
            yield finding(
                "data-table",
                f"the table “{excerpt(table.text)}” holds data and says that it is layout. Take its role "
                "out.",
            )
        elif any(head.get("scope") not in {"col", "row", "colgroup", "rowgroup"} for head in heads):
            yield finding(
                "data-table",
                f"a head of the table “{excerpt(table.text)}” does not say what it heads. "
                'Give each <th> scope="col" or scope="row".',
            )


def _header_cells(table: Node) -> list[Node]:
    """The ``<th>`` of ``table``, not of tables within it."""
    return [
        cell
        for row in table.children
        for line in (row.children if row.tag != "tr" else [row])
        for cell in (line.children if line.tag == "tr" else [line])
        if cell.tag == "th"
    ]


def check_headings(mail: ParsedMail) -> Iterator[Finding]:
    """7: one first heading, no level left out, no heading without words."""
    headings = [node for node in mail.nodes if re.fullmatch("h[1-6]", node.tag)]
    levels = [int(heading.tag[1]) for heading in headings]
    if levels.count(1) != 1:
        yield finding(
            "one-heading",
            f"the mail has {levels.count(1)} headings of level 1, and whoever listens starts from the one. "
            "Make the mail’s title the only <h1>.",
        )
    for before, after, heading in zip(levels, levels[1:], headings[1:], strict=False):
        if after > before + 1:
            yield finding(
                "heading-leap",
                f"“{excerpt(heading.text)}” leaps from heading level {before} to {after}, as if something "
                f"were missing. Make it <h{before + 1}>.",
            )
    if any(not heading.text for heading in headings):
        yield finding(
            "silent-heading",
            "a heading of the mail has no words, and is read out all the same. Leave it out.",
        )
