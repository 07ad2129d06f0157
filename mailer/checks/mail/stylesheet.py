"""Parses style sheets for the checks: rules with their selectors, declarations and media conditions.

It handles the CSS used in email, in a few milliseconds, without namespaces and nested rules. What it cannot
parse is left out of the rules and listed in ``unparsed``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_PIECE = re.compile(
    r"(?P<tag>[A-Za-z][\w-]*|\*)|\#(?P<id>[\w-]+)|\.(?P<class>[\w-]+)"
    r"|\[\s*(?P<name>[\w:-]+)\s*(?:(?P<operator>[~|^$*]?=)\s*(?P<value>\"[^\"]*\"|'[^']*'|[^\]\s]+)\s*)?\]"
    r"|::?(?P<pseudo>[\w-]+)(?:\((?P<argument>[^)]*)\))?"
)
_COMBINATORS = re.compile(r"\s*([>+~])\s*|\s+")
_IMPORTANT = re.compile(r"\s*!\s*important\s*$", re.IGNORECASE)
_WIDTH = re.compile(r"\(\s*(min|max)-(?:device-)?width\s*:\s*(\d+(?:\.\d+)?)px\s*\)")
_FEATURE = re.compile(r"\([^()]*\)")


@dataclass(frozen=True)
class Declaration:
    """``name: value``, the name in lower case; ``written`` is the value with its ``!important``."""

    name: str
    value: str
    important: bool
    written: str


@dataclass(frozen=True)
class Compound:
    """What one element must match: tag, ids, classes, attributes (name, operator, value), pseudo-classes."""

    tag: str
    ids: tuple[str, ...]
    classes: frozenset[str]
    attributes: tuple[tuple[str, str, str], ...]
    pseudos: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Selector:
    """What an element and its surroundings must match: compounds from right to left, each with its
    combinator, one of space, ``>``, ``+`` and ``~``."""

    subject: Compound
    others: tuple[tuple[str, Compound], ...]
    specificity: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class StyleRule:
    """A rule with the conditions of every ``@media`` around it. ``order`` counts through the whole email."""

    selectors: tuple[Selector, ...]
    declarations: tuple[Declaration, ...]
    conditions: tuple[str, ...]
    order: int

    @property
    def is_dark(self) -> bool:
        """Whether it applies in dark mode only."""
        return any(
            "prefers-color-scheme" in condition and "dark" in condition for condition in self.conditions
        )


@lru_cache(maxsize=64)
def parse_sheet(text: str, media: str = "", first: int = 0) -> "StyleSheet":
    """Parse the sheet ``text``; ``media`` is of its element, ``first`` the order of its first rule."""
    return StyleSheet(text, (media.lower(),) if media.strip() else (), first)


class StyleSheet:
    """A ``<style>`` block. ``at_rules`` are the names used (``media``), ``font_faces`` the families declared,
    ``pseudos`` the pseudo-classes and -elements, ``unparsed`` what could not be parsed."""

    def __init__(self, text: str, conditions: tuple[str, ...], first: int) -> None:
        self.text = text
        self.rules: list[StyleRule] = []
        self.at_rules: set[str] = set()
        self.font_faces: list[str] = []
        self.unparsed: list[str] = []
        self._order = first
        self._read_block(_COMMENT.sub(" ", text), conditions)
        self.pseudos = {
            name
            for rule in self.rules
            for selector in rule.selectors
            for compound in (selector.subject, *(other for _, other in selector.others))
            for name, _ in compound.pseudos
        }

    def _read_block(self, text: str, conditions: tuple[str, ...]) -> None:
        for head, body in _split_blocks(text):
            if head.startswith("@"):
                self._read_at_rule(head, body, conditions)
            elif body is not None:
                self._read_rule(head, body, conditions)
            elif head:
                self.unparsed.append(head)

    def _read_at_rule(self, head: str, body: str | None, conditions: tuple[str, ...]) -> None:
        name, _, condition = head[1:].partition(" ")
        name, bracket, rest = name.partition("(")
        self.at_rules.add(name.lower())
        if name.lower() == "media" and body is not None:
            self._read_block(body, (*conditions, f"{bracket}{rest}{condition}".strip().lower()))
        elif name.lower() == "supports" and body is not None:
            # A program that understands @supports may still lack the feature in question.
            self._read_block(body, (*conditions, "(supports)"))
        elif name.lower() == "font-face" and body is not None:
            families = (part.value for part in parse_declarations(body) if part.name == "font-family")
            self.font_faces += [family.strip("\"' ") for family in families]

    def _read_rule(self, head: str, body: str, conditions: tuple[str, ...]) -> None:
        selectors = [parse_selector(part) for part in head.split(",")]
        if None in selectors:
            self.unparsed.append(head)
        self.rules.append(
            StyleRule(
                selectors=tuple(selector for selector in selectors if selector),
                declarations=parse_declarations(body),
                conditions=conditions,
                order=self._order,
            )
        )
        self._order += 1


def _split_blocks(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield head and body of every block of ``text``; the body is None if ``;`` or the end comes first."""
    place = 0
    while place < len(text):
        opening, semicolon = text.find("{", place), text.find(";", place)
        if 0 <= semicolon < opening or (opening < 0 <= semicolon):
            yield text[place:semicolon].strip(), None
            place = semicolon + 1
        elif opening < 0:
            if text[place:].strip():
                yield text[place:].strip(), None
            return
        else:
            end = _find_end(text, opening)
            yield text[place:opening].strip(), text[opening + 1 : end]
            place = end + 1


