"""The texts that the cells of an Excel workbook share, kept in little memory."""

from array import array
from collections.abc import Mapping

from locales.phrase import gettext_noop
from subscribers.errors import ImportFileError
from subscribers.imports.files.excel_values import unescape_text
from subscribers.imports.files.xml_stream import CellText

_MAX_SHARED_BYTES, _MAX_SHARED_TEXTS = 160 << 20, 8_000_000


class SharedTexts:
    """The texts that cells refer to by number: one piece of UTF-8, and where each text ends.

    As Python's strings they would take four times as much.
    """

    def __init__(self, file: str) -> None:
        self.depth = 0
        self.text: list[str] = []
        self._file = file
        self._bytes = bytearray()
        self._ends = array("I")
        self._pieces = CellText(file)
        self._is_phonetic = False
        self._item = self._piece = self._phonetic = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002 - the interface of XmlHandler
        self.depth += 1
        if name == self._piece or name == self._item:
            self.text.clear()
        elif name == self._phonetic:
            # How a Japanese name is pronounced, written above it.
            self._is_phonetic = True
        elif not self._item:
            space = name.rpartition(" ")[0]
            self._item, self._piece, self._phonetic = f"{space} si", f"{space} t", f"{space} rPh"

    def end(self, name: str) -> None:
        self.depth -= 1
        if name == self._piece:
            if not self._is_phonetic:
                self._pieces.add("".join(self.text))
            self.text.clear()
        elif name == self._item:
            self._add(self._pieces.take())
        elif name == self._phonetic:
            self._is_phonetic = False

    def get(self, number: str) -> str:
        """Return the text with that number, as a cell writes it; empty if there is none."""
        place = int(number) if number.isdecimal() and len(number) < 9 else -1
        if not 0 <= place < len(self._ends):
            return ""
        start = self._ends[place - 1] if place else 0
        return self._bytes[start : self._ends[place]].decode()

    def _add(self, text: str) -> None:
        self._bytes += unescape_text(text).encode("utf-8", "replace")
        self._ends.append(len(self._bytes))
        if len(self._bytes) > _MAX_SHARED_BYTES or len(self._ends) > _MAX_SHARED_TEXTS:
            raise ImportFileError(
                self._file,
                gettext_noop(
                    "it has more than %(most)s different texts, or %(megabytes)s MB of them. "
                    "Save the list's sheet as CSV."
                )
                % {"most": f"{_MAX_SHARED_TEXTS:,}", "megabytes": _MAX_SHARED_BYTES >> 20},
            )
