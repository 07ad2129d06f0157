"""Turning MJML into HTML."""

import itertools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from lxml import etree
from markupsafe import Markup
from pydantic import TypeAdapter

import templates
from locales.phrase import Phrase, gettext_noop, join_phrases
from mailer.errors import MjmlError

# Comments first, so that no tag in a conditional comment is mistaken for ours; a quoted value may contain
# ">".
_COMMENT_OR_TAG = re.compile(r"""<!--.*?-->|<[A-Za-z](?:[^<>"']++|"[^"]*"|'[^']*')*+>""", re.DOTALL)
_TITLE = re.compile(r"<mj-title>[^<]+")
_ATTRIBUTE = re.compile(r"""=\s*(?:"([^"]*)"|'([^']*)')""")
# A component with HTML inside, from its opening tag (not a self-closing one) to its end.
_CONTENT = re.compile(
    r"""<(mj-(?:text|raw|table|button))(?:\s(?:[^>"'/]++|/(?!>)|"[^"]*"|'[^']*')*+)?>"""
    r"""[^<]*+(?:<(?!/\1>)[^<]*+)*+</\1>"""
)
# Not IGNORECASE, which is ten times slower.
_PREFORMATTED = re.compile(r"(<[Pp][Rr][Ee]\b.*?</[Pp][Rr][Ee]>)", re.DOTALL)
# Not everything that str.strip() removes, which includes the ideographic spaces at the start of Chinese
# paragraphs.
_BLANK = " \t\r"
# The word comes first, because literal prefixes are searched fastest; cellpadding is not meant.
_PADDING = re.compile(r"""(padding(?<=[\s-]padding)(?:-\w+)?=)(["'])([^"']*)\2""")
_BARE_ZERO = re.compile(r"(?<![\w.#])0(?=\s|$)")
# The first line of a block states where the following lines come from; removed before rendering.
_ORIGIN = re.compile(r"<!--@ (.*?) -->")
# From it on, the head is what templates wrote into it themselves.
_HEAD_MARK = "<!--@written-->"
_COMMENT_OR_HEAD = re.compile(r"<!--.*?-->|<mj-head>", re.DOTALL)
# Declarations, as in a style attribute; each must have a name and a value.
_DECLARATION = re.compile(r"\s*[\w-]+\s*:\s*\S")
# The inliner silently loses anything nested more than 256 deep in the HTML, of which MRML uses some fifteen
# levels; with a thousand and more MRML crashes. Our own blocks stay below thirty.
_MAX_DEPTH = 100
_BELOW_MAX_DEPTH = etree.XPath("/*" * (_MAX_DEPTH + 1))
_TOO_DEEP = gettext_noop(
    "<%(name)s> is nested more than %(most)s levels deep, where email programs lose its content. Use fewer "
    "levels, and close every element"
)
_EXCESSIVE_DEPTH = gettext_noop(
    "%(place)s, column %(column)s: is nested more than %(most)s levels deep, where email programs lose its "
    "content. Use fewer levels, and close every element."
)
_NOT_WELL_FORMED = gettext_noop("%(place)s, column %(column)s: not well-formed: %(error)s.")
_FORBIDDEN_XML = {
    "<![CDATA[": gettext_noop("a CDATA section is not allowed in MJML. Remove it"),
    "<!DOCTYPE": gettext_noop("a DOCTYPE is not allowed in MJML. Remove it"),
    "<?": gettext_noop("<?…?> is not allowed in MJML. Remove it"),
}
_COMPONENTS_FILE = templates.ROOT / "email" / "components.toml"


def apply_workarounds(mjml: str) -> str:
    """Return ``mjml`` with everything that MRML would change written so that it does not."""
    return set_units(escape_attributes(flatten_lines(mjml)))


def escape_attributes(mjml: str) -> str:
    r"""Write the risky characters of every attribute value as numeric references. MRML prints values with
    Rust's ``{:?}``: a backslash comes out doubled, ``"`` inside single quotes as ``\"``, and anything Rust
    finds unprintable (U+3000, U+00A0, the joiner of emoji, combining accents) as ``\u{3000}``. The words of
    ``mj-title`` count as one too: MRML makes ``aria-label`` of them."""
    titled = _TITLE.sub(lambda match: "".join(map(_escape, match[0])), mjml)
    pieces, end = [], 0
    for match in _COMMENT_OR_TAG.finditer(titled):
        tag = match[0]
        # Nearly every tag is ASCII, on one line, with values in double quotes, and needs no rewriting.
        plain = tag.isascii() and tag.isprintable() and "'" not in tag and "\\" not in tag
        if not plain and not tag.startswith("<!--"):
            pieces += [titled[end : match.start()], _ATTRIBUTE.sub(_rewrite_value, tag)]
            end = match.end()
    return "".join([*pieces, titled[end:]])


def _rewrite_value(match: re.Match[str]) -> str:
    value = match[1] if match[1] is not None else match[2]
    return '="' + "".join(map(_escape, value)) + '"'


