"""Style sheets, as far as they decide what is shown and how it reads.

Only selectors of elements, classes and ids are followed, and only rules for every screen: what a page hides
on phones is text, and what it shows on phones only is there a second time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

PROPERTIES = frozenset(
    {
        "display",
        "visibility",
        "opacity",
        "overflow",
        "max-height",
        "height",
        "font-size",
        "font-weight",
        "font-style",
        "font",
        "text-decoration",
        "text-decoration-line",
        "text-align",
        "white-space",
        "width",
        "mso-hide",
        "border",
        "border-bottom",
    }
)
_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
_RULE = re.compile(r"(?P<selectors>[^{}]+)\{(?P<body>[^{}]*)\}")
_AT_BLOCK = re.compile(r"@[^{};]*(?P<open>[{;])")
_COMPOUND = re.compile(r"(?P<tag>[\w-]+|\*)?(?P<marks>(?:[.#][\w-]+)*)")
_MARK = re.compile(r"([.#])([\w-]+)")
_MAX_CSS_LENGTH = 2_000_000

Declarations = dict[str, tuple[str, bool]]
"""Values by property, each with whether it is important."""


@dataclass(frozen=True)
class Compound:
    """One part of a selector: a tag, ids and classes that an element must have."""

    tag: str
    ids: frozenset[str]
    classes: frozenset[str]

    def matches(self, element: etree._Element) -> bool:
        """Whether ``element`` has all of it."""
        return (
            (not self.tag or element.tag == self.tag)
            and (not self.ids or element.get("id") in self.ids)
            and (not self.classes or self.classes <= set((element.get("class") or "").split()))
        )

    @property
    def key(self) -> str:
        """What elements with this part can be found by."""
        if self.ids:
            return f"#{min(self.ids)}"
        return f".{min(self.classes)}" if self.classes else self.tag


@dataclass(frozen=True)
class Rule:
    """A rule for elements that match the last of its compounds, within others that match the ones before."""

    compounds: tuple[Compound, ...]
    declarations: Declarations
    order: int

    @property
    def specificity(self) -> tuple[int, int, int, int]:
        """Ids, classes, tags, and its place in the style sheet."""
        return (
            sum(len(each.ids) for each in self.compounds),
            sum(len(each.classes) for each in self.compounds),
            sum(bool(each.tag) for each in self.compounds),
            self.order,
        )

    def matches(self, element: etree._Element) -> bool:
        """Whether it applies to ``element``."""
        if not self.compounds[-1].matches(element):
            return False
        around: etree._Element | None = element.getparent()
        for compound in reversed(self.compounds[:-1]):
            while around is not None and not compound.matches(around):
                around = around.getparent()
            if around is None:
                return False
            around = around.getparent()
        return True


class StyleSheet:
    """The rules of a page, found by the elements they may apply to."""

    def __init__(self, text: str) -> None:
        self._rules: dict[str, list[Rule]] = {}
        for rule in _parse_rules(text[:_MAX_CSS_LENGTH]):
            self._rules.setdefault(rule.compounds[-1].key, []).append(rule)

    def declarations(self, element: etree._Element) -> Declarations:
        """What the rules and the ``style`` of ``element`` say."""
        keys = [str(element.tag), "", f"#{element.get('id') or ''}"]
        keys += [f".{name}" for name in (element.get("class") or "").split()]
        rules = {id(rule): rule for key in keys for rule in self._rules.get(key, ()) if rule.matches(element)}
        found: Declarations = {}
        for rule in sorted(rules.values(), key=lambda rule: rule.specificity):
            _apply(rule.declarations, found)
        if style := element.get("style"):
            _apply(parse_declarations(style), found)
        return found


def parse_declarations(text: str) -> Declarations:
    """The declarations of a rule or a ``style``, of the properties that count here."""
    found: Declarations = {}
    for declaration in _COMMENT.sub("", text).split(";"):
        name, colon, value = declaration.partition(":")
        name = name.strip().lower()
        if colon and name in PROPERTIES:
            value = value.strip().lower()
            plain = re.sub(r"\s*!\s*important$", "", value)
            found[name] = (plain, plain != value)
    return found


def _apply(declarations: Declarations, found: Declarations) -> None:
    for name, (value, important) in declarations.items():
        if important or not found.get(name, ("", False))[1]:
            found[name] = (value, important)


def _parse_rules(text: str) -> Iterator[Rule]:
    order = 0
    for rule in _RULE.finditer(_without_at_rules(_COMMENT.sub("", text))):
        declarations = parse_declarations(rule["body"])
        for selector in rule["selectors"].split(",") if declarations else ():
            if compounds := _parse_selector(selector.strip()):
                order += 1
                yield Rule(compounds=compounds, declarations=declarations, order=order)


def _without_at_rules(text: str) -> str:
    """``text`` without rules such as ``@media`` and what they hold."""
    kept: list[str] = []
    position = 0
    while found := _AT_BLOCK.search(text, position):
        kept.append(text[position : found.start()])
        position = found.end()
        depth = 1 if found["open"] == "{" else 0
        while depth and position < len(text):
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            position += 1
    return "".join([*kept, text[position:]])


def _parse_selector(selector: str) -> tuple[Compound, ...]:
    """Its compounds; none for a selector with anything else in it, such as ``:hover``."""
    compounds = []
    for part in selector.replace(">", " ").split():
        found = _COMPOUND.fullmatch(part)
        if not found:
            return ()
        marks = _MARK.findall(found["marks"])
        compounds.append(
            Compound(
                tag="" if found["tag"] in {None, "*"} else found["tag"].lower(),
                ids=frozenset(name for sign, name in marks if sign == "#"),
                classes=frozenset(name for sign, name in marks if sign == "."),
            )
        )
    return tuple(compounds)
