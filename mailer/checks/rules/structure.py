"""Checks of the document: its head, title, headings and tables."""

import re
from collections.abc import Iterator

from locales.phrase import gettext_noop
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import MailFinding, ParsedMail, excerpt, finding
from mailer.checks.mail.stylesheet import StyleRule

_LAYOUT_ROLES = frozenset({"presentation", "none"})
_OUTLOOK_TABLE = re.compile(r"<table\b[^>]*>", re.IGNORECASE)
_HAS_ROLE = re.compile(r"\brole\s*=\s*[\"']?(?:presentation|none)\b", re.IGNORECASE)
_DOCTYPE = "<!DOCTYPE html>"
_MAX_SHEET_BYTES = 16_000
_METAS = {
    "viewport": gettext_noop("without it, phones show the email as a desktop page"),
    "color-scheme": gettext_noop("Apple Mail shows the dark colours only if it is declared"),
    "supported-color-schemes": gettext_noop("older versions of Apple Mail use this name"),
    "x-apple-disable-message-reformatting": gettext_noop("without it, iOS enlarges text unpredictably"),
    "format-detection": gettext_noop("without it, iOS turns numbers and dates into blue links"),
}
# Only these have to override a style attribute in dark mode.
_PAINTED = frozenset({"color", "background-color", "background", "border-color"})
_IMPORTANT = re.compile(r"(\s*)!(\s*)(important)\b", re.IGNORECASE)


def check_title(mail: ParsedMail) -> Iterator[MailFinding]:
    """3: a title, and the same title as the label of the article."""
    title = " ".join((mail.root.findtext("head/title") or "").split())
    if not title:
        yield finding(
            "no-title",
            gettext_noop(
                "the email has no <title>, which browsers show and screen readers announce first. Set "
                "mj-title in the template."
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
                gettext_noop(
                    "the title is “%(title)s” in the head and “%(label)s” in the label that screen "
                    "readers announce. Set both with mj-title."
                ),
                title=excerpt(title),
                label=excerpt(label),
            )


def check_tables(mail: ParsedMail) -> Iterator[MailFinding]:
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
            gettext_noop(
                "screen readers announce %(number)s layout tables as data tables, the first of them "
                '%(what)s. Give each role="presentation".'
            ),
            number=number,
            what=what,
            key="",
            weight=number,
            place=mail.place_of(silent[0]) if silent else None,
        )
    for table in mail.find_all("table"):
        heads = _header_cells(table)
        if heads and table.get("role") in _LAYOUT_ROLES:
            yield finding(
                "data-table",
                gettext_noop("the table “%(text)s” contains data but is marked as layout. Remove its role."),
                text=excerpt(table.text),
                place=mail.place_of(table),
            )
        elif any(head.get("scope") not in {"col", "row", "colgroup", "rowgroup"} for head in heads):
            yield finding(
                "data-table",
                gettext_noop(
                    'a header cell of the table “%(text)s” has no scope. Give each <th> scope="col" or '
                    'scope="row".'
                ),
                text=excerpt(table.text),
                place=mail.place_of(table),
            )


def _header_cells(table: Node) -> list[Node]:
    """Return the ``<th>`` of ``table``, without those of nested tables."""
    return [
        cell
        for row in table.children
        for line in (row.children if row.tag != "tr" else [row])
        for cell in (line.children if line.tag == "tr" else [line])
        if cell.tag == "th"
    ]


