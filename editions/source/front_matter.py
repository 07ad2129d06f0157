"""The front matter of a Markdown file: the part between two ``---`` lines at its beginning."""

from collections.abc import Mapping
from dataclasses import dataclass

from editions.cache import BoundedCache
from editions.problem import Level, Problem
from editions.source.text_file import TextFile
from editions.source.yaml_parser import KeyPath, YamlParser, YamlValue, parse_yaml
from locales.phrase import gettext_noop

_FENCE = "---"
# Parsing YAML takes longer than the rest of a file, and authors mostly change bodies.
_parsed_yaml: BoundedCache[YamlParser] = BoundedCache(50_000, measure=lambda parsed: len(parsed.lines) + 1)


@dataclass(frozen=True, kw_only=True)
class FrontMatter:
    """A file split into front matter and body.

    ``values`` is None when the front matter could not be read. An empty value counts as not given, and is
    left out. ``body`` is Markdown and begins on line ``body_line`` of the file; ``lines`` has the line of
    each key and each item, counted from the top of the file.
    """

    values: dict[str, YamlValue] | None
    lines: Mapping[KeyPath, int]
    body: str
    body_line: int

    def line_of(self, *key_path: str | int) -> int:
        """The line of the key path, or of the nearest one around it that exists."""
        while key_path and key_path not in self.lines:
            key_path = key_path[:-1]
        return self.lines.get(key_path, 1)

    def value(self, *key_path: str | int) -> YamlValue:
        """The value at the key path; an empty text when there is none."""
        value: YamlValue = self.values or {}
        for part in key_path:
            if isinstance(value, dict) and isinstance(part, str):
                value = value.get(part, "")
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return ""
        return value

    def text(self, *key_path: str | int) -> str:
        """The text at the key path on one line; empty when there is none."""
        value = self.value(*key_path)
        return " ".join(value.split()) if isinstance(value, str) else ""

    def item_paths(self, key: str) -> list[KeyPath]:
        """The key paths of the items of ``key``, which may be a list or a single item."""
        written = self.value(key)
        return [(key, number) for number in range(len(written))] if isinstance(written, list) else [(key,)]


def read_front_matter(file: TextFile) -> tuple[FrontMatter, list[Problem]]:
    """Split ``file`` at its ``---`` lines and parse the front matter; errors are returned as problems."""
    lines = file.text.split("\n")
    if lines[0].rstrip() != _FENCE:
        return _without_values(file.text, 1), [
            _problem(
                file.name,
                "no-front-matter",
                gettext_noop(
                    "the file does not begin with front matter, so it has no title. Begin with a line ---, "
                    "then `title: …` and the other keys, then another line ---."
                ),
            )
        ]
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE), None)
    if end is None:
        return _without_values("", len(lines)), [
            _problem(
                file.name,
                "open-front-matter",
                gettext_noop(
                    "the front matter is not closed, so the file has no body. Add a line --- after the last "
                    "key."
                ),
            )
        ]
    written = "\n".join(lines[1:end])
    parsed = _parsed_yaml.get_or_create(
        (file.name, written), lambda: parse_yaml(written, name=file.name, first_line=2)
    )
    front = FrontMatter(
        values=parsed.values,
        lines=parsed.lines,
        body="\n".join(lines[end + 1 :]),
        body_line=min(end + 2, len(lines)),
    )
    return front, [*parsed.problems]


def _without_values(body: str, body_line: int) -> FrontMatter:
    return FrontMatter(values=None, lines={}, body=body, body_line=body_line)


def _problem(name: str, code: str, message: str) -> Problem:
    return Problem(path=name, line=1, level=Level.error, code=code, message=message)
