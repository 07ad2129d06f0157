"""Reading a text file of an edition, or explaining why it cannot be read."""

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from editions.cache import BoundedCache, FileStamp, is_settled, stamp_file
from editions.errors import Problem
from editions.source.folder import leads_outside
from editions.unsafe_characters import UNSAFE_MESSAGE, find_unsafe_character, remove_unsafe_characters
from locales.phrase import Phrase, gettext_noop

MAX_BYTES = 1_000_000
"""The most bytes a Markdown file may have. An email must stay below 100 kB, so this is generous."""

_MAX_PROBLEMS = 20
_BYTE_ORDER_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


@dataclass(frozen=True, kw_only=True)
class TextFile:
    """A file's text, with ``\\n`` line ends and no unsafe characters; ``name`` is relative to the edition."""

    name: str
    text: str


# Files that have not changed for a while, by name and stamp.
_unchanged_files: BoundedCache[tuple[TextFile, tuple[Problem, ...]]] = BoundedCache(
    16_000_000, measure=lambda found: len(found[0].text) + 1000
)


def text_digest(text: str) -> str:
    """Return 12 hexadecimal digits of a text, for ``translated_from``; every kind of line end is the same."""
    return hashlib.sha256(normalise_line_ends(text).strip().encode("utf-8", "replace")).hexdigest()[:12]


def normalise_line_ends(text: str) -> str:
    """Return ``text`` without a byte order mark, with ``\\n`` for every kind of line end."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_text_file(
    folder: Path, name: str, stamp: FileStamp | None = None
) -> tuple[TextFile | None, list[Problem]]:
    """Read the file ``name`` of the edition in ``folder``; what is wrong with it is returned as problems.
    ``stamp`` is that of :class:`~editions.source.folder.FolderContents`, if it has one."""
    try:
        stamp = stamp or _check_and_stamp(folder, name)
        if known := _unchanged_files.get((name, stamp)):
            return known[0], [*known[1]]
        data = _read_bytes(folder / name)
    except _RejectedFileError as refusal:
        return None, [Problem.error(name, 1, refusal.code, refusal.reason)]
    file, problems = _decode(name, data)
    if file and is_settled(stamp):
        _unchanged_files.put((name, stamp), (file, tuple(problems)))
    return file, problems


def _decode(name: str, data: bytes) -> tuple[TextFile | None, list[Problem]]:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return None, [
                Problem.error(
                    name,
                    1,
                    "not-utf-8",
                    gettext_noop("the file is %(encoding)s, not UTF-8. Save it again as UTF-8."),
                    encoding=encoding,
                )
            ]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return None, [_encoding_problem(name, data, error)]
    return read_unsaved_text(name, text)


def read_unsaved_text(name: str, text: str) -> tuple[TextFile, list[Problem]]:
    """Read ``text`` as if it stood in the file ``name``, with its problems."""
    text = normalise_line_ends(text)
    if not find_unsafe_character(text):
        return TextFile(name=name, text=text), []
    return TextFile(name=name, text=remove_unsafe_characters(text)), _unsafe_character_problems(name, text)


class _RejectedFileError(Exception):
    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


def _check_and_stamp(folder: Path, name: str) -> FileStamp:
    try:
        if leads_outside(folder, name):
            raise _RejectedFileError(
                "outside-folder",
                gettext_noop(
                    "this is a link to a file outside the edition's folder. Replace it with a copy of the "
                    "file."
                ),
            )
        stamp = stamp_file(folder / name)
    except (OSError, RuntimeError) as error:
        raise _unreadable_file_error(error) from error
    if not stat.S_ISREG(stamp.mode):
        raise _RejectedFileError(
            "unreadable-file", gettext_noop("this is not an ordinary file. Put a Markdown file in its place.")
        )
    return stamp


def _unreadable_file_error(error: Exception) -> _RejectedFileError:
    why = getattr(error, "strerror", None) or "its links form a loop"
    return _RejectedFileError(
        "unreadable-file",
        gettext_noop("the file cannot be read (%(why)s). Check its permissions and try again.")
        % {"why": why},
    )


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable_file_error(error) from error
    if len(data) > MAX_BYTES:
        raise _RejectedFileError(
            "file-too-large",
            gettext_noop(
                "the file is larger than %(most)s MB, too large for a story. Put pictures into images/ "
                "and keep only text here."
            )
            % {"most": MAX_BYTES // 1000000},
        )
    return data


def _encoding_problem(name: str, data: bytes, error: UnicodeDecodeError) -> Problem:
    line = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
    return Problem.error(
        name,
        line,
        "not-utf-8",
        gettext_noop(
            "the file is not UTF-8: byte 0x%(byte)s on this line is not valid. Save it again as UTF-8."
        ),
        byte=f"{data[error.start]:02X}",
    )


def _unsafe_character_problems(name: str, text: str) -> list[Problem]:
    """One problem for each line that has unsafe characters, for the first lines only."""
    found = ((number, find_unsafe_character(line)) for number, line in enumerate(text.split("\n"), start=1))
    lines = [(number, character) for number, character in found if character]
    return [
        Problem.error(name, number, "unsafe-character", Phrase(UNSAFE_MESSAGE, sign=character))
        for number, character in lines[:_MAX_PROBLEMS]
    ]
