"""Checks 24 and 27: HTML and CSS that email programs support, by the table of
:mod:`mailer.checks.client_features`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from locales.phrase import Phrase, gettext_noop
from mailer.checks.client_features import Feature, Use, known_features
from mailer.checks.finding import Finding, excerpt, finding
from mailer.checks.mail.colour import find_colour
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import ParsedMail
from mailer.checks.mail.stylesheet import Declaration, parse_declarations

_WORD = re.compile(r"[a-z-]+\(?", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|url\([^)]*\)")
# Prefixed names concern one program only; all others ignore them.
_PREFIXES = ("mso-", "-webkit-", "-ms-", "-moz-")


@dataclass(frozen=True)
class _Usage:
    """A feature in use; ``is_carrier`` if it is on the element itself and nothing replaces it."""

    kind: str
    name: str
    is_carrier: bool


def check_support(mail: ParsedMail) -> Iterator[Finding]:
    """27: nothing that email programs remove, and no feature whose support is unknown."""
    usages = dict.fromkeys(_list_usages(mail))
    unlisted: dict[str, None] = {}
    for usage in usages:
        feature = known_features().get((usage.kind, usage.name))
        if feature is None:
            unlisted[f"{usage.kind} {excerpt(usage.name)}"] = None
        elif feature.use is Use.never:
            code = "dead-element" if usage.kind == "element" else "unsupported-style"
            yield finding(
                code,
                f"{_display_name(feature)} must not be used in email. {feature.note} {feature.page}".rstrip(),
            )
        elif feature.use is Use.enhancement and usage.is_carrier:
            yield finding(
                "fragile-feature",
                Phrase(
                    gettext_noop(
                        "%(name)s is set on an element, and nothing replaces it in programs that do not "
                        "support it. Move it to <style>. %(page)s"
                    ),
                    name=_display_name(feature),
                    page=feature.page,
                ).rstrip(),
            )
    for name in unlisted:
        yield finding(
            "unlisted-feature",
            Phrase(
                gettext_noop(
                    "it is not known whether email programs support the %(name)s. Look it up at "
                    "www.caniemail.com and add it to mailer/checks/support.toml, or do not use it."
                ),
                name=name,
            ),
        )


def _display_name(feature: Feature) -> str:
    return f"<{feature.name}>" if feature.kind == "element" else feature.name


def _list_usages(mail: ParsedMail) -> Iterator[_Usage]:
    for tag in mail.by_tag:
        # Names with a colon come from comments for Outlook that the parser has treated as elements.
        if ":" not in tag:
            yield _Usage("element", tag, is_carrier=True)
    for style in {node.style for node in mail.nodes if node.style}:
        for kind, name in _list_style_features(style):
            yield _Usage(kind, name, is_carrier=True)
    for sheet in mail.sheets:
        yield from (_Usage("at-rule", name, is_carrier=False) for name in sorted(sheet.at_rules))
        yield from (_Usage("pseudo", name, is_carrier=False) for name in sorted(sheet.pseudos))
        for rule in sheet.rules:
            # Inside @media or @supports a feature is never the only style, so it is only checked whether it
            # is listed.
            for kind, name in _list_features(rule.declarations):
                if not (rule.conditions and _is_refused(kind, name)):
                    yield _Usage(kind, name, is_carrier=False)


def _is_refused(kind: str, name: str) -> bool:
    feature = known_features().get((kind, name))
    return feature is not None and feature.use is Use.never


@lru_cache(maxsize=1024)
def _list_style_features(style: str) -> tuple[tuple[str, str], ...]:
    return _list_features(parse_declarations(style))


@lru_cache(maxsize=1024)
def _list_features(declarations: tuple[Declaration, ...]) -> tuple[tuple[str, str], ...]:
    """Kind and name of every feature used by ``declarations``."""
    used: dict[tuple[str, str], None] = {}
    for part in declarations:
        if part.name.startswith("--"):
            used["value", "var()"] = None
        elif not part.name.startswith(_PREFIXES):
            used["property", part.name] = None
        for word in _WORD.findall(_QUOTED.sub("", part.value)):
            key = ("value", f"{word.lower()})" if word.endswith("(") else word.lower())
            if key in known_features():
                used[key] = None
    return tuple(used)


def check_backgrounds(mail: ParsedMail) -> Iterator[Finding]:
    """24: background pictures have a background colour and a drawing for Outlook."""
    for node in mail.nodes:
        if (picture := _find_background(node)) and not (
            _has_background_colour(node) and "<v:" in mail.outlook_comments
        ):
            yield finding(
                "bare-background",
                Phrase(
                    gettext_noop(
                        "the background picture %(picture)s has no background colour or no VML for Outlook, "
                        "so text may be unreadable. Add bgcolor, and a v:fill in a comment for Outlook."
                    ),
                    picture=excerpt(picture, 60),
                ),
                key=picture,
            )
    for sheet in mail.sheets:
        if "url(" in sheet.text:
            yield finding(
                "url-in-sheet",
                gettext_noop(
                    "a <style> block contains url(), so Gmail drops the whole block. Set the picture on the "
                    "element."
                ),
            )


def _find_background(node: Node) -> str:
    if address := node.get("background"):
        return address
    values = (
        part.value
        for part in parse_declarations(node.style)
        if part.name in {"background", "background-image"}
    )
    return next((value for value in values if "url(" in value), "")


def _has_background_colour(node: Node) -> bool:
    grounds = (
        part for part in parse_declarations(node.style) if part.name in {"background", "background-color"}
    )
    return bool(node.get("bgcolor")) or any(find_colour(part.value) for part in grounds)
