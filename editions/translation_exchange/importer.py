"""Taking back what a translator returned."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from editions.changes.front_matter_change import change_front_matter
from editions.errors import DocumentError, EditionError, FrontMatterError
from editions.rich_text.nodes import DocumentSchemaError, Mark, UnwritableError
from editions.source.front_matter import FrontMatter
from editions.source.schema import EditionTranslation, StoryTranslation
from editions.source.text_file import text_digest
from editions.source.yaml_parser import KeyPath
from editions.translation_exchange.exporter import (
    TranslatedFile,
    export_texts,
    list_translated_files,
    make_units,
)
from editions.translation_exchange.units import (
    FileUnits,
    ReturnedUnit,
    Texts,
    TranslationUnit,
    apply_fields,
    fill_body,
    list_fields,
    normalise,
    plain_text,
)
from locales.phrase import Phrase, gettext_noop, read_error

_NEW_FILE = "---\n---\n"


@dataclass(frozen=True, kw_only=True)
class ExchangeProblem:
    """Something that was not taken: ``place`` is where in the returned file, ``message`` why, and what to
    do."""

    place: str
    message: str


@dataclass(frozen=True, kw_only=True)
class ImportedTranslations:
    """What a returned file changes. ``changes`` has the new text of each file that changes, by its name.
    ``translated`` is how many texts differ from what was there, ``unchanged`` how many do not."""

    changes: Mapping[str, str]
    problems: tuple[ExchangeProblem, ...]
    translated: int = 0
    unchanged: int = 0


def import_translations(
    folder: Path, language: str, returned: Iterable[ReturnedUnit]
) -> ImportedTranslations:
    """Work out what ``returned`` changes in the translation of the edition in ``folder``. Writes nothing.

    A text whose original is not that of the edition any more is not taken, nor is one that is not known.

    Raises:
        EditionError: a file of the edition cannot be read.
    """
    return _Import(list(list_translated_files(folder, language))).take(returned)


class _Import:
    """One returned file, beside the edition as it is now."""

    def __init__(self, files: Sequence[TranslatedFile]) -> None:
        self.files = {file.id: file for file in files}
        self.units = {file.id: make_units(file) for file in files}
        self.problems: list[ExchangeProblem] = []
        self.taken: dict[str, dict[str, ReturnedUnit]] = {}
        self.unchanged = 0

    def take(self, returned: Iterable[ReturnedUnit]) -> ImportedTranslations:
        for unit in returned:
            self._take_unit(unit)
        changes = {}
        for file_id, units in self.taken.items():
            file = self.files[file_id]
            text = self._write(file, units)
            if text is not None and text != file.text:
                changes[file.name] = text
        return ImportedTranslations(
            changes=changes,
            problems=tuple(self.problems),
            translated=sum(map(len, self.taken.values())),
            unchanged=self.unchanged,
        )

    def _take_unit(self, returned: ReturnedUnit) -> None:
        known = self._find(returned)
        if known is None:
            return
        if returned.id in self.taken.get(returned.file_id, {}):
            self._report(
                returned, gettext_noop("this text is there twice. The first was taken: delete one of them.")
            )
        elif returned.source is not None and normalise(returned.source) != normalise(known.source):
            self._report(
                returned,
                Phrase(
                    gettext_noop(
                        "its original is not what the edition says now, so it was not taken: it has changed "
                        "since, or was changed in the file. The edition says “%(text)s”."
                    ),
                    text=_shorten(normalise(known.source)),
                ),
            )
        elif not normalise(returned.target) or _is_same(returned.target, known.target):
            self.unchanged += 1
        else:
            self.taken.setdefault(returned.file_id, {})[returned.id] = returned

    def _find(self, returned: ReturnedUnit) -> TranslationUnit | None:
        file = self.units.get(returned.file_id)
        if file is None:
            self._report(
                returned,
                gettext_noop("the edition has no such story any more, so its texts were not taken."),
            )
            return None
        known = next((unit for unit in file.units if unit.id == returned.id), None)
        if known is None:
            self._report(
                returned, gettext_noop("the edition has no such text any more, so it was not taken.")
            )
        return known

    def _report(self, unit: ReturnedUnit, message: str) -> None:
        self.problems.append(ExchangeProblem(place=unit.place, message=message))

    def _write(self, file: TranslatedFile, units: Mapping[str, ReturnedUnit]) -> str | None:
        """Return the new text of a translation; None if it cannot be written, which is reported."""
        try:
            return _write_translation(file, self.units[file.id], units)
        except (FrontMatterError, EditionError) as error:
            reason = getattr(error, "reason", str(error))
        except (UnwritableError, DocumentSchemaError) as error:
            reason = read_error(error)
        first = next(iter(units.values()))
        unchanged = gettext_noop("%(name)s was not changed: %(reason)s")
        message = Phrase(unchanged, name=file.name, reason=reason)
        self.problems.append(ExchangeProblem(place=first.place, message=message))
        return None


def _write_translation(file: TranslatedFile, known: FileUnits, units: Mapping[str, ReturnedUnit]) -> str:
    now = file.read_translation()
    text = file.text if file.text is not None else _NEW_FILE
    written = list_fields(file.front_matter, is_story=file.is_story)
    paths: dict[str, KeyPath] = {".".join(map(str, path)): path for path, _ in written}
    fields = {
        path: " ".join(plain_text(units[name].target).split())
        for name, path in paths.items()
        if name in units
    }
    bodies = {name: _clean(unit.target) for name, unit in units.items() if name not in paths}
    if bodies or (file.text is None and file.front_matter.body.strip()):
        body = fill_body(file.front_matter.body, now.body, bodies)
        text = _replace_body(text, now, body)
    changes = dict(apply_fields(now.values or {}, fields, file.front_matter))
    if file.text is None:
        changes = {**_required_fields(file), **changes}
    if _is_complete(known, units):
        changes["translated_from"] = text_digest(file.original.text)
    schema = StoryTranslation if file.is_story else EditionTranslation
    return change_front_matter(text, changes, schema=schema) if changes else text


def _required_fields(file: TranslatedFile) -> dict[str, str]:
    """Return what a new translation must have to be read, in the original's words until they are
    translated."""
    schema = StoryTranslation if file.is_story else EditionTranslation
    needed = [name for name, field in schema.model_fields.items() if field.is_required()]
    return {name: file.front_matter.text(name) for name in needed if file.front_matter.text(name)}


def _is_complete(known: FileUnits, units: Mapping[str, ReturnedUnit]) -> bool:
    """Return whether every text of a file has a translation now, or had one."""
    return all(unit.target or unit.id in units for unit in known.units)


def _replace_body(text: str, now: FrontMatter, body: str) -> str:
    if now.body.strip():
        return text.removesuffix(now.body) + body
    return f"{text.rstrip()}\n\n{body.strip()}\n"


def _clean(texts: Texts) -> Texts:
    return tuple(text for text in texts if text.text)


def _is_same(returned: Texts, known: Texts) -> bool:
    """Return whether two texts say the same with the same marks, however they are divided."""
    return _list_signs(returned) == _list_signs(known)


def _list_signs(texts: Texts) -> list[tuple[str, frozenset[Mark]]]:
    return [(sign, frozenset(text.marks)) for text in texts for sign in text.text]


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


_ZIP = b"PK\x03\x04"


def read_translations(name: str, data: bytes, folder: Path, language: str) -> ImportedTranslations:
    """Work out what the returned file ``name`` changes in the translation of an edition. Writes nothing.

    Raises:
        DocumentError: it is neither Word nor XLIFF, cannot be read, or is for another language.
        EditionError: a file of the edition cannot be read.
    """
    return import_translations(folder, language, _read(name, data, folder, language))


def _read(name: str, data: bytes, folder: Path, language: str) -> list[ReturnedUnit]:
    if data.startswith(_ZIP):
        from editions.translation_exchange.word_format import read_docx

        return read_docx(name, data, export_texts(folder, language))
    if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        from editions.translation_exchange.xliff import read_xliff

        target, units = read_xliff(name, data)
        if target and target.lower() != language.lower():
            raise DocumentError(
                name,
                "other-language",
                gettext_noop(
                    "it is a translation into %(target)s, not into %(language)s. Choose its language."
                ),
                target=target,
                language=language,
            )
        return units
    raise DocumentError(
        name,
        "not-a-translation",
        gettext_noop("it is neither a Word document (.docx) nor XLIFF. Send back the exported file."),
    )
