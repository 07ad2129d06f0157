"""The form of a new edition: what was sent, and what its fields say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from fastapi import Request
from starlette.exceptions import HTTPException

from editions.changes.edition_copy import CopyChoice
from editions.source.folder import is_slug
from locales.languages import canonical_language
from mailer.i18n import gettext_noop
from mailer.web.forms import parse_form
from mailer.web.studio.editions.edition_names import BAD_NAME, NAME_TAKEN, NO_NAME, RESERVED
from mailer.web.studio.page import StudioPage
from mailer.web.upload import read_uploaded_form

_MAX_NAME = 100
_MAX_TEXT = 500
_BAD_LANGUAGE = gettext_noop("Write the language as a tag, such as en, zh-Hans, mn, ja, ko or fr.")
_BAD_DATE = gettext_noop("Write the date as year-month-day, such as 2026-03-31.")


@dataclass(frozen=True, kw_only=True)
class NewEditionForm:
    """What was sent: texts by field, and the file with its name, if there was one."""

    texts: Mapping[str, str]
    content: bytes = b""
    file_name: str = ""

    def get(self, name: str) -> str:
        """The text of a field on one line; "" if it is missing."""
        return " ".join(self.texts.get(name, "").split())[:_MAX_TEXT]


class RefusedFormError(Exception):
    """A field of the form is wrong: its id, and what to do, with the values that the words name."""

    def __init__(self, field: str, words: str, **values: object) -> None:
        self.field = field
        self.words = words
        self.values = values
        super().__init__(words)


def read_form(request: Request, body: bytes) -> NewEditionForm:
    """Read the form from the ``body`` of a request.

    Raises:
        HTTPException: 415, it is no form.
    """
    kind = request.headers.get("content-type", "")
    uploaded = read_uploaded_form(body, kind)
    if uploaded is not None:
        texts = {name: uploaded.text(name) for name in uploaded.values if name != "document"}
        return NewEditionForm(
            texts=texts,
            content=uploaded.values.get("document", b""),
            file_name=uploaded.file_names.get("document", ""),
        )
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise HTTPException(415)
    return NewEditionForm(texts=dict(parse_form(body).fields))


def check_name(page: StudioPage, slug: str) -> str:
    """The name ``slug``, which a new edition can have.

    Raises:
        RefusedFormError: it cannot.
    """
    if not slug:
        raise RefusedFormError("slug", NO_NAME)
    if not is_slug(slug) or len(slug) > _MAX_NAME:
        raise RefusedFormError("slug", BAD_NAME)
    if slug in RESERVED or slug in page.state.summaries.list_slugs():
        raise RefusedFormError("slug", NAME_TAKEN, name=slug)
    return slug


def read_language(form: NewEditionForm) -> str:
    """The tag of the language; "" if the field is empty.

    Raises:
        RefusedFormError: it is no language.
    """
    written = form.get("language")
    tag = canonical_language(written) if written else ""
    if tag is None:
        raise RefusedFormError("language", _BAD_LANGUAGE)
    return tag


def read_day(form: NewEditionForm) -> date | None:
    """Since when entries of a feed are taken; None for all.

    Raises:
        RefusedFormError: it is no day.
    """
    try:
        return date.fromisoformat(form.get("since")) if form.get("since") else None
    except ValueError as error:
        raise RefusedFormError("since", _BAD_DATE) from error


def read_level(form: NewEditionForm) -> int:
    """The level of headings at which stories begin, 1 to 6; 0 if that is to be found out."""
    written = form.get("stories_at")
    return int(written) if written in {"1", "2", "3", "4", "5", "6"} else 0


def read_copy_choice(form: NewEditionForm) -> CopyChoice:
    """What is copied of another edition."""
    return CopyChoice(
        **{name: form.get(name) == "yes" for name in ("stories", "translations", "subject", "letter")}
    )
