"""The routes of the history: the same for stories, for the letter, and for their translations."""

from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.history.conflict_page import settle_conflict, show_conflict
from mailer.web.studio.history.history_pages import (
    restore_removed_story,
    restore_text,
    show_comparison,
    show_edition_history,
    show_history,
    update_presence,
)
from mailer.web.studio.routing import StudioRoute

_EDITION = "/editions/{edition}"
_ORIGINALS = (f"{_EDITION}/stories/{{story}}", f"{_EDITION}/letter")
_TEXTS = (*_ORIGINALS, *(f"{path}/translations/{{language}}" for path in _ORIGINALS))

ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute(f"{_EDITION}/history", show_edition_history, GET, Permission.read),
    StudioRoute(f"{_EDITION}/history", restore_removed_story, POST, Permission.write),
    *(
        route
        for path in _TEXTS
        for route in (
            StudioRoute(f"{path}/history", show_history, GET, Permission.read),
            StudioRoute(f"{path}/history", restore_text, POST, Permission.write),
            StudioRoute(f"{path}/history/changes", show_comparison, GET, Permission.read),
            StudioRoute(f"{path}/presence", update_presence, POST, Permission.read),
        )
    ),
    StudioRoute(f"{_EDITION}/conflicts/{{number}}", show_conflict, GET, Permission.write),
    StudioRoute(f"{_EDITION}/conflicts/{{number}}", settle_conflict, POST, Permission.write),
)
