"""Word's fields for links, such as ``HYPERLINK "https://example.org/page" \\l "part"``.

A field is either one element, or a beginning, its instruction, its result and an end, each in a run of its
own. mammoth reads only the address of the second kind, and takes the switches after it for a part of it.
"""

import re
from dataclasses import dataclass, field

from lxml import etree

from editions.imports.docx.ooxml import get_attribute

_HYPERLINK = re.compile(r"\s*HYPERLINK\b", re.IGNORECASE)
_TOKEN = re.compile(r'\\(?P<switch>[a-zA-Z])|["“”](?P<quoted>[^"“”]*)["“”]|(?P<bare>[^\s"“”]+)')
# Switches with a value of their own: the part of the page, the text shown on hover, the window.
_VALUED_SWITCHES = frozenset("lot")


def read_link_address(instruction: str) -> str | None:
    """The address in a field's instruction, with its fragment; None when it is no link.

    >>> read_link_address('HYPERLINK "https://example.org/page" \\\\l "part"')
    'https://example.org/page#part'
    """
    found = _HYPERLINK.match(instruction)
    if not found:
        return None
    address, fragment, switch = "", "", ""
    for token in _TOKEN.finditer(instruction, found.end()):
        if token["switch"]:
            switch = token["switch"].lower()
            continue
        value = token["quoted"] if token["quoted"] is not None else token["bare"]
        if switch == "l":
            fragment = fragment or value
        elif switch not in _VALUED_SWITCHES:
            address = address or value
        switch = ""
    return add_fragment(address.strip(), fragment.strip())


def add_fragment(address: str, fragment: str) -> str:
    """``address`` with ``fragment``, unless it has one."""
    return f"{address}#{fragment}" if fragment and "#" not in address else address


@dataclass
class _OpenField:
    instructions: list[etree._Element] = field(default_factory=list)
    in_result: bool = False


class FieldReader:
    """Follows the fields of a part in reading order, and puts the whole address of a link where mammoth looks
    for it."""

    def __init__(self) -> None:
        self._open: list[_OpenField] = []

    def read_mark(self, mark: etree._Element) -> None:
        """Read a ``w:fldChar``: the beginning, the middle or the end of a field."""
        kind = get_attribute(mark, name="w:fldCharType")
        if kind == "begin":
            self._open.append(_OpenField())
        elif kind == "separate" and self._open:
            _rewrite(self._open[-1].instructions)
            self._open[-1].in_result = True
        elif kind == "end" and self._open:
            self._open.pop()

    def read_instruction(self, instruction: etree._Element) -> None:
        """Read a ``w:instrText``, a piece of a field's instruction."""
        if self._open and not self._open[-1].in_result:
            self._open[-1].instructions.append(instruction)


def _rewrite(instructions: list[etree._Element]) -> None:
    address = read_link_address("".join(piece.text or "" for piece in instructions))
    if address is None:
        return
    for piece in instructions[1:]:
        piece.text = ""
    instructions[0].text = (
        f' HYPERLINK \\l "{address[1:]}"' if address.startswith("#") else f' HYPERLINK "{address}"'
    )
