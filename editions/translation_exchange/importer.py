"""Taking back what a translator returned."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from editions.changes.translation_text import NEW_FILE, change_texts
from editions.errors import DocumentError, EditionError, FrontMatterError
from editions.rich_text.nodes import DocumentSchemaError, Mark, UnwritableError
from editions.source.front_matter import FrontMatter
from editions.source.text_file import text_digest
from editions.translatable_texts import TextForm, list_translatable_texts, read_text
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
    fill_body,
    list_places,
    normalise,
    plain_text,
)
from locales.phrase import Phrase, gettext_noop, read_error


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
                    "its original is not what the edition says now, so it was not taken: it has changed "
                    "since, or was changed in the file. The edition says “%(text)s”.",
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
                returned, gettext_noop("the edition has no such story any more, so its texts were not taken.")
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
    now, original = file.read_translation(), file.front_matter
    text = file.text if file.text is not None else NEW_FILE
    values, names = {}, set()
    for one in list_translatable_texts(original, is_story=file.is_story):
        current = read_text(now, one.path, one.form)
        lines = current.split("\n") if one.form is TextForm.lines else [current]
        places = [".".join(map(str, path)) for path in list_places(original, one)]
        for number, name in enumerate(places):
            if name in units:
                lines += [""] * (number + 1 - len(lines))
                lines[number] = " ".join(plain_text(units[name].target).split())
        values[one.key] = "\n".join(lines)
        names.update(places)
    bodies = {name: _clean(unit.target) for name, unit in units.items() if name not in names}
    if bodies or (file.text is None and original.body.strip()):
        text = _replace_body(text, now, fill_body(original.body, now.body, bodies))
    translated_from = text_digest(file.original.text) if _is_complete(known, units) else ""
    return change_texts(text, values, original, is_story=file.is_story, translated_from=translated_from)


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
