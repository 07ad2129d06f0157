"""Checks of an edition's content: all that is checked of a file without looking at its translations.

They check what was written, not the finished edition, so that a wrong country in a story does not hide
problems in its text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from editions.cache import BoundedCache
from editions.checks.alt_texts import check_alt_texts
from editions.checks.bodies import check_letter, check_story_body
from editions.checks.disabled_checks import check_disabled_reasons
from editions.checks.foreign_markup import check_foreign_markup
from editions.checks.inbox import check_inbox
from editions.checks.links import TextLink, check_duplicate_link_texts, check_links, list_text_links
from editions.checks.notes import check_notes
from editions.checks.reserved_sign import check_reserved_sign
from editions.errors import Problem
from editions.source.document import AnyDocument
from editions.source.folder import STORIES_FOLDER


@dataclass(frozen=True, kw_only=True)
class _CheckedDocument:
    """The problems of one document, and its links, which are compared with those of others."""

    problems: tuple[Problem, ...]
    links: tuple[TextLink, ...]


# Without it, compiling after a change to one story takes a fifth longer.
_checked_documents: BoundedCache[_CheckedDocument] = BoundedCache(5000)


def check_documents(documents: Sequence[AnyDocument]) -> list[Problem]:
    """The problems in the content of ``documents``, the files of one edition."""
    found = [
        (
            document,
            _checked_documents.get_or_create(
                (document.name, document.language, document.text), partial(_check_document, document)
            ),
        )
        for document in documents
    ]
    alone = [problem for _, checked in found for problem in checked.problems]
    return [*alone, *check_duplicate_link_texts((document, checked.links) for document, checked in found)]


def _check_document(document: AnyDocument) -> _CheckedDocument:
    problems = [*check_reserved_sign(document), *check_alt_texts(document), *check_links(document)]
    problems += [*check_foreign_markup(document), *check_notes(document)]
    if document.name.startswith(f"{STORIES_FOLDER}/"):
        problems += check_story_body(document)
    elif document.name.startswith("edition."):
        problems += [*check_letter(document), *check_inbox(document), *check_disabled_reasons(document)]
    return _CheckedDocument(problems=tuple(problems), links=list_text_links(document))
