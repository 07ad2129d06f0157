"""The app for readers: unsubscribing, preferences, sign-up, and the archive with its images."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from starlette.responses import Response

from mailer.feedback.clicks.click_recorder import ClickRecorder
from mailer.feedback.webhooks.registry import open_webhooks
from mailer.feedback.webhooks.sns import Fetch, fetch_from_amazon
from mailer.i18n import NATIVE_NAMES
from mailer.network import parse_network
from mailer.selfservice.unsubscribe import UnsubscribeBatcher
from mailer.web import webhooks
from mailer.web.access import ClientAddressMiddleware
from mailer.web.app_factory import assemble_app
from mailer.web.archive import routes as archive_routes
from mailer.web.dependencies import LinkStore, Site, UtcClock, utc_now
from mailer.web.language import choose_translator
from mailer.web.page_renderer import PageRenderer
from mailer.web.public import clicks, data_requests, preferences, signup, unsubscribe, verify
from mailer.web.security import PAGE_POLICY, SecurityRules
from mailer.workspace import Workspace
from subscribers.errors import LinkOfTestError

_ROUTES = (
    *unsubscribe.ROUTES,
    *clicks.ROUTES,
    *preferences.ROUTES,
    *signup.ROUTES,
    *data_requests.ROUTES,
    *verify.ROUTES,
    *archive_routes.ROUTES,
)


def create_app(
    workspace: Workspace, *, clock: UtcClock = utc_now, fetch: Fetch = fetch_from_amazon
) -> FastAPI:
    """Create the app for readers. ``fetch`` gets what a webhook needs of Amazon."""
    base = urlsplit(workspace.settings.web.base_url)
    # A public address with a path means a proxy that strips the path before it passes the request on.
    renderer = PageRenderer(workspace.settings, prefix=base.path)

    @asynccontextmanager
    async def open_site(app: FastAPI) -> AsyncIterator[None]:
        engine = workspace.open_database()
        recorder = ClickRecorder(engine, workspace.keys.suppression)
        recorder.start()
        app.state.site = Site(
            workspace=workspace,
            renderer=renderer,
            engine=engine,
            clock=clock,
            unsubscribe_batcher=UnsubscribeBatcher(engine, workspace.keys),
            click_recorder=recorder,
            links=LinkStore(engine),
        )
        try:
            yield
        finally:
            # It waits for the database, if need be for seconds, in which others are still answered.
            await asyncio.to_thread(recorder.close)
            engine.dispose()

    rules = SecurityRules(
        policy=PAGE_POLICY,
        error_page=lambda status, scope: renderer.render_error(status, choose_translator(scope)),
        public_hosts=frozenset({base.netloc}),
        cross_site_post_paths=("/u/", webhooks.PREFIX),
        large_bodies={
            webhooks.PREFIX: webhooks.MAX_BODY_BYTES,
            verify.MAIL_PATH: verify.MAX_UPLOAD_BYTES,
        },
        https_only=base.scheme == "https",
    )
    hooks = open_webhooks(workspace.settings.feedback, workspace.root, fetch=fetch)
    app = assemble_app(renderer, rules, open_site, (*_ROUTES, *webhooks.make_routes(hooks)))
    _add_page_of_tests(app, renderer)
    networks = tuple(parse_network(text) for text in workspace.settings.web.trusted_proxies)
    # Added last, so it comes before everything that looks at the visitor's address.
    app.add_middleware(ClientAddressMiddleware, proxies=networks)
    return app


def _add_page_of_tests(app: FastAPI, renderer: PageRenderer) -> None:
    """Answer every link of a test of a newsletter with the same page. A mail program that unsubscribes by
    itself (RFC 8058) is told that all went well, as it would be in the mail that the readers get.
    """

    def answer(request: Request, _: Exception) -> Response:
        # The answer to a POST cannot be reloaded in another language.
        languages = None if request.method == "POST" else NATIVE_NAMES.items()
        return renderer.render("test_link.html", choose_translator(request.scope), languages=languages)

    app.add_exception_handler(LinkOfTestError, answer)
