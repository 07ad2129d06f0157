"""The forms of comments: a new one, a reply, and a change of one's own."""

import secrets
from dataclasses import dataclass

from mailer.web.forms import Form
from mailer.web.studio.row_number import read_row_number


@dataclass(frozen=True, kw_only=True)
class CommentForm:
    """What was sent, or what a form begins with. ``name`` tells the forms of a page apart: ``new``,
    ``reply-12`` or ``edit-5``. ``mentioned`` are the numbers of members who were picked. ``errors`` are pairs
    of a field's id and words."""

    name: str = ""
    text: str = ""
    quote: str = ""
    mentioned: frozenset[int] = frozenset()
    request: str = ""
    errors: tuple[tuple[str, str], ...] = ()


def read_comment_form(form: Form, name: str) -> CommentForm:
    """Read the form called ``name``."""
    picked = (value for key, value in form.fields if key == "mention")
    return CommentForm(
        name=name,
        text=form.get("text"),
        quote=form.get("quote"),
        mentioned=frozenset(number for value in picked if (number := read_row_number(value)) is not None),
        request=form.get("request")[:64],
    )


def new_request() -> str:
    """A random number for a form, by which a second click is known."""
    return secrets.token_urlsafe(16)
