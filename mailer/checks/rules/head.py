"""Checks 14 to 17 and part of 29: what a mail program reads before the first word."""

import re
from collections.abc import Iterator

from mailer.checks.document.parsed_mail import ParsedMail
from mailer.checks.document.stylesheet import StyleRule
from mailer.checks.finding import Finding, finding

_DOCTYPE = "<!DOCTYPE html>"
_MAX_SHEET_BYTES = 16_000
_METAS = {
    "viewport": "phones draw the mail as a page for a desk without it",
    "color-scheme": "Apple Mail shows the dark colours only to whoever declares them",
    "supported-color-schemes": "older Apple Mail asks for it by this name",
    "x-apple-disable-message-reformatting": "iOS enlarges words at its own discretion without it",
    "format-detection": "iOS turns numbers and dates into blue links without it",
}
# Only these must beat a style attribute in dark mode.
_PAINTED = frozenset({"color", "background-color", "background", "border-color"})
_IMPORTANT = re.compile(r"(\s*)!(\s*)(important)\b", re.IGNORECASE)


def check_doctype(mail: ParsedMail) -> Iterator[Finding]:
    """15: the first bytes decide between today's rules and those of 1998."""
    if not mail.source.html.startswith(_DOCTYPE):
        yield finding(
            "no-doctype",
            f"the HTML must begin with {_DOCTYPE} and nothing before it, or mail programs draw it by old "
            "rules. Put nothing above it in the template.",
        )


def check_meta_tags(mail: ParsedMail) -> Iterator[Finding]:
    """16 and 29: what the head declares."""
    metas = {(node.get("name") or "").lower(): node.get("content") for node in mail.find_all("meta")}
    for name, why in _METAS.items():
        if name not in metas:
            yield finding("missing-meta", f'<meta name="{name}"> is missing: {why}. Add it to the head.')
    charsets = [node.get("charset") or node.get("content") or "" for node in mail.find_all("meta")]
    if not any("utf-8" in value.lower() for value in charsets):
        yield finding(
            "missing-meta", "no <meta> says that the mail is UTF-8, and a saved copy loses its letters."
        )
    description = (metas.get("description") or "").strip()
    if mail.source.preheader and not description:
        yield finding(
            "no-description",
            "the head has no description, which the archive’s page is announced by where somebody shares it. "
            'Add <meta name="description"> with page.preheader.',
        )


def check_style_sizes(mail: ParsedMail) -> Iterator[Finding]:
    """14: Gmail drops a whole style block above 16 kB."""
    for sheet in mail.sheets:
        size = len(sheet.text.encode())
        if size > _MAX_SHEET_BYTES:
            yield finding(
                "large-sheet",
                f"a <style> block has {size:,} bytes, and Gmail drops one above {_MAX_SHEET_BYTES:,} whole. "
                "Cut it in two.",
                key="",
                weight=size,
            )


def check_dark_rules(mail: ParsedMail) -> Iterator[Finding]:
    """17: dark mode has its rules, and they are written so that every program takes them."""
    dark = [rule for rule in mail.rules if rule.is_dark]
    if not dark:
        yield finding(
            "no-dark-mode",
            "there are no rules for dark mode, so programs invert the colours as they like. Add @media "
            "(prefers-color-scheme: dark) to the theme.",
        )
    weak = sorted({part.name for rule in dark for part in rule.declarations if _is_weak(rule, part.name)})
    if weak:
        yield finding(
            "weak-dark-rule",
            f"{', '.join(weak)} in a rule for dark mode lacks !important, so the style on the element wins. "
            "Add it.",
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
            f"“{min(misspelt)}” is ignored by some programs. Write a space, then !important in small "
            "letters.",
        )


def _is_weak(rule: StyleRule, name: str) -> bool:
    return name in _PAINTED and any(part.name == name and not part.important for part in rule.declarations)
