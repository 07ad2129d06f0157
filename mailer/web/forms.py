"""Reading submitted forms."""

from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from mailer.i18n import LANGUAGES
from mailer.web.dependencies import BodyDep
from mailer.web.language import LANGUAGE_PARAMETER

_MAX_FIELDS = 200
_FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Form:
    """The fields of a submitted form, in order; a name may be repeated."""

    fields: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return the value of a field: the last if it is repeated, empty if it is missing."""
        return dict(self.fields).get(name, "")

    @property
    def language(self) -> str:
        """The language of the page the form was on; empty if the pages do not have it."""
        language = self.get(LANGUAGE_PARAMETER)
        return language if language in LANGUAGES else ""


def parse_form(body: bytes) -> Form:
    """Parse the body of a form.

    Raises:
        HTTPException: 400, it has too many fields.
    """
    try:
        fields = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:
        raise HTTPException(400) from error
    return Form(fields)


def _read_form(body: BodyDep) -> Form:
    return parse_form(body)


def _read_own_form(request: Request, body: BodyDep) -> Form:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
        raise HTTPException(415)
    return parse_form(body)


FormDep = Annotated[Form, Depends(_read_form)]
"""A form from anywhere, in any encoding."""

OwnFormDep = Annotated[Form, Depends(_read_own_form)]
"""A form that only our own pages send, in the one encoding they use."""