def _escape(character: str) -> str:
    if character in "\n\r\t":
        return " "
    if character in '"\\' or ord(character) > 126:
        return f"&#{ord(character)};"
    return character


def flatten_lines(mjml: str) -> str:
    """Replace line ends with a space in content, with a reference in ``<pre>``, and with nothing between
    components. MRML drops a text node that is white space beginning with a newline: ``<b>a</b>\\n<i>b</i>``
    loses its space, and a ``<pre>`` its empty lines. Between components it rejects white space that begins
    otherwise."""
    pieces, end = [], 0
    for content in _CONTENT.finditer(mjml):
        pieces += [_strip_between_components(mjml[end : content.start()]), _flatten_content(content[0])]
        end = content.end()
    return "".join([*pieces, _strip_between_components(mjml[end:])])


def _strip_between_components(structure: str) -> str:
    return re.sub(r">[ \t\r\n]+<", "><", structure.strip(" \t\r\n"))


def _flatten_content(content: str) -> str:
    if "\n" not in content:
        return content
    parts = _PREFORMATTED.split(content)
    return "".join(
        re.sub(r"\r?\n", "&#10;", part) if index % 2 else _join_lines(part)
        for index, part in enumerate(parts)
    )


def _join_lines(text: str) -> str:
    """Return ``text`` on one line, with a space for each line end and the blanks around it."""
    first, *others = text.split("\n")
    if not others:
        return text
    inner = [line for line in (line.strip(_BLANK) for line in others[:-1]) if line]
    return " ".join([first.rstrip(_BLANK), *inner, others[-1].lstrip(_BLANK)])


def set_units(mjml: str) -> str:
    """Write ``0px`` for ``0`` in paddings: MRML subtracts no bare zero from a picture's width."""

    def rewrite(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}{_BARE_ZERO.sub('0px', match[3])}{match[2]}"

    return _PADDING.sub(rewrite, mjml)


@dataclass(frozen=True, kw_only=True)
class Component:
    parents: tuple[str, ...]
    attributes: frozenset[str]
    required: frozenset[str] = frozenset()


@cache
def known_components() -> tuple[dict[str, Component], dict[str, str]]:
    """Return the components that a template may use, and those that it may not with the reason."""
    data = tomllib.loads(_COMPONENTS_FILE.read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, Component]).validate_python(data["components"]), data["refused"]


def mark_origin(origin: str) -> Markup:
    """Return a comment that states where the following lines come from; it starts a line of its own."""
    # A value without "--" cannot end the comment.
    return Markup(f"\n<!--@ {origin.replace('--', '- -')} -->")  # noqa: S704


def strip_origins(mjml: str) -> str:
    return _ORIGIN.sub("", mjml.replace("\n<!--@ ", "<!--@ "))


def convert_mjml(mjml: str, *, template: str, marks_head: bool = False) -> str:
    """Render ``mjml`` to a complete HTML document, without inlining styles. If it ``marks_head``, then
    :func:`split_head` must follow. Raise MjmlError if it is not well-formed, or uses something that is not
    listed; every error with its line."""
    check_mjml(mjml, template=template)
    # Not imported at the top: the command line imports this module without converting anything.
    from mjml import mjml2html

    try:
        # Without fonts={}, MRML links and @imports external web fonts as soon as one is named.
        plain = apply_workarounds(strip_origins(mjml))
        html: str = mjml2html(_mark_head(plain) if marks_head else plain, fonts={})
    except ValueError as error:
        rejected = gettext_noop("%(template)s: the renderer rejects this MJML: %(error)s.")
        raise MjmlError(rejected, template=template, error=error) from error
    left = re.search(r"<(mj-[\w-]+)", html)
    if left:
        raise MjmlError(
            gettext_noop(
                "%(template)s: <%(name)s> was left in the HTML. email/components.toml lists the "
                "components you can use."
            ),
            template=template,
            name=left[1],
        )
    return _wrap_in_main(html)


def _mark_head(mjml: str) -> str:
    """Return ``mjml`` with a mark in its head. MRML ends the head with the content of each ``mj-raw`` in
    order, so the mark comes after all that components need."""
    found = _COMMENT_OR_HEAD.finditer(mjml)
    end = next((match.end() for match in found if match[0] == "<mj-head>"), None)
    return mjml if end is None else f"{mjml[:end]}<mj-raw>{_HEAD_MARK}</mj-raw>{mjml[end:]}"


def split_head(html: str) -> tuple[str, str]:
    """Return the beginning of a marked document, up to what templates wrote into its head, and the whole of
    it without the mark. The beginning depends on the components used, those of stories too."""
    start, mark, rest = html.partition(_HEAD_MARK)
    return (start, start + rest) if mark else (html[: html.find("</head>")], html)