def check_headings(mail: ParsedMail) -> Iterator[MailFinding]:
    """7: one level 1 heading, no level skipped, no empty heading."""
    headings = [node for node in mail.nodes if re.fullmatch("h[1-6]", node.tag)]
    levels = [int(heading.tag[1]) for heading in headings]
    if levels.count(1) != 1:
        yield finding(
            "one-heading",
            gettext_noop(
                "the email has %(number)s level 1 headings, and people using screen readers start "
                "from a single one. Make the title of the email the only <h1>."
            ),
            number=levels.count(1),
        )
    for before, after, heading in zip(levels, levels[1:], headings[1:], strict=False):
        if after > before + 1:
            yield finding(
                "heading-leap",
                gettext_noop(
                    "“%(words)s” skips from heading level %(before)s to %(after)s, as if a section were "
                    "missing. Make it <h%(level)s>."
                ),
                words=excerpt(heading.text),
                before=before,
                after=after,
                level=before + 1,
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


def check_doctype(mail: ParsedMail) -> Iterator[MailFinding]:
    """15: the first bytes select between current layout rules and those of 1998."""
    if not mail.source.html.startswith(_DOCTYPE):
        yield finding(
            "no-doctype",
            gettext_noop(
                "the HTML does not start with %(doctype)s, so email programs use outdated layout "
                "rules. Remove anything above it in the template."
            ),
            doctype=_DOCTYPE,
        )


def check_meta_tags(mail: ParsedMail) -> Iterator[MailFinding]:
    """16 and 29: the declarations in the head."""
    metas = {(node.get("name") or "").lower(): node.get("content") for node in mail.find_all("meta")}
    for name, why in _METAS.items():
        if name not in metas:
            yield finding(
                "missing-meta",
                gettext_noop('<meta name="%(name)s"> is missing: %(why)s. Add it to the head.'),
                name=name,
                why=why,
            )
    charsets = [node.get("charset") or node.get("content") or "" for node in mail.find_all("meta")]
    if not any("utf-8" in value.lower() for value in charsets):
        yield finding(
            "missing-meta",
            gettext_noop(
                "no <meta> declares UTF-8, so a saved copy shows the wrong characters. Add <meta "
                'charset="utf-8"> to the head.'
            ),
        )
    description = (metas.get("description") or "").strip()
    if mail.source.preheader and not description:
        yield finding(
            "no-description",
            gettext_noop(
                "the head has no description, which is the preview shown when someone shares the archive "
                'page. Add <meta name="description"> with page.preheader.'
            ),
        )


def check_style_sizes(mail: ParsedMail) -> Iterator[MailFinding]:
    """14: Gmail drops any style block above 16 kB."""
    for sheet in mail.sheets:
        size = len(sheet.text.encode())
        if size > _MAX_SHEET_BYTES:
            yield finding(
                "large-sheet",
                gettext_noop(
                    "a <style> block has %(size)s bytes, and Gmail drops any block above %(most)s. Split "
                    "it in two."
                ),
                size=f"{size:,}",
                most=f"{_MAX_SHEET_BYTES:,}",
                key="",
                weight=size,
            )


def check_dark_rules(mail: ParsedMail) -> Iterator[MailFinding]:
    """17: there are dark mode rules, written so that every program applies them."""
    dark = [rule for rule in mail.rules if rule.is_dark]
    if not dark:
        yield finding(
            "no-dark-mode",
            gettext_noop(
                "there are no rules for dark mode, so programs invert the colours unpredictably. Add "
                "@media (prefers-color-scheme: dark) to the theme."
            ),
        )
    weak = sorted({part.name for rule in dark for part in rule.declarations if _is_weak(rule, part.name)})
    if weak:
        yield finding(
            "weak-dark-rule",
            gettext_noop(
                "%(names)s in a rule for dark mode lacks !important, so the style on the element "
                "overrides it. Add !important."
            ),
            names=", ".join(weak),
        )
    misspelt = {
        part.written
        for rule in mail.rules
        for part in rule.declarations
        if any(
            not before or after or word != "important"
            for before, after, word in _IMPORTANT.findall(part.written)
        )
    }
    if misspelt:
        yield finding(
            "important-spelling",
            gettext_noop(
                "“%(text)s” is ignored by some programs. Write a space, then !important in lower case."
            ),
            text=min(misspelt),
        )


def _is_weak(rule: StyleRule, name: str) -> bool:
    return name in _PAINTED and any(part.name == name and not part.important for part in rule.declarations)
