"""The elements of an email in document order, and the style rules that match each of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from lxml import html as lxml_html

from mailer.checks.mail.stylesheet import Compound, Selector, StyleRule


class Node:
    """An element with what selectors need: plain attributes are faster than lxml's."""

    __slots__ = (
        "children", "classes", "element", "is_last", "language", "matched_rules", "parent", "previous",
        "style", "tag",
    )  # fmt: skip

    def __init__(
        self, element: lxml_html.HtmlElement, parent: "Node | None", previous: "Node | None"
    ) -> None:
        self.element = element
        self.parent = parent
        self.previous = previous
        self.tag = str(element.tag)
        self.classes = frozenset((element.get("class") or "").split())
        self.style: str = element.get("style") or ""
        self.language: str = element.get("lang") or (parent.language if parent is not None else "")
        self.children: list[Node] = []
        self.is_last = False
        self.matched_rules: tuple[tuple[StyleRule, tuple[int, int, int]], ...] = ()

    def get(self, name: str) -> str | None:
        value: str | None = self.element.get(name)
        return value

    @property
    def text(self) -> str:
        return " ".join(self.element.text_content().split())

    def closest(self, *tags: str) -> "Node | None":
        """This node or its nearest ancestor with one of ``tags``."""
        node: Node | None = self
        while node is not None and node.tag not in tags:
            node = node.parent
        return node


def list_nodes(root: lxml_html.HtmlElement) -> list[Node]:
    """Return ``root`` and every element below it, in document order."""
    nodes: list[Node] = []
    stack: list[tuple[lxml_html.HtmlElement, Node | None]] = [(root, None)]
    while stack:
        element, parent = stack.pop()
        previous = parent.children[-1] if parent is not None and parent.children else None
        node = Node(element, parent, previous)
        if parent is not None:
            parent.children.append(node)
        nodes.append(node)
        stack.extend((child, node) for child in reversed(element) if isinstance(child.tag, str))
    for node in nodes:
        if node.children:
            node.children[-1].is_last = True
    return nodes


def match_rules(nodes: Sequence[Node], rules: Sequence[StyleRule]) -> None:
    """Set ``matched_rules`` of every node: the rules that match it, each with its specificity, in order."""
    index = _RuleIndex(rules, nodes)
    for node in nodes:
        met: dict[StyleRule, tuple[int, int, int]] = {}
        for rule, selector in index.candidates(node):
            if rule in met and met[rule] >= selector.specificity:
                continue
            if _matches_compound(node, selector.subject) and _matches_context(node, selector.others):
                met[rule] = selector.specificity
        node.matched_rules = tuple(sorted(met.items(), key=lambda item: item[0].order))


class _RuleIndex:
    """Rules indexed by the last compound of their selectors, so that few are tested for each node. Rules that
    need a class or an attribute that no node has are left out, such as those for the page of one email
    program."""

    def __init__(self, rules: Sequence[StyleRule], nodes: Sequence[Node]) -> None:
        self._classes = frozenset().union(*(node.classes for node in nodes))
        self._names = frozenset(str(name) for node in nodes for name in node.element.attrib)
        self._by_class: dict[str, list[tuple[StyleRule, Selector]]] = defaultdict(list)
        self._by_tag: dict[str, list[tuple[StyleRule, Selector]]] = defaultdict(list)
        self._others: list[tuple[StyleRule, Selector]] = []
        for rule in rules:
            for selector in filter(self._can_match, rule.selectors):
                self._bucket_for(selector.subject).append((rule, selector))

    def _can_match(self, selector: Selector) -> bool:
        return all(
            compound.classes <= self._classes
            and all(name in self._names for name, _, _ in compound.attributes)
            for compound in (selector.subject, *(other for _, other in selector.others))
        )

    def _bucket_for(self, subject: Compound) -> list[tuple[StyleRule, Selector]]:
        if subject.classes:
            return self._by_class[min(subject.classes)]
        return self._by_tag[subject.tag] if subject.tag not in {"", "*"} else self._others

    def candidates(self, node: Node) -> Iterator[tuple[StyleRule, Selector]]:
        for name in node.classes:
            yield from self._by_class.get(name, ())
        yield from self._by_tag.get(node.tag, ())
        yield from self._others


def _matches_context(node: Node, others: tuple[tuple[str, Compound], ...]) -> bool:
    if not others:
        return True
    (combinator, compound), rest = others[0], others[1:]
    near = node.previous if combinator in {"+", "~"} else node.parent
    while near is not None:
        if _matches_compound(near, compound) and _matches_context(near, rest):
            return True
        if combinator in {">", "+"}:
            return False
        near = near.previous if combinator == "~" else near.parent
    return False


def _matches_compound(node: Node, compound: Compound) -> bool:
    if compound.tag not in {"", "*", node.tag} or not compound.classes <= node.classes:
        return False
    if not (compound.ids or compound.attributes or compound.pseudos):
        return True
    if compound.ids and node.get("id") not in compound.ids:
        return False
    return all(_matches_attribute(node, *attribute) for attribute in compound.attributes) and all(
        _matches_pseudo(node, *pseudo) for pseudo in compound.pseudos
    )


def _matches_attribute(node: Node, name: str, operator: str, wanted: str) -> bool:
    value = node.get(name)
    if value is None or not operator:
        return value is not None
    return {
        "=": value == wanted,
        "~=": wanted in value.split(),
        "|=": value == wanted or value.startswith(f"{wanted}-"),
        "^=": bool(wanted) and value.startswith(wanted),
        "$=": bool(wanted) and value.endswith(wanted),
        "*=": bool(wanted) and wanted in value,
    }[operator]


def _matches_pseudo(node: Node, name: str, argument: str) -> bool:
    """Return whether a pseudo-class applies to a static email; unknown ones and those of a pointer do not."""
    if name == "root":
        return node.parent is None
    if name == "lang":
        language, wanted = node.language.lower(), argument.strip("\"'").lower()
        return language == wanted or language.startswith(f"{wanted}-")
    if name == "link":
        return node.tag == "a" and node.get("href") is not None
    if name == "first-child":
        return node.previous is None
    return name == "last-child" and node.is_last
