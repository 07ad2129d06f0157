"""A file that a translator returns, of either kind: found out by its first bytes."""

from pathlib import Path

from editions.errors import DocumentError
from editions.translation_exchange.exporter import export_texts
from editions.translation_exchange.importer import ImportedTranslations, import_translations
from editions.translation_exchange.unit import ReturnedUnit
from locales.phrase import Phrase, gettext_noop

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
        from editions.translation_exchange.word_reader import read_docx

        return read_docx(name, data, export_texts(folder, language))
    if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        from editions.translation_exchange.xliff_reader import read_xliff

        target, units = read_xliff(name, data)
        if target and target.lower() != language.lower():
            raise DocumentError(
                name,
                "other-language",
                Phrase(
                    gettext_noop(
                        "it is a translation into %(target)s, not into %(language)s. Choose its language."
                    ),
                    target=target,
                    language=language,
                ),
            )
        return units
    raise DocumentError(
        name,
        "not-a-translation",
        gettext_noop("it is neither a Word document (.docx) nor XLIFF. Send back the exported file."),
    )
