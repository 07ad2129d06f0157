"""Update the message catalogues of the pages from the templates and the program, and compile them.

Run with `make translations`. New messages are added without a translation; unused ones are removed. The tests
fail until every message is translated into every language.
"""

from __future__ import annotations

import io
import sys
import tomllib
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from mailer.i18n import DOMAIN, LANGUAGES, LOCALE_FOLDER, SOURCE_LANGUAGE
from scripts.compile_translations import compile_changed

ROOT = Path(__file__).parent.parent
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)
_OPTIONS = {"jinja2": {"trimmed": "true", "encoding": "utf-8", "silent": "false"}}
_ROOMS = (
    *("web", "selfservice", "campaigns", "team", "revisions", "comments", "counts", "activity", "privacy"),
    *(
        "checks",
        "dispatch",
        "doctor",
        "feedback",
        "list_imports",
        "oauth",
        "providers",
        "reasons",
        "settings",
        "smtp",
    ),
)
_TABLES = {
    "mailer/doctor/explanations.toml": ("title", "why", "advice"),
    "mailer/providers/providers.toml": ("means", "advice"),
}
"""Tables with sentences, and the keys of those."""
_COMPONENTS = "templates/email/components.toml"
"""Says why a component must not be used."""
_KEYWORDS = {"gettext_noop": None, "Phrase": None, "_": None, "gettext": None, "ngettext": (1, 2)}


def extract_messages() -> Catalog:
    """Return every message of the pages and their emails, with the files that use it."""
    said = Catalog(project="partner-mailer", charset="utf-8")
    places = (
        (ROOT / "templates" / "web", [("**.html", "jinja2"), ("**.txt", "jinja2")]),
        (
            ROOT / "mailer",
            [
                ("approval_mails.py", "python"),
                ("halt_mails.py", "python"),
                ("fields.py", "python"),
                ("remote_fetcher.py", "python"),
                ("translations.py", "python"),
                *((f"{room}/**.py", "python") for room in _ROOMS),
            ],
        ),
        (ROOT / "mailer" / "database", [("**.py", "python")]),
        (ROOT / "mailer" / "rendering", [("**.py", "python")]),
        (ROOT / "editions", [("**.py", "python")]),
        (ROOT / "subscribers", [("**.py", "python")]),
        (ROOT / "locales", [("phrase.py", "python")]),
    )
    for folder, methods in places:
        found = extract_from_dir(folder, methods, {"**.html": _OPTIONS["jinja2"]}, keywords=_KEYWORDS)
        for name, _, message, comments, context in found:
            # Without line numbers: they change with every edit, and nothing else would.
            said.add(
                message, locations=[(f"{folder.name}/{name}", None)], auto_comments=comments, context=context
            )
    for path, keys in _TABLES.items():
        table = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))
        for message in dict.fromkeys(_list_sentences(table, keys)):
            said.add(message, locations=[(path, None)])
    components = tomllib.loads((ROOT / _COMPONENTS).read_text(encoding="utf-8"))
    for reason in dict.fromkeys(components["refused"].values()):
        said.add(reason, locations=[(_COMPONENTS, None)])
    return said


def _list_sentences(value: Any, keys: Collection[str]) -> Iterator[str]:
    """The texts under ``keys`` in a table, wherever they stand."""
    if isinstance(value, list):
        for one in value:
            yield from _list_sentences(one, keys)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key in keys and isinstance(one, str):
                yield one
            else:
                yield from _list_sentences(one, keys)


def find_file(tag: str, ending: str) -> Path:
    """Return the path of the catalogue of the language ``tag`` with the suffix ``ending``."""
    return LOCALE_FOLDER / tag.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.{ending}"


def read_catalogue(tag: str) -> Catalog:
    """Read the catalogue of ``tag``; empty if there is none yet."""
    path = find_file(tag, "po")
    locale = tag.replace("-", "_")
    if not path.is_file():
        return Catalog(locale=locale, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def find_gaps(catalogue: Catalog) -> list[str]:
    """Return the messages that are untranslated or fuzzy."""
    return [str(one.id) for one in catalogue if one.id and (not all(list_forms(one)) or one.fuzzy)]


def list_forms(message: Message) -> tuple[str, ...]:
    """Return the translation, or those for each number."""
    return message.string if isinstance(message.string, tuple) else (message.string,)


def update_catalogue(tag: str, said: Catalog) -> Catalog:
    """Return the catalogue of ``tag`` with exactly the messages in use."""
    catalogue = read_catalogue(tag)
    catalogue.update(said, no_fuzzy_matching=True, update_header_comment=False)
    catalogue.obsolete.clear()
    # A date in the file would change with every run; Git knows it.
    catalogue.creation_date = catalogue.revision_date = _NO_DATE
    return catalogue


def main() -> None:
    """Update and compile every catalogue."""
    said, gaps = extract_messages(), 0
    for tag in LANGUAGES:
        if tag == SOURCE_LANGUAGE:
            continue
        catalogue = update_catalogue(tag, said)
        path = find_file(tag, "po")
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        write_po(buffer, catalogue, width=110, omit_header=False, sort_output=True, include_lineno=False)
        path.write_bytes(buffer.getvalue())
        for gap in find_gaps(catalogue):
            gaps += 1
            print(f"{tag}: not translated: {gap}", file=sys.stderr)
    compile_changed()
    print(f"{len(said)} messages in {len(LANGUAGES) - 1} catalogues, {gaps} translations missing.")


if __name__ == "__main__":
    main()
