"""The checks of an edition, as a page and beside the text; and the versions that readers get, with their
sizes. Both compile the edition, so they come after the page itself."""

from starlette.responses import Response

from mailer.checks.rules.size import MAX_HTML_BYTES, WARN_HTML_BYTES
from mailer.web.form_options import own_language_name
from mailer.web.mail_preview.query import RecipientFinder
from mailer.web.mail_preview.shown_mail import list_versions
from mailer.web.studio.page import PageDep
from mailer.web.studio.stories.check_list import list_checks
from mailer.web.studio.stories.page_context import read_edition_title
from mailer.web.studio.story_place import PlaceDep, find_place


def show_checks(page: PageDep, place: PlaceDep) -> Response:
    """Show the problems of a story, and of its edition."""
    compiled = page.state.previews.compiler(place.edition).compile()
    return page.render(
        "story_checks.html" if not page.is_fragment else "story_checks_list.html",
        section="editions",
        place=place,
        edition_title=read_edition_title(place),
        checks=list_checks(place, compiled),
        switched_off=compiled.switched_off,
    )


def show_versions(edition: str, page: PageDep) -> Response:
    """Show which versions of an edition today's readers get, and how large each is."""
    place = find_place(page, edition, "")
    compiled = page.state.previews.compiler(edition).compile()
    state = page.state
    reader = RecipientFinder(state.workspace, state.engine).anonymous.reader
    versions, further = list_versions(tuple(compiled.mails.values()), state.audience.list_cohorts(), reader)
    return page.render(
        "edition_versions.html" if not page.is_fragment else "edition_versions_list.html",
        section="editions",
        place=place,
        edition_title=read_edition_title(place),
        versions=versions,
        further=further,
        has_errors=bool(compiled.errors),
        language_names={tag: own_language_name(tag) for tag in compiled.mails},
        large=WARN_HTML_BYTES,
        largest=MAX_HTML_BYTES,
        chosen=page.request.query_params.get("version", ""),
    )
