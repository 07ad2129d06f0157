"""The routes of editions and of their stories' order."""

from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.editions.details_page import save_details, show_details
from mailer.web.studio.editions.edition_page import list_editions, show_edition, show_problems, show_thumb
from mailer.web.studio.editions.new_edition import (
    create_edition,
    show_new_edition,
    show_report,
    show_ways,
)
from mailer.web.studio.editions.story_pages import create_story, move_card, remove_card, show_new_story
from mailer.web.studio.routing import StudioRoute

ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("/editions", list_editions, GET, Permission.read),
    # Before the page of an edition, which no edition called "new" can have.
    StudioRoute("/editions/new", show_ways, GET, Permission.write),
    StudioRoute("/editions/new/{way}", show_new_edition, GET, Permission.write),
    StudioRoute("/editions/new/{way}", create_edition, POST, Permission.write),
    StudioRoute("/editions/{edition}", show_edition, GET, Permission.read),
    StudioRoute("/editions/{edition}/problems", show_problems, GET, Permission.read),
    StudioRoute("/editions/{edition}/thumb/{file}", show_thumb, GET, Permission.read),
    StudioRoute("/editions/{edition}/import", show_report, GET, Permission.read),
    StudioRoute("/editions/{edition}/details", show_details, GET, Permission.write),
    StudioRoute("/editions/{edition}/details", save_details, POST, Permission.write),
    StudioRoute("/editions/{edition}/new-story", show_new_story, GET, Permission.write),
    StudioRoute("/editions/{edition}/new-story", create_story, POST, Permission.write),
    StudioRoute("/editions/{edition}/stories/{story}/move", move_card, POST, Permission.write),
    StudioRoute("/editions/{edition}/stories/{story}/remove", remove_card, POST, Permission.write),
)
