"""The app of Studio: its routes behind the security middleware and the check of who may use them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from mailer.activity.act_journal import record_interrupted_acts
from mailer.campaigns.outbox import NoMessageError
from mailer.live_workspace import LiveWorkspace
from mailer.network import parse_network
from mailer.revisions.edition_save import record_pending_saves
from mailer.revisions.story_changes import finish_interrupted_moves
from mailer.web.access import ClientAddressMiddleware
from mailer.web.app_factory import assemble_app
from mailer.web.dependencies import UtcClock, utc_now
from mailer.web.language import choose_translator
from mailer.web.page_renderer import PageRenderer
from mailer.web.security import STUDIO_POLICY, SecurityRules
from mailer.web.studio import (
    account,
    comments,
    corrections,
    doctor,
    feedback,
    home,
    outbox,
    pictures,
    reports,
    sign_ups,
    team,
)
from mailer.web.studio.approvals import approval_page, asked, steps_page
from mailer.web.studio.campaign_place import PreparationClosedError, show_closed
from mailer.web.studio.campaigns import (
    campaign_list,
    campaign_page,
    decisions,
    launch,
    live,
    tests_page,
    versions_page,
)
from mailer.web.studio.editions import details_page, edition_page, new_edition, story_pages
from mailer.web.studio.error_pages import render_error_page, show_not_allowed, show_not_found
from mailer.web.studio.history import conflict_page, history_pages
from mailer.web.studio.imports import export_page, file_page, import_page, upload_page
from mailer.web.studio.imports.upload_page import MAX_BODY_BYTES
from mailer.web.studio.page import NotAllowedError, SignInRequiredError, require
from mailer.web.studio.partners import partner_form, partner_list, partner_merge, partner_page
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.segments import saved_page, segment_page
from mailer.web.studio.settings import approval_steps, countries, credentials, relays, sections, sectors
from mailer.web.studio.sign_in import confirmation, ways
from mailer.web.studio.sign_in.confirmation import ConfirmationRequiredError, ask_to_confirm, ask_to_sign_in
from mailer.web.studio.state import PATH, StudioState
from mailer.web.studio.stories import preview, story_page
from mailer.web.studio.story_place import (
    StoryMissingError,
    StoryUnreadableError,
    show_missing_story,
    show_unreadable_story,
)
from mailer.web.studio.translations import exchange, translation_page
from mailer.workspace import Workspace

_log = logging.getLogger(__name__)

ROUTES: tuple[StudioRoute, ...] = (
    *account.ROUTES,
    *approval_page.ROUTES,
    *steps_page.ROUTES,
    *asked.ROUTES,
    *home.ROUTES,
    *new_edition.ROUTES,
    *edition_page.ROUTES,
    *details_page.ROUTES,
    *story_pages.ROUTES,
    *history_pages.ROUTES,
    *conflict_page.ROUTES,
    *campaign_list.ROUTES,
    *campaign_page.ROUTES,
    *versions_page.ROUTES,
    *tests_page.ROUTES,
    *decisions.ROUTES,
    *comments.ROUTES,
    *pictures.ROUTES,
    *corrections.ROUTES,
    *doctor.ROUTES,
    *feedback.ROUTES,
    *reports.ROUTES,
    *sections.ROUTES,
    *relays.ROUTES,
    *approval_steps.ROUTES,
    *sectors.ROUTES,
    *countries.ROUTES,
    *credentials.ROUTES,
    *sections.FORM_ROUTES,
    *ways.ROUTES,
    *confirmation.ROUTES,
    *sign_ups.ROUTES,
    # "new" comes before the imports' numbers.
    *upload_page.ROUTES,
    *import_page.ROUTES,
    *file_page.ROUTES,
    *export_page.ROUTES,
    *story_page.ROUTES,
    *preview.ROUTES,
    *exchange.ROUTES,
    *translation_page.ROUTES,
    *team.ROUTES,
    *partner_list.ROUTES,
    *partner_form.ROUTES,
    *partner_page.ROUTES,
    *partner_merge.ROUTES,
    *segment_page.ROUTES,
    *saved_page.ROUTES,
    *live.ROUTES,
    *launch.ROUTES,
    *outbox.ROUTES,
)
"""All routes of Studio. A test demands that its matrix of roles has each."""

_UPLOAD_BYTES = 40 * 1024 * 1024
_LARGE_BODIES = {f"{PATH}/editions": _UPLOAD_BYTES, f"{PATH}/campaigns": _UPLOAD_BYTES}
"""Stories, pictures, documents to import and logs of a relay are larger than a form."""


def create_studio_app(
    workspace: Workspace,
    *,
    address: str,
    local: bool = False,
    clock: UtcClock = utc_now,
    live: LiveWorkspace | None = None,
) -> FastAPI:
    """Create the app of Studio, to be mounted at :data:`~mailer.web.studio.state.PATH`.

    ``address`` is where people open it, such as https://news.example.org/studio; its path comes before all
    paths. ``local`` refuses requests for another host than this machine. ``live`` has the settings as they
    are on disk; without it, changed ones are not taken over.
    """
    base = urlsplit(address)
    watched = live or LiveWorkspace(workspace, say=_log.warning)
    renderer = PageRenderer(workspace.settings, prefix=base.path)

    @asynccontextmanager
    async def open_studio(app: FastAPI) -> AsyncIterator[None]:
        async with _open_state(watched, workspace, renderer, address, clock) as state:
            app.state.studio = state
            yield

    def render_error(status: int, scope: Scope) -> Response:
        return render_error_page(renderer, status, choose_translator(scope))

    rules = SecurityRules(
        policy=STUDIO_POLICY,
        error_page=render_error,
        public_hosts=frozenset({base.netloc}),
        large_bodies={**_LARGE_BODIES, f"{PATH}/imports/upload": MAX_BODY_BYTES},
        https_only=base.scheme == "https",
        local_only=local,
    )
    app = assemble_app(renderer, rules, open_studio, ())
    app.state.permissions = {route.path: route.permission for route in ROUTES if "GET" in route.methods}
    app.router.routes.extend(_make_routes())
    _add_error_pages(app)
    networks = tuple(parse_network(text) for text in workspace.settings.web.trusted_proxies)
    # Added last, so it comes before everything that looks at the visitor's address.
    app.add_middleware(ClientAddressMiddleware, proxies=networks)
    return app


@asynccontextmanager
async def _open_state(
    live: LiveWorkspace, workspace: Workspace, renderer: PageRenderer, address: str, clock: UtcClock
) -> AsyncIterator[StudioState]:
    """Open what all requests share, with the threads that mail, count and import; close it in the end."""
    state = StudioState(live, workspace, renderer, address, clock)
    for thread in (state.sign_in_mailer, state.counts, state.imports, state.readiness):
        thread.start()
    await asyncio.to_thread(finish_interrupted_moves, workspace, state.engine)
    await asyncio.to_thread(record_interrupted_acts, workspace, state.engine)
    await asyncio.to_thread(record_pending_saves, workspace, state.engine)
    try:
        yield state
    finally:
        # The last finishes the mail that is being sent, in which time others are still answered.
        for closing in (state.progress, state.readiness, state.imports, state.counts, state.sign_in_mailer):
            await asyncio.to_thread(closing.close)
        state.engine.dispose()


@cache
def _make_routes() -> tuple[BaseRoute, ...]:
    """The routes as FastAPI has them. To read the signatures of so many endpoints takes a tenth of a second,
    and each change of the settings makes a new app."""
    router = APIRouter()
    for route in ROUTES:
        checks = [] if route.permission is None else [Depends(require(route.permission))]
        router.add_api_route(
            route.path, route.endpoint, methods=list(route.methods), response_model=None, dependencies=checks
        )
    return tuple(router.routes)


def _add_error_pages(app: FastAPI) -> None:
    app.add_exception_handler(PreparationClosedError, show_closed)
    app.add_exception_handler(StoryMissingError, show_missing_story)
    app.add_exception_handler(StoryUnreadableError, show_unreadable_story)
    app.add_exception_handler(SignInRequiredError, ask_to_sign_in)
    app.add_exception_handler(ConfirmationRequiredError, ask_to_confirm)
    app.add_exception_handler(NotAllowedError, show_not_allowed)
    app.add_exception_handler(NoMessageError, show_not_found)
    app.add_exception_handler(404, show_not_found)
