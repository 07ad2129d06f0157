"""MJML to HTML: parsed and checked here first, because MRML accepts nearly everything without a word.

An unknown component, a misspelt attribute, a component in the wrong place: MRML passes them all through, and
says of a real fault only the byte offset of the tag around it. Here every fault has a template, a story and a
line.
"""

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache

from lxml import etree
from markupsafe import Markup

import templates
from mailer.errors import TemplateError
from mailer.rendering.guarding import guard

# A block's first line says who wrote what follows; taken out before rendering.
_ORIGIN = re.compile(r"\n?<!--@ (.*?) -->")
# Declarations, as in a style attribute; each must have a name and a value.
_DECLARATION = re.compile(r"\s*[\w-]+\s*:\s*\S")
_COMPONENTS = templates.ROOT / "email" / "components.toml"


@dataclass(frozen=True, kw_only=True)
class Component:
    """What is known of one component: where it may stand, what it may carry, whether HTML stands inside."""

    parents: tuple[str, ...]
    attributes: frozenset[str]
    required: frozenset[str]
    content: bool


@cache
def known_components() -> tuple[dict[str, Component], dict[str, str]]:
    """The components a template may use by name, and the refused ones with the reason."""
    data = tomllib.loads(_COMPONENTS.read_text(encoding="utf-8"))
    known = {
        name: Component(
            parents=tuple(entry["parents"]),
            attributes=frozenset(entry["attributes"]),
            required=frozenset(entry.get("required", ())),
            content=entry.get("content", False),
        )
        for name, entry in data["components"].items()
    }
    return known, data["refused"]


def mark_origin(origin: str) -> Markup:
    """The comment that says where the lines after it come from; it begins a line of its own."""
    # No value can end a comment that has no "--" in it.
    return Markup(f"\n<!--@ {origin.replace('--', '- -')} -->")  # noqa: S704


def strip_origins(mjml: str) -> str:
    """``mjml`` without the marks of :func:`mark_origin`."""
    return _ORIGIN.sub("", mjml)


def convert_mjml(mjml: str, *, template: str) -> str:
    """Render ``mjml`` to a complete HTML document, not yet inlined.

    Raises:
        TemplateError: it is not well-formed, or uses what is not in the list; every fault with its line.
    """
    check_mjml(mjml, template=template)
    # Kept out of the module's head: the command line imports this module for its errors alone.
    from mjml import mjml2html

    try:
        # Without fonts={} MRML links and @imports web fonts from elsewhere as soon as one is named.
        html: str = mjml2html(guard(strip_origins(mjml)), fonts={})
    except ValueError as error:
        raise TemplateError(f"{template}: the renderer refuses this MJML: {error}.") from error
    left = re.search(r"<(mj-[\w-]+)", html)
    if left:
        raise TemplateError(
            f"{template}: <{left[1]}> was left in the HTML. See email/components.toml for those there are."
        )
    return _mark_main(html)


def _mark_main(html: str) -> str:
    """``html`` with its whole body in ``<main>``, so that whoever moves by landmarks finds the letter.

    The element and not the role: Gmail, Outlook.com and Yahoo take the tags of ``<main>`` out and keep what
    is inside (caniemail.com/features/html-semantics); a role they would keep, as a second main landmark of
    their own page.
    """
    opened = re.sub(r"(<body\b[^>]*>)", r"\1<main>", html, count=1)
    head, end, tail = opened.rpartition("</body>")
    return f"{head}</main>{end}{tail}"


def check_mjml(mjml: str, *, template: str) -> None:
    """Refuse what MRML would pass through or stumble over.

    Raises:
        TemplateError: naming the template, the story or block, the line and column of every fault.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(mjml.encode(), parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise TemplateError(
            f"{_place(mjml, template, line)}, column {column}: not well-formed: {error.msg}."
        ) from error
    faults = [*_find_constructs(mjml), *_find_faults(root)]
    if faults:
        raise TemplateError(
            "\n".join(f"{_place(mjml, template, line)}: {fault}" for line, fault in sorted(faults))
        )


def _place(mjml: str, template: str, line: int) -> str:
    """``template:line``, with the block or story whose mark stands last before that line."""
    before = "\n".join(mjml.splitlines()[:line])
    origins = _ORIGIN.findall(before)
    return f"{template}:{line} ({origins[-1]})" if origins else f"{template}:{line}"


def _find_constructs(mjml: str) -> Iterator[tuple[int, str]]:
    """XML that lxml reads and MRML does not."""
    for pattern, name in (
        (r"<!\[CDATA\[", "a CDATA section"),
        (r"<!DOCTYPE", "a DOCTYPE"),
        (r"<\?", "<?…?>"),
    ):
        for match in re.finditer(pattern, mjml):
            yield mjml.count("\n", 0, match.start()) + 1, f"{name} cannot stand in MJML. Leave it out"


def _find_faults(root: etree._Element) -> Iterator[tuple[int, str]]:
    if root.tag != "mjml":
        yield _line(root), f"the document begins with <{root.tag}>, and must begin with <mjml>"
    for element in root.iter(etree.Element):
        if str(element.tag).startswith("mj"):
            for fault in _check_component(element):
                yield _line(element), fault
        style = element.get("style", "")
        # premailer keeps one cache for selectors, sheets and style attributes: style="p" beside a rule for p
        # makes it take the one for the other and fail.
        if any(part.strip() and not _DECLARATION.match(part) for part in style.split(";")):
            yield _line(element), f'style="{style}" on <{element.tag}> is no list of "name: value"'


def _check_component(element: etree._Element) -> Iterator[str]:
    known, refused = known_components()
    name, parent = str(element.tag), element.getparent()
    if name in refused:
        yield f"<{name}> must not be used: {refused[name]}"
        return
    if name not in known:
        yield f"<{name}> is no component we know. There are: {', '.join(sorted(known))}"
        return
    component = known[name]
    above = "" if parent is None else str(parent.tag)
    if above not in component.parents and not (parent is None and name == "mjml"):
        places = " or ".join(f"<{place}>" for place in component.parents)
        yield f"<{name}> stands in <{above}>, and may stand only in {places or 'no other element'}"
    yield from _check_attributes(element, component, in_defaults=above == "mj-attributes")


def _check_attributes(element: etree._Element, component: Component, *, in_defaults: bool) -> Iterator[str]:
    for attribute in sorted(set(map(str, element.attrib)) - component.attributes):
        yield f"<{element.tag}> has no attribute {attribute}. It has: {_listed(component.attributes)}"
    for attribute in sorted(component.required - set(map(str, element.attrib))):
        if not in_defaults:
            yield f"<{element.tag}> needs {attribute}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _line(element: etree._Element) -> int:
    line: int = element.sourceline or 1  # type: ignore[assignment]  # lxml-stubs leave it open
    return line