def _find_end(text: str, opening: int) -> int:
    depth = 0
    for match in re.compile("[{}]").finditer(text, opening):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return len(text)


@lru_cache(maxsize=4096)
def parse_declarations(text: str) -> tuple[Declaration, ...]:
    """Parse the declarations of a rule or of a ``style`` attribute."""
    read = []
    for part in _split_declarations(text):
        name, colon, value = part.partition(":")
        if colon and name.strip():
            written = value.strip()
            bare = _IMPORTANT.sub("", written)
            read.append(Declaration(name.strip().lower(), bare, bare != written, written))
    return tuple(read)


def _split_declarations(text: str) -> list[str]:
    """Return ``text`` split at semicolons, but not inside brackets or quotes, as in ``url(data:a;b)``."""
    if "(" not in text and '"' not in text and "'" not in text:
        return text.split(";")
    return re.findall(r"""(?:[^;"'(]|"[^"]*"|'[^']*'|\([^)]*\)|["'(])+""", text)


@lru_cache(maxsize=4096)
def parse_selector(text: str) -> Selector | None:
    """Parse one selector; None if it uses an unsupported feature."""
    pieces = _COMBINATORS.split(text.strip())
    compounds = [_parse_compound(piece) for piece in pieces[::2]]
    known = [compound for compound in compounds if compound]
    if len(known) != len(compounds) or not known:
        return None
    combinators = [piece or " " for piece in pieces[1::2]]
    return Selector(
        subject=known[-1],
        others=tuple(zip(reversed(combinators), reversed(known[:-1]), strict=True)),
        specificity=(
            sum(len(part.ids) for part in known),
            sum(len(part.classes) + len(part.attributes) + len(part.pseudos) for part in known),
            sum(part.tag not in {"", "*"} for part in known),
        ),
    )


def _parse_compound(text: str) -> Compound | None:
    tag, ids, classes = "", [], []
    attributes: list[tuple[str, str, str]] = []
    pseudos: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        match = _PIECE.match(text, place)
        if not match:
            return None
        kind, value = match.lastgroup, match.groupdict()
        if value["tag"]:
            tag = value["tag"].lower()
        elif value["id"]:
            ids.append(value["id"])
        elif value["class"]:
            classes.append(value["class"])
        elif value["name"]:
            wanted = (value["value"] or "").strip("\"'")
            attributes.append((value["name"].lower(), value["operator"] or "", wanted))
        elif value["pseudo"]:
            pseudos.append((value["pseudo"].lower(), (value["argument"] or "").strip()))
        else:
            raise ValueError(f"a selector piece of no kind: {kind}")
        place = match.end()
    return Compound(tag, tuple(ids), frozenset(classes), tuple(attributes), tuple(pseudos)) if place else None


@lru_cache(maxsize=1024)
def media_applies(condition: str, *, dark: bool, width: int) -> bool:
    """Return whether a media condition applies at a ``width`` in CSS pixels; unknown conditions do not."""
    return any(_query_applies(query, dark=dark, width=width) for query in condition.split(","))


def _query_applies(query: str, *, dark: bool, width: int) -> bool:
    if re.search(r"\b(print|not|speech)\b", query):
        return False
    for bound, value in _WIDTH.findall(query):
        if width < float(value) if bound == "min" else width > float(value):
            return False
    rest = _WIDTH.sub("", query)
    for feature in _FEATURE.findall(rest):
        name, _, wanted = feature.strip("() ").partition(":")
        if name.strip() != "prefers-color-scheme" or (wanted.strip() == "dark") != dark:
            return False
    return True
