"""Checks 14 to 17 and part of 29: what an email program reads before the text."""

import re
from collections.abc import Iterator

from locales.phrase import Phrase, gettext_noop
from mailer.checks.finding import Finding, finding
from mailer.checks.mail.parsed_mail import ParsedMail
from mailer.checks.mail.stylesheet import StyleRule

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


def check_doctype(mail: ParsedMail) -> Iterator[Finding]:
    """15: the first bytes select between current layout rules and those of 1998."""
    if not mail.source.html.startswith(_DOCTYPE):
        yield finding(
            "no-doctype",
            Phrase(
                gettext_noop(
                    "the HTML does not start with %(doctype)s, so email programs use outdated layout "
                    "rules. Remove anything above it in the template."
                ),
                doctype=_DOCTYPE,
            ),
        )


def check_meta_tags(mail: ParsedMail) -> Iterator[Finding]:
    """16 and 29: the declarations in the head."""
    metas = {(node.get("name") or "").lower(): node.get("content") for node in mail.find_all("meta")}
    for name, why in _METAS.items():
        if name not in metas:
            yield finding(
                "missing-meta",
                Phrase(
                    gettext_noop('<meta name="%(name)s"> is missing: %(why)s. Add it to the head.'),
                    name=name,
                    why=why,
                ),
            )
    charsets = [node.get("charset") or node.get("content") or "" for node in mail.find_all("meta")]
    if not any("utf-8" in value.lower() for value in charsets):
        yield finding(
            "missing-meta",
            (
                gettext_noop(
                    "no <meta> declares UTF-8, so a saved copy shows the wrong characters. Add <meta "
                    'charset="utf-8"> to the head.'
                )
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


def check_style_sizes(mail: ParsedMail) -> Iterator[Finding]:
    """14: Gmail drops any style block above 16 kB."""
    for sheet in mail.sheets:
        size = len(sheet.text.encode())
        if size > _MAX_SHEET_BYTES:
            yield finding(
                "large-sheet",
                Phrase(
                    gettext_noop(
                        "a <style> block has %(size)s bytes, and Gmail drops any block above %(most)s. Split "
                        "it in two."
                    ),
                    size=f"{size:,}",
                    most=f"{_MAX_SHEET_BYTES:,}",
                ),
                key="",
                weight=size,
            )


def check_dark_rules(mail: ParsedMail) -> Iterator[Finding]:
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
            Phrase(
                gettext_noop(
                    "%(names)s in a rule for dark mode lacks !important, so the style on the element "
                    "overrides it. Add !important."
                ),
                names=", ".join(weak),
            ),
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
            Phrase(
                gettext_noop(
                    "“%(text)s” is ignored by some programs. Write a space, then !important in lower case."
                ),
                text=min(misspelt),
            ),
        )


def _is_weak(rule: StyleRule, name: str) -> bool:
    return name in _PAINTED and any(part.name == name and not part.important for part in rule.declarations)
