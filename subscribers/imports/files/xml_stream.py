"""Parse XML of any size in constant memory, and refuse what would fill it.

A workbook of a few megabytes can unfold to a gigabyte of XML, so nothing here keeps a document. Python's
expat reports each element once and forgets it; the limits are for the four things it does keep: a token that
is not finished, open elements, the names of elements and attributes, and text that a handler collects.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol
from xml.parsers import expat

from locales.phrase import gettext_noop
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import FileSource

BLOCK_BYTES = 1 << 16
_MAX_TOKEN_BYTES = 4 << 20
_MAX_NAMES = 20_000
_MAX_DEPTH = 200
MAX_TEXT_LENGTH = 1_000_000
"""Characters in one cell; Excel allows 32,767."""


class XmlHandler(Protocol):
    """Receives the events of a document. Names are the namespace, a space and the local name.

    ``depth`` counts the open elements, and ``text`` collects characters until the handler clears it.
    """

    depth: int
    text: list[str]

    def start(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def end(self, name: str) -> None: ...


class CellText:
    """The text of one cell, put together from pieces: formatted runs or paragraphs."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._pieces: list[str] = []
        self._length = 0

    def add(self, piece: str) -> None:
        """Add a piece.

        Raises:
            ImportFileError: the text is too long.
        """
        # Empty pieces take memory too.
        self._length += len(piece) + 1
        if self._length > MAX_TEXT_LENGTH:
            raise ImportFileError(
                self._file,
                gettext_noop("a cell has more than %(most)s characters.") % {"most": f"{MAX_TEXT_LENGTH:,}"},
            )
        self._pieces.append(piece)

    def take(self, separator: str = "") -> str:
        """Return the text, and begin the next one."""
        text = separator.join(self._pieces)
        self._pieces.clear()
        self._length = 0
        return text


def parse_xml(part: FileSource, file: str, handler: XmlHandler) -> Iterator[None]:
    """Give the events of ``part`` to ``handler``, and pause after every 64 kB of XML.

    Raises:
        ImportFileError: it is not well-formed, declares entities, or would take too much memory. ``file`` is
            the name it gives.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text.append

    def refuse_declaration(*_: object) -> None:
        # Entities can be copies of each other, and files of this machine; no spreadsheet has any.
        raise ImportFileError(
            file, gettext_noop("its XML declares a document type, which no spreadsheet does.")
        )

    parser.StartDoctypeDeclHandler = refuse_declaration
    fed = 0
    title = part.name.rpartition("/")[2]
    try:
        with part.open() as stream:
            while block := stream.read(BLOCK_BYTES):
                parser.Parse(block, False)
                fed += len(block)
                if (
                    fed - parser.CurrentByteIndex > _MAX_TOKEN_BYTES
                    or len(parser.intern) > _MAX_NAMES
                    or handler.depth > _MAX_DEPTH
                    or sum(map(len, handler.text)) > MAX_TEXT_LENGTH
                ):
                    raise ImportFileError(
                        file,
                        gettext_noop(
                            "its part %(title)s is not what a spreadsheet program writes. Open it in Excel "
                            "or LibreOffice and save it again."
                        )
                        % {"title": title},
                    )
                yield
            parser.Parse(b"", True)
            yield
    except expat.ExpatError as error:
        raise ImportFileError(
            file,
            gettext_noop(
                "it is damaged: %(title)s, %(error)s. Open it in Excel or LibreOffice and save it again."
            )
            % {"title": title, "error": error},
        ) from error


def read_xml(part: FileSource, file: str, handler: XmlHandler) -> None:
    """Give all events of ``part`` to ``handler``; raises as :func:`parse_xml` does."""
    for _ in parse_xml(part, file, handler):
        pass
