"""The routes of writing: the same for a story and for the letter of an edition."""

from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.stories.checks import show_checks, show_versions
from mailer.web.studio.stories.preview import (
    show_edition_preview,
    show_frame,
    show_image,
    show_preview,
    show_unsaved_frame,
)
from mailer.web.studio.stories.story_page import save_text, show_text

_EDITION = "/editions/{edition}"
_TEXTS = (f"{_EDITION}/stories/{{story}}", f"{_EDITION}/letter")

ROUTES: tuple[StudioRoute, ...] = (
    *(
        route
        for path in _TEXTS
        for route in (
            StudioRoute(path, show_text, GET, Permission.read),
            StudioRoute(path, save_text, POST, Permission.write),
            StudioRoute(f"{path}/preview", show_preview, GET, Permission.read),
            StudioRoute(f"{path}/preview/frame", show_frame, GET, Permission.read),
            StudioRoute(f"{path}/preview/frame", show_unsaved_frame, POST, Permission.write),
            StudioRoute(f"{path}/checks", show_checks, GET, Permission.read),
        )
    ),
    StudioRoute(f"{_EDITION}/preview", show_edition_preview, GET, Permission.read),
    StudioRoute(f"{_EDITION}/versions", show_versions, GET, Permission.read),
    StudioRoute(f"{_EDITION}/media/{{name}}", show_image, GET, Permission.read),
)
