"""Parsing YAML 1.2 as plain text: every value is a string, every key has its line.

The values are built from ruamel's parsing events, not from a loaded document: an event still has its line and
its text as written (``NO``, ``1.10``, ``yes``), and an anchor is rejected before it can be expanded.
"""

from collections.abc import Iterator
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from editions.errors import Problem
from editions.unsafe_characters import UNSAFE_MESSAGE, find_unsafe_character, remove_unsafe_characters
from locales.phrase import Phrase, gettext_noop

YamlValue: TypeAlias = "str | list[YamlValue] | dict[str, YamlValue]"
KeyPath: TypeAlias = tuple[str | int, ...]
"""The path to a value: ``("image", "alt")``, ``("countries", 0)``."""

_MAX_CHARACTERS = 100_000
# Soft hyphen, zero-width spaces and joiners, byte order mark: invisible on their own.
_INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
_MAX_DEPTH = 6

# Parts of ruamel's messages, and what to do.
_HINTS = (
    (
        "mapping values are not allowed",
        gettext_noop(
            "Put quotes around a value that contains a colon and a space, and indent neighbouring keys alike"
        ),
    ),
    ("'\\t'", gettext_noop("Indent with spaces: YAML does not allow tabs")),
    (
        "cannot start any token",
        gettext_noop("Put quotes around a value that begins with @, %, ` or another symbol"),
    ),
    ("unexpected end of stream", gettext_noop("A quotation mark is opened but not closed")),
    (
        "could not find expected ':'",
        gettext_noop("Write each line as `key: value`, with a space after the colon"),
    ),
    ("expected ',' or", gettext_noop("End a list on one line with a closing bracket, as in [CN, MN]")),
    (
        "expected <block end>",
        gettext_noop(
            "A line is indented differently from its neighbours, or text follows a closing quotation mark"
        ),
    ),
    ("unknown escape", gettext_noop("Double a backslash within double quotes, or use single quotes")),
)
_NO_HINT = gettext_noop("Compare the line with its neighbours: `key: value`, indented with spaces")