def _wrap_in_main(html: str) -> str:
    """Return ``html`` with its whole body in ``<main>``, so that people who navigate by landmarks find the
    letter. The element, not the role: Gmail, Outlook.com and Yahoo remove the ``<main>`` tags and keep their
    content (caniemail.com/features/html-semantics); they would keep a role, as a second main landmark of
    their page."""
    opened = re.sub(r"(<body\b[^>]*>)", r"\1<main>", html, count=1)
    head, end, tail = opened.rpartition("</body>")
    return f"{head}</main>{end}{tail}"


def check_mjml(mjml: str, *, template: str) -> None:
    """Raise MjmlError, with the place of every error, if MRML would pass something through or fail on it."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(mjml.encode(), parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        what = error.msg.partition(", line ")[0].strip()
        place = _describe_place(mjml, template, line)
        if what.startswith("Excessive depth"):
            fault = Phrase(_EXCESSIVE_DEPTH, place=place, column=column, most=_MAX_DEPTH)
        else:
            fault = Phrase(_NOT_WELL_FORMED, place=place, column=column, error=what)
        raise MjmlError(fault) from error
    faults = [*_find_unsupported_xml(mjml), *_find_deep_nesting(root), *_find_faults(root)]
    if faults:
        raise MjmlError(
            "\n".join(f"{_describe_place(mjml, template, line)}: {fault}" for line, fault in sorted(faults))
        )


def _describe_place(mjml: str, template: str, line: int) -> str:
    """Return ``template:line``, with the block or story whose mark comes last before that line."""
    before = "\n".join(mjml.splitlines()[:line])
    origins = _ORIGIN.findall(before)
    return f"{template}:{line} ({origins[-1]})" if origins else f"{template}:{line}"


def _find_unsupported_xml(mjml: str) -> Iterator[tuple[int, str]]:
    """XML that lxml accepts and MRML does not."""
    for start, message in _FORBIDDEN_XML.items():
        *before, _ = mjml.split(start)
        for line in itertools.accumulate(piece.count("\n") for piece in before):
            yield line + 1, message


def _find_deep_nesting(root: etree._Element) -> Iterator[tuple[int, str]]:
    """Yield the first element that is nested too deep; reporting each would be as long as the email."""
    deep: list[etree._Element] = _BELOW_MAX_DEPTH(root)  # type: ignore[assignment]  # it finds elements only
    for element in deep[:1]:
        yield _line_of(element), Phrase(_TOO_DEEP, name=element.tag, most=_MAX_DEPTH)


def _find_faults(root: etree._Element) -> Iterator[tuple[int, str]]:
    if root.tag != "mjml":
        wrong = gettext_noop("the document starts with <%(name)s>, but must start with <mjml>")
        yield _line_of(root), Phrase(wrong, name=root.tag)
    for element in root.iter("*"):
        name = str(element.tag)
        if name.startswith("mj"):
            parent = element.getparent()
            above = "" if parent is None else str(parent.tag)
            for fault in _check_component(name, above, tuple(element.attrib)):
                yield _line_of(element), fault
        style = element.get("style")
        if style and not _is_declarations(style):
            wrong = gettext_noop('style="%(style)s" on <%(name)s> is not a list of "name: value"')
            yield _line_of(element), Phrase(wrong, style=style, name=name)


@lru_cache(maxsize=1024)
def _is_declarations(style: str) -> bool:
    return all(not part.strip() or _DECLARATION.match(part) for part in style.split(";"))


@lru_cache(maxsize=1024)
def _check_component(name: str, above: str, attributes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the errors of a component ``name`` with these ``attributes`` inside ``above``. An email has
    hundreds of components, few of them different."""
    return tuple(_find_component_faults(name, above, frozenset(attributes)))


def _find_component_faults(name: str, above: str, attributes: frozenset[str]) -> Iterator[str]:
    known, refused = known_components()
    if name in refused:
        yield Phrase("<%(name)s> must not be used: %(why)s", name=name, why=refused[name])
        return
    if name not in known:
        yield Phrase(
            "<%(name)s> is not a known component. You can use: %(known)s",
            name=name,
            known=", ".join(sorted(known)),
        )
        return
    component = known[name]
    if above not in component.parents and not (not above and name == "mjml"):
        places = [f"<{place}>" for place in component.parents]
        yield Phrase(
            gettext_noop("<%(name)s> is inside <%(above)s>, but is only allowed in %(places)s")
            if places
            else gettext_noop("<%(name)s> is inside <%(above)s>, but is allowed in no other element"),
            name=name,
            above=above,
            **({"places": join_phrases(places)} if places else {}),
        )
    for attribute in sorted(attributes - component.attributes):
        yield Phrase(
            "<%(name)s> has no attribute %(attribute)s. It has: %(known)s",
            name=name,
            attribute=attribute,
            known=", ".join(sorted(component.attributes)) or "–",
        )
    for attribute in sorted(component.required - attributes):
        if above != "mj-attributes":
            yield Phrase("<%(name)s> needs the attribute %(attribute)s", name=name, attribute=attribute)


def _line_of(element: etree._Element) -> int:
    line: int = element.sourceline or 1  # type: ignore[assignment]  # lxml-stubs leave it open
    return line
