"""Studio's pages for what went wrong: what it means and what to do, for people who work here every day."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

from mailer.i18n import Translator, gettext_noop
from mailer.web.page_renderer import PageRenderer
from mailer.web.studio.page import open_visit

_UNREADABLE = (
    gettext_noop("We could not read that"),
    gettext_noop("What your browser sent could not be read. Go back and try again."),
)
_WORDS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: _UNREADABLE,
        403: (
            gettext_noop("That came from another site"),
            gettext_noop("Nothing was changed. Open the page here in Studio, and try again."),
        ),
        404: (
            gettext_noop("There is nothing here"),
            gettext_noop(
                "It may have been renamed, moved or removed. Look for it in the list that led here."
            ),
        ),
        405: (
            gettext_noop("That does not work here"),
            gettext_noop("This address cannot be used that way. Nothing was changed."),
        ),
        413: (
            gettext_noop("That is too large"),
            gettext_noop("Nothing was changed. A picture or a document may have 40 MB, a text less."),
        ),
        415: _UNREADABLE,
        500: (
            gettext_noop("Something went wrong"),
            gettext_noop(
                "This is our fault, not yours. What was saved before is safe. Go back to find what you "
                "typed, and try again in a moment."
            ),
        ),
    }
)
_NOT_ALLOWED = (
    gettext_noop("Your role does not allow this"),
    gettext_noop("Nothing was changed. A manager of the team can do it, or give you another role."),
)


def render_error_page(renderer: PageRenderer, status: int, translator: Translator) -> Response:
    if status not in _WORDS:
        return renderer.render_error(status, translator)
    title, message = _WORDS[status]
    return renderer.render(
        "studio/error.html",
        translator,
        status=status,
        title=title,
        message=message,
        member=None,
        notice="",
        section="",
    )


def show_not_allowed(request: Request, _: Exception) -> Response:
    title, message = _NOT_ALLOWED
    return open_visit(request).render("error.html", status=403, title=title, message=message)


def show_not_found(request: Request, _: Exception) -> Response:
    """Say that there is nothing at an address; to a member within Studio, as its other pages are."""
    title, message = _WORDS[404]
    return open_visit(request).render("error.html", status=404, title=title, message=message)