class YamlParser:
    """Parses one text into ``values`` (None if it is not valid YAML), ``lines`` and ``problems``."""

    def __init__(self, name: str, first_line: int) -> None:
        self.values: dict[str, YamlValue] | None = None
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self._name = name
        self._first_line = first_line
        self._events: Iterator[Event] = iter(())

    def parse(self, text: str) -> None:
        self._events = YAML(typ="base", pure=True).parse(text)
        try:
            self.values = self._parse_document()
        except _RejectedYamlError as refusal:
            self.report(refusal.line, refusal.code, refusal.message)
        except YAMLError as error:
            self._report_syntax(error)
        except (ValueError, OverflowError):
            # ruamel hands the number of "\U99999999" to chr() unchecked.
            self.report(
                max(self.lines.values(), default=self._first_line),
                "yaml-syntax",
                gettext_noop(
                    "the front matter is not valid YAML: an escape such as \\UFFFFFFFF is not a character. "
                    "Write the character itself."
                ),
            )

    def report(self, line: int, code: str, message: str, /, **values: object) -> None:
        self.problems.append(Problem.error(self._name, line, code, message, **values))

    def _parse_document(self) -> dict[str, YamlValue]:
        next(self._events)
        event = next(self._events)
        if isinstance(event, StreamEndEvent):
            return {}
        event = next(self._events)
        if not isinstance(event, MappingStartEvent):
            raise _RejectedYamlError(
                self._line(event),
                "no-keys",
                gettext_noop("the front matter has no keys. Write lines such as `title: Our year`."),
            )
        values = self._parse_mapping(event, ())
        next(self._events)
        if isinstance(event := next(self._events), DocumentStartEvent):
            raise _RejectedYamlError(
                self._line(event),
                "yaml-syntax",
                gettext_noop("the front matter continues after a line `...`. Delete that line."),
            )
        return values

    def _parse_value(self, event: Event, key_path: KeyPath) -> YamlValue:
        self._reject_references(event)
        if len(key_path) > _MAX_DEPTH:
            raise _RejectedYamlError(
                self._line(event),
                "yaml-too-deep",
                gettext_noop(
                    "this is nested more than %(levels)s levels deep, and no key needs that. Write it flat."
                )
                % {"levels": _MAX_DEPTH},
            )
        if isinstance(event, MappingStartEvent):
            return self._parse_mapping(event, key_path)
        if isinstance(event, SequenceStartEvent):
            return self._parse_sequence(key_path)
        return self._parse_scalar(event)

    def _parse_mapping(self, start: Event, key_path: KeyPath) -> dict[str, YamlValue]:
        self._reject_references(start)
        values: dict[str, YamlValue] = {}
        first: dict[str, int] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key, line = self._parse_key(event), self._line(event)
            again = key in first
            self.lines.setdefault((*key_path, key), line)
            value = self._parse_value(next(self._events), (*key_path, key))
            if again:
                self.report(
                    line,
                    "duplicate-key",
                    gettext_noop(
                        "`%(key)s` is given twice (first on line %(first)s), so one would be lost. Keep one."
                    ),
                    key=key,
                    first=first[key],
                )
            elif not _is_blank(value):
                values[key] = value
            first.setdefault(key, line)
        return values

    def _parse_sequence(self, key_path: KeyPath) -> list[YamlValue]:
        items: list[YamlValue] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            here = (*key_path, len(items))
            self.lines.setdefault(here, self._line(event))
            items.append(self._parse_value(event, here))
        return items

    def _parse_scalar(self, event: Event) -> str:
        value = str(getattr(event, "value", ""))
        if unsafe := find_unsafe_character(value):
            # Unsafe characters in the file are already removed; these are escapes in double quotes
            # ("\u2028").
            self.report(self._line(event), "unsafe-character", Phrase(UNSAFE_MESSAGE, sign=unsafe))
        return remove_unsafe_characters(value)

    def _parse_key(self, event: Event) -> str:
        self._reject_references(event)
        if not isinstance(event, ScalarEvent):
            raise _RejectedYamlError(
                self._line(event), "yaml-syntax", gettext_noop("a key must be one word, such as `title`.")
            )
        return remove_unsafe_characters(str(event.value))

    def _reject_references(self, event: Event) -> None:
        """Reject anchors, which can expand to gigabytes, and tags, which construct objects."""
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _RejectedYamlError(
                self._line(event),
                "yaml-anchor",
                gettext_noop(
                    "anchors (&) and aliases (*) are not allowed, because a few lines of them can fill the "
                    "memory. Write the value out, or put quotes around it."
                ),
            )
        if getattr(event, "tag", None) is not None:
            raise _RejectedYamlError(
                self._line(event),
                "yaml-tag",
                gettext_noop(
                    "tags (!) are not allowed, because every value is plain text. Put quotes around the "
                    "value."
                ),
            )

    def _line(self, event: Event) -> int:
        return self._first_line + int(event.start_mark.line)

    def _report_syntax(self, error: YAMLError) -> None:
        message, line = " ".join(str(error).split()), self._first_line
        if isinstance(error, MarkedYAMLError):
            message = str(error.problem or error.context)
            # An unclosed quotation mark or bracket is only noticed at the end; its beginning is more helpful.
            opened = any(
                words in str(error.context) for words in ("quoted scalar", "flow sequence", "flow mapping")
            )
            mark = error.context_mark if opened else error.problem_mark or error.context_mark
            line += int(mark.line) if mark else 0
        hint = next((hint for words, hint in _HINTS if words in message), _NO_HINT)
        self.report(
            line,
            "yaml-syntax",
            gettext_noop("the front matter is not valid YAML: %(message)s. %(hint)s."),
            message=message,
            hint=hint,
        )


class _RejectedYamlError(Exception):
    """The text uses a feature of YAML that is not allowed."""

    def __init__(self, line: int, code: str, message: str) -> None:
        self.line, self.code, self.message = line, code, message
        super().__init__(message)


def parse_yaml(text: str, *, name: str, first_line: int) -> YamlParser:
    """Parse ``text``, which begins on line ``first_line`` of the file ``name``. Never raises."""
    reading = YamlParser(name, first_line)
    if len(text) > _MAX_CHARACTERS:
        reading.report(
            first_line,
            "front-matter-too-large",
            gettext_noop("the front matter has more than %(most)s characters. Put long texts into the body."),
            most=f"{_MAX_CHARACTERS:,}",
        )
    else:
        reading.parse(text)
    return reading


def _is_blank(value: YamlValue) -> bool:
    return isinstance(value, str) and not value.translate(_INVISIBLE).strip()
