"""Adding, moving and removing stories."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.responses import RedirectResponse, Response

from editions.errors import StoryOrderError
from editions.model import StoryKind
from editions.new_editions import make_slug
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import EditionFileError, list_story_slugs
from mailer.revisions.story_changes import add_story, move_story, remove_story
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep, list_sectors
from mailer.web.studio.editions.edition_page import list_sections, render_edition
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import EditionPage, EditionPageDep

ROUTES = Routes()
MAX_TITLE = 300
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_MAX_SLUG = 80
_NO_TITLE = gettext_noop("Enter the story’s heading.")
_BAD_NAME = gettext_noop("Write the name in small letters a to z, digits and hyphens, such as youth-forum.")
_GONE = gettext_noop("Somebody has removed that story. This is the edition as it is now.")
_NOT_WRITTEN = gettext_noop("The story could not be added: %(why)s")
_NOT_MOVED = gettext_noop("The story could not be moved (%(why)s). The order is as it was.")
_NOT_REMOVED = gettext_noop("The story was not removed: %(why)s")
_ORDER_FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "duplicate-slug": gettext_noop(
            "Two stories have the name %(slug)s. Rename the file of one of them first."
        ),
        "taken-slug": gettext_noop(
            "There is a story with the name %(slug)s in this edition already. Enter another name, such as "
            "%(free)s."
        ),
        "too-many-stories": gettext_noop("An edition has room for 999 stories. Begin another edition."),
        "no-story": _GONE,
    }
)


@ROUTES.get_route("/editions/{edition}/new-story", Permission.write)
def show_new_story(page: EditionPageDep) -> Response:
    return _render_form(page, Form())


@ROUTES.post_route("/editions/{edition}/new-story", Permission.write)
def create_story(form: OwnFormDep, page: EditionPageDep) -> Response:
    title = " ".join(form.get("title").split())[:MAX_TITLE]
    slug = form.get("slug").strip() or make_slug(title, fallback="story")
    if not title:
        return _render_form(page, form, [("title", page.translate(_NO_TITLE))])
    if not _SLUG.fullmatch(slug) or len(slug) > _MAX_SLUG:
        return _render_form(page, form, [("slug", page.translate(_BAD_NAME))])
    sector = form.get("sector") if form.get("sector") in page.settings.sectors else ""
    kind = form.get("kind") if form.get("kind") in list(StoryKind) else StoryKind.story.value
    try:
        with page.writing() as session:
            add_story(
                page.state.workspace,
                session,
                page.edition,
                slug,
                title=title,
                sector=sector,
                kind=kind,
                member=page.member,
                now=page.state.clock(),
            )
    except StoryOrderError as error:
        return _render_form(page, form, [("slug", _explain_order(page, error))], slug=slug)
    except (EditionFileError, OSError) as error:
        return _render_form(page, form, [("", page.translate(_NOT_WRITTEN, why=page.explain(error)))])
    return page.redirect(f"{page.path}/stories/{slug}")


def _render_form(
    page: EditionPage, form: Form, errors: Sequence[tuple[str, str]] = (), *, slug: str = ""
) -> Response:
    values = {name: form.get(name) for name in ("title", "sector", "kind")}
    return page.render(
        "new_story.html",
        errors=errors,
        values=values | {"slug": slug or form.get("slug")},
        sectors=list_sectors(page.translator, page.settings),
        kinds=[kind for kind in StoryKind if kind.words],
    )


@ROUTES.post_route("/editions/{edition}/stories/{story}/move", Permission.write)
def move_card(story: str, form: OwnFormDep, page: EditionPageDep) -> Response:
    """Move a story up, down, or to a place in its section."""
    sections = [[card.slug for card in cards] for cards in list_sections(page).values()]
    slugs = next((found for found in sections if story in found), [])
    if not slugs:
        return render_edition(page, page.translate(_GONE))
    place, others = slugs.index(story), [slug for slug in slugs if slug != story]
    way, target = form.get("to"), form.get("before")
    neighbour: dict[str, str] = {}
    if way == "up" and place > 0:
        neighbour = {"before": others[place - 1]}
    elif way == "down" and place < len(others):
        neighbour = {"after": others[place]}
    elif way == "place" and target in others:
        neighbour = {"before": target}
    elif way == "place" and others and not target:
        neighbour = {"after": others[-1]}
    try:
        if neighbour:
            with page.writing() as session:
                move_story(
                    page.state.workspace,
                    session,
                    page.edition,
                    story,
                    **neighbour,
                    member=page.member,
                    now=page.state.clock(),
                )
    except StoryOrderError as error:
        return render_edition(page, _explain_order(page, error))
    except OSError as error:
        return render_edition(page, page.translate(_NOT_MOVED, why=page.explain(error)))
    return RedirectResponse(page.make_path(page.path, moved=story) + f"#story-{story}", 303)


@ROUTES.post_route("/editions/{edition}/stories/{story}/remove", Permission.write)
def remove_card(story: str, page: EditionPageDep) -> Response:
    """Remove a story with its translations. Its history stays, and brings it back."""
    or_404(story in list_story_slugs(page.folder))
    try:
        with page.writing() as session:
            now = page.state.clock()
            remove_story(page.state.workspace, session, page.edition, story, member=page.member, now=now)
    except (EditionFileError, OSError) as error:
        return render_edition(page, page.translate(_NOT_REMOVED, why=page.explain(error)))
    return page.go_back(Notice.story_removed, removed=story)


def _explain_order(page: EditionPage, error: StoryOrderError) -> str:
    return page.translate(_ORDER_FAULTS[error.code], slug=error.name, free=f"{error.name}-2")
