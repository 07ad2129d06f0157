"""The styles with which a page shows its elements, as far as an import needs them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml import etree

from editions.imports.html.tree import TextFormat

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
_BASE_SIZE = 16.0
_MIN_SIZE = 2.0
"""Pixels. Smaller type is there for inboxes and spam filters, not for readers."""
_BOLD_WEIGHT = 600
_BOLD = frozenset({"b", "strong"})
_ITALIC = frozenset({"i", "em", "cite", "dfn", "var"})
_STRUCK = frozenset({"s", "strike", "del"})
_BLOCK_DISPLAYS = frozenset({"block", "table", "flex", "grid", "list-item", "table-row", "table-cell"})
_LENGTH = re.compile(r"(\d*\.?\d+)\s*(px|pt|em|rem|%|pc|in|cm|mm)?")
_PIXELS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, None: 1.0}
_SIZE_WORDS = {
    "xx-small": 9.0,
    "x-small": 10.0,
    "small": 13.0,
    "medium": 16.0,
    "large": 18.0,
    "x-large": 24.0,
    "xx-large": 32.0,
}
_FONT_SIZES = {"1": 10.0, "2": 13.0, "3": 16.0, "4": 18.0, "5": 24.0, "6": 32.0, "7": 48.0}
_ALIGNMENTS = {"right": "right", "end": "right", "center": "center"}
_PLAIN = TextFormat()


@dataclass(frozen=True)
class PageSelector:
    """One part of a selector: a tag, ids and classes that an element must have."""

    tag: str
    ids: frozenset[str]
    classes: frozenset[str]

    def matches(self, element: etree._Element) -> bool:
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
class PageRule:
    """A rule for elements that match the last of its compounds, within others that match the ones before."""

    compounds: tuple[PageSelector, ...]
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


def parse_declarations(text: str) -> Declarations:
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


def _parse_rules(text: str) -> Iterator[PageRule]:
    order = 0
    for rule in _RULE.finditer(_without_at_rules(_COMMENT.sub("", text))):
        declarations = parse_declarations(rule["body"])
        for selector in rule["selectors"].split(",") if declarations else ():
            if compounds := _parse_selector(selector.strip()):
                order += 1
                yield PageRule(compounds=compounds, declarations=declarations, order=order)


def _without_at_rules(text: str) -> str:
    """Return ``text`` without rules such as ``@media`` and what they hold."""
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


def _parse_selector(selector: str) -> tuple[PageSelector, ...]:
    """Its compounds; none for a selector with anything else in it, such as ``:hover``."""
    compounds = []
    for part in selector.replace(">", " ").split():
        found = _COMPOUND.fullmatch(part)
        if not found:
            return ()
        marks = _MARK.findall(found["marks"])
        compounds.append(
            PageSelector(
                tag="" if found["tag"] in {None, "*"} else found["tag"].lower(),
                ids=frozenset(name for sign, name in marks if sign == "#"),
                classes=frozenset(name for sign, name in marks if sign == "."),
            )
        )
    return tuple(compounds)


@dataclass(frozen=True, kw_only=True)
class ShownStyle:
    """How text is shown: its format, size in pixels, ``alignment``, and whether its new lines are kept."""

    format: TextFormat = _PLAIN
    size: float = _BASE_SIZE
    alignment: str = ""
    is_block: bool = False
    keeps_lines: bool = False

    @property
    def is_hidden(self) -> bool:
        return self.format.hidden or self.size <= _MIN_SIZE


class PageStyles:
    """The styles of a page. Its rules are found by the elements they may apply to."""

    def __init__(self, root: etree._Element) -> None:
        text = "\n".join(style.text or "" for style in root.iter("style"))
        self._rules: dict[str, list[PageRule]] = {}
        for rule in _parse_rules(text[:_MAX_CSS_LENGTH]):
            self._rules.setdefault(rule.compounds[-1].key, []).append(rule)

    def declarations(self, element: etree._Element) -> Declarations:
        """Return what the rules and the ``style`` of ``element`` say."""
        keys = [str(element.tag), "", f"#{element.get('id') or ''}"]
        keys += [f".{name}" for name in (element.get("class") or "").split()]
        rules = {id(rule): rule for key in keys for rule in self._rules.get(key, ()) if rule.matches(element)}
        found: Declarations = {}
        for rule in sorted(rules.values(), key=lambda rule: rule.specificity):
            _apply(rule.declarations, found)
        if style := element.get("style"):
            _apply(parse_declarations(style), found)
        return found

    def compute(self, element: etree._Element, outer: ShownStyle) -> ShownStyle:
        said = {name: value for name, (value, _) in self.declarations(element).items()}
        tag = str(element.tag)
        align = said.get("text-align") or (element.get("align") or "").lower()
        return ShownStyle(
            format=replace(
                outer.format,
                bold=_read_bold(said, tag, outer.format.bold),
                italic=_read_italic(said, tag, outer.format.italic),
                strikethrough=outer.format.strikethrough
                or tag in _STRUCK
                or "line-through" in f"{said.get('text-decoration')} {said.get('text-decoration-line')}",
                shift=tag if tag in {"sup", "sub"} else outer.format.shift,
                hidden=outer.format.hidden or element.get("hidden") is not None or _hides(said),
            ),
            size=_read_size(said, element, outer.size),
            alignment=_ALIGNMENTS.get(align, "") if align else outer.alignment,
            is_block=said.get("display") in _BLOCK_DISPLAYS,
            keeps_lines=tag == "pre"
            or (said["white-space"].startswith("pre") if said.get("white-space") else outer.keeps_lines),
        )


def read_pixels(written: str) -> float | None:
    """Return a length in pixels; None when it is none, or relative."""
    found = _LENGTH.fullmatch(written.strip())
    if not found or found[2] in {"em", "rem", "%"}:
        return None
    return float(found[1]) * _PIXELS[found[2]]


def _hides(said: dict[str, str]) -> bool:
    return (
        said.get("display") == "none"
        or said.get("visibility") in {"hidden", "collapse"}
        or said.get("opacity") in {"0", "0.0", ".0"}
        or (
            said.get("overflow") == "hidden"
            and any(read_pixels(said.get(name, "")) == 0 for name in ("max-height", "height"))
        )
    )


def _read_bold(said: dict[str, str], tag: str, outer: bool) -> bool:
    weight = said.get("font-weight", "")
    if not weight and re.search(r"\b(bold|[6-9]00)\b", said.get("font", "")):
        weight = "bold"
    if weight.isdecimal():
        return int(weight) >= _BOLD_WEIGHT
    return weight in {"bold", "bolder"} if weight else outer or tag in _BOLD


def _read_italic(said: dict[str, str], tag: str, outer: bool) -> bool:
    slant = said.get("font-style", "")
    return slant in {"italic", "oblique"} if slant else outer or tag in _ITALIC


def _read_size(said: dict[str, str], element: etree._Element, outer: float) -> float:
    written = said.get("font-size", "")
    if not written and "font" in said:
        found = re.search(r"(\d*\.?\d+(?:px|pt|em|rem|%))", said["font"])
        written = found[1] if found else ""
    if not written and element.tag == "font":
        return _FONT_SIZES.get(element.get("size") or "", outer)
    if written in _SIZE_WORDS:
        return _SIZE_WORDS[written]
    found = _LENGTH.fullmatch(written)
    if not found:
        return outer
    number, unit = float(found[1]), found[2]
    if unit in {"em", "%"}:
        return outer * (number if unit == "em" else number / 100)
    return number * (_BASE_SIZE if unit == "rem" else _PIXELS[unit])
