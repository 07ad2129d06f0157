"""Workarounds for three silent changes that MRML makes to its input.

Measured on mjml-python 1.4 (MRML 6.0). Each workaround applies to well-formed MJML text
(:mod:`mailer.rendering.pipeline.mjml` parses it first) and can be applied twice without harm.
"""

import re

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


def apply_workarounds(mjml: str) -> str:
    """``mjml`` with everything that MRML would change written so that it does not."""
    return set_units(escape_attributes(flatten_lines(mjml)))


def escape_attributes(mjml: str) -> str:
    r"""Write the risky characters of every attribute value as numeric references.

    MRML prints values with Rust's ``{:?}``: a backslash comes out doubled, ``"`` inside single quotes as
    ``\"``, and anything Rust finds unprintable (U+3000, U+00A0, the joiner of emoji, combining accents) as
    ``\u{3000}``.

    The words of ``mj-title`` count as one too: MRML makes ``aria-label`` of them.
    """
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
    components.

    MRML drops a text node that is white space beginning with a newline: ``<b>a</b>\\n<i>b</i>`` loses its
    space, and a ``<pre>`` its empty lines. Between components it rejects white space that begins otherwise.
    """
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
    """``text`` on one line, with a space for each line end and the blanks around it."""
    first, *others = text.split("\n")
    if not others:
        return text
    inner = [line for line in (line.strip(_BLANK) for line in others[:-1]) if line]
    return " ".join([first.rstrip(_BLANK), *inner, others[-1].lstrip(_BLANK)])


def set_units(mjml: str) -> str:
    """Write ``0px`` for ``0`` in paddings: MRML does not subtract a padding with a bare zero from a picture's
    width."""

    def rewrite(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}{_BARE_ZERO.sub('0px', match[3])}{match[2]}"

    return _PADDING.sub(rewrite, mjml)
