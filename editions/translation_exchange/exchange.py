"""Which texts of an edition are sent to a translator, and taking back what comes."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from editions.changes.translation_text import NEW_FILE, change_texts, list_texts
from editions.errors import DocumentError, EditionError, FrontMatterError
from editions.rich_text.nodes import DocumentSchemaError, Mark, UnwritableError
from editions.source.folder import EDITION_FILE, scan_folder
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import TextFile, read_text_file, text_digest
from editions.translatable_texts import TextForm, read_text
from editions.translation_exchange.units import (
    EDITION_ID,
    STORY_PREFIX,
    Exchange,
    ReturnedUnit,
    Texts,
    TranslatedFile,
    TranslationUnit,
    fill_body,
    list_places,
    normalise,
    plain_text,
)
from locales.phrase import Phrase, gettext_noop, read_error


def list_translated_files(folder: Path, language: str) -> Iterator[TranslatedFile]:
    """Yield every file of the edition in ``folder`` with its translation into ``language``: the edition, then
    its stories. Raise EditionError if a file cannot be read."""
    contents = scan_folder(folder)
    if not contents.has_edition:
        raise EditionError(contents.problems)
    stories = ((f"{STORY_PREFIX}{one.slug}", one.original, one.translations) for one in contents.stories)
    for identifier, original, translations in ((EDITION_ID, EDITION_FILE, contents.translations), *stories):
        file = _read(folder, original)
        name = translations.get(language, f"{original.removesuffix('.md')}.{language}.md")
        front_matter, problems = read_front_matter(file)
        if front_matter.values is None:
            raise EditionError(problems)
        yield TranslatedFile(
            id=identifier,
            original=file,
            front_matter=front_matter,
            name=name,
            text=_read(folder, name).text if (folder / name).exists() else None,
        )


def _read(folder: Path, name: str) -> TextFile:
    file, problems = read_text_file(folder, name)
    if file is None:
        raise EditionError(problems)
    return file


def export_texts(folder: Path, language: str) -> Exchange:
    """Collect every text of the edition in ``folder`` that is translated, with what there is in ``language``.
    Raise EditionError if a file of the edition cannot be read."""
    files = list(list_translated_files(folder, language))
    edition = files[0].front_matter
    return Exchange(
        slug=folder.name,
        title=edition.text("title"),
        source_language=edition.text("language") or "en",
        language=language,
        files=tuple(files),
    )


class ImportedTranslations:
    """What ``returned`` changes in the translation of an edition; it writes nothing. A text whose original is
    not that of the edition any more is not taken, nor is one that is not known. ``changes`` has the new text
    of each file that changes, by its name; ``problems`` are the texts that were not taken, each by its place
    in the returned file, with why and what to do. ``translated`` and ``unchanged`` count the texts."""

    def __init__(self, folder: Path, language: str, returned: Iterable[ReturnedUnit]) -> None:
        """Raise EditionError if a file of the edition in ``folder`` cannot be read."""
        self.problems: list[tuple[str, str]] = []
        self.unchanged = 0
        self._files = {file.id: file for file in list_translated_files(folder, language)}
        self._taken: dict[str, dict[str, ReturnedUnit]] = {}
        for unit in returned:
            self._take_unit(unit)
        self.translated = sum(map(len, self._taken.values()))
        self.changes: dict[str, str] = {}
        for file_id, units in self._taken.items():
            file = self._files[file_id]
            text = self._write(file, units)
            if text is not None and text != file.text:
                self.changes[file.name] = text

    def _take_unit(self, returned: ReturnedUnit) -> None:
        known = self._find(returned)
        if known is None:
            return
        if returned.id in self._taken.get(returned.file_id, {}):
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
        # The same words with the same marks, however they are divided.
        elif not normalise(returned.target) or _list_signs(returned.target) == _list_signs(known.target):
            self.unchanged += 1
        else:
            self._taken.setdefault(returned.file_id, {})[returned.id] = returned

    def _find(self, returned: ReturnedUnit) -> TranslationUnit | None:
        file = self._files.get(returned.file_id)
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
        self.problems.append((unit.place, message))

    def _write(self, file: TranslatedFile, units: Mapping[str, ReturnedUnit]) -> str | None:
        """Return the new text of a translation; None if it cannot be written, which is reported."""
        try:
            return _write_translation(file, units)
        except (FrontMatterError, EditionError) as error:
            reason = getattr(error, "reason", str(error))
        except (UnwritableError, DocumentSchemaError) as error:
            reason = read_error(error)
        first = next(iter(units.values()))
        unchanged = gettext_noop("%(name)s was not changed: %(reason)s")
        message = Phrase(unchanged, name=file.name, reason=reason)
        self.problems.append((first.place, message))
        return None


def _write_translation(file: TranslatedFile, units: Mapping[str, ReturnedUnit]) -> str:
    now, original = file.translation, file.front_matter
    text = file.text if file.text is not None else NEW_FILE
    values, names = {}, set()
    for one in list_texts(original, now, is_story=file.is_story):
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
    is_complete = all(unit.target or unit.id in units for unit in file.units)
    translated_from = text_digest(file.original.text) if is_complete else ""
    return change_texts(text, values, original, is_story=file.is_story, translated_from=translated_from)


def _replace_body(text: str, now: FrontMatter, body: str) -> str:
    if now.body.strip():
        return text.removesuffix(now.body) + body
    return f"{text.rstrip()}\n\n{body.strip()}\n"


def _clean(texts: Texts) -> Texts:
    return tuple(text for text in texts if text.text)


def _list_signs(texts: Texts) -> list[tuple[str, frozenset[Mark]]]:
    return [(sign, frozenset(text.marks)) for text in texts for sign in text.text]


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


_ZIP = b"PK\x03\x04"


def read_translations(name: str, data: bytes, folder: Path, language: str) -> ImportedTranslations:
    """Work out what the returned file ``name`` changes in the translation of an edition. Raise DocumentError
    if it is neither Word nor XLIFF, cannot be read, or is for another language, and EditionError if a file of
    the edition cannot be read."""
    return ImportedTranslations(folder, language, _read_units(name, data, folder, language))


def _read_units(name: str, data: bytes, folder: Path, language: str) -> list[ReturnedUnit]:
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
