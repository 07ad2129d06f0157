"""The preview of an edition on its writer's own machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from mailer.campaigns.recipients import find_database_problem
from mailer.checks.rules.mime import MAX_HTML_BYTES, WARN_HTML_BYTES
from mailer.web.access import LocalAccess
from mailer.web.app_factory import assemble_local_app
from mailer.web.dependencies import UtcClock, utc_now
from mailer.web.forms import own_language_name
from mailer.web.mail_preview.compiler import CompiledPreview, PreviewCompiler
from mailer.web.mail_preview.query import PreviewQuery, Recipient, RecipientFinder, parse_query
from mailer.web.mail_preview.shown_mail import (
    choose_form,
    choose_mail,
    dress_html,
    measure_mail,
    personalise_mail,
)
from mailer.web.page_renderer import IMAGE_HEADERS, IMAGE_TYPES, PageRenderer
from mailer.web.routing import GET, Route
from mailer.web.security import PREVIEW_POLICY, make_mail_policy
from mailer.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class PreviewState:
    workspace: Workspace
    renderer: PageRenderer
    compiler: PreviewCompiler
    recipients: RecipientFinder
    clock: UtcClock

    def find_recipient(self, query: PreviewQuery) -> tuple[Recipient, str]:
        """Find whose email to show, and why the list cannot be read (empty if it can)."""
        fault = find_database_problem(self.recipients.engine)
        if fault:
            return self.recipients.anonymous, fault
        return self.recipients.find_recipient(query, self.clock().date()), ""


def _get_preview(request: Request) -> PreviewState:
    preview = request.app.state.preview
    assert isinstance(preview, PreviewState)  # noqa: S101 - set at start by the lifespan
    return preview


PreviewDep = Annotated[PreviewState, Depends(_get_preview)]


def create_preview_app(
    workspace: Workspace, slug: str, *, access: LocalAccess, clock: UtcClock = utc_now
) -> FastAPI:
    """Create the preview of the edition ``slug``, for this machine and whoever has the secret of ``access``.
    Raise ConfigurationError if there is no such edition.
    """
    workspace.edition_folder(slug)
    renderer = PageRenderer(workspace.settings, prefix="")
    compiler = PreviewCompiler(workspace, slug)

    @asynccontextmanager
    async def open_preview(app: FastAPI) -> AsyncIterator[None]:
        with workspace.use_database() as engine:
            recipients = RecipientFinder(workspace, engine)
            app.state.preview = PreviewState(
                workspace=workspace,
                renderer=renderer,
                compiler=compiler,
                recipients=recipients,
                clock=clock,
            )
            yield

    return assemble_local_app(
        *(renderer, access, PREVIEW_POLICY, open_preview, _ROUTES), name="preview", command="mailer preview"
    )


def show_preview(request: Request, preview: PreviewDep) -> Response:
    """Show the page around the email: its controls, its recipient, and the problems to fix."""
    query, compiled = parse_query(request.query_params), preview.compiler.compile()
    recipient, fault = preview.find_recipient(query)
    mail, form_note = choose_form(
        preview.compiler, compiled.edition, query, choose_mail(compiled.mails, query, recipient.reader)
    )
    shown = personalise_mail(mail, recipient.reader)
    return preview.renderer.render(
        "preview.html",
        query=query,
        slug=preview.compiler.slug,
        version=compiled.version,
        title=compiled.edition.title if compiled.edition else preview.compiler.slug,
        mail=mail if shown else None,
        text=shown.text if shown else "",
        size=measure_mail(mail, recipient.reader) if mail and shown else 0,
        large=WARN_HTML_BYTES,
        largest=MAX_HTML_BYTES,
        languages=[(tag, own_language_name(tag)) for tag in compiled.mails],
        addresses=[] if fault else preview.recipients.list_addresses(preview.clock().date()),
        list_note=form_note or fault,
        own_form=compiled.edition.form.value if compiled.edition else "",
        recipient=recipient,
        errors=compiled.errors,
        counted=count_problems(compiled),
        problems=compiled.problems_by_file,
        switched_off=compiled.switched_off,
    )


def show_mail(request: Request, preview: PreviewDep) -> Response:
    query, compiled = parse_query(request.query_params), preview.compiler.compile()
    reader = preview.find_recipient(query)[0].reader
    mail, _ = choose_form(
        preview.compiler, compiled.edition, query, choose_mail(compiled.mails, query, reader)
    )
    shown = personalise_mail(mail, reader)
    policy = {"content-security-policy": make_mail_policy(images="'self' data:", ancestors="'self'")}
    if shown is None:
        # A file may have been saved between the page and its frame; the page reloads within a second.
        return PlainTextResponse("There is no email to show while the edition has errors.\n", headers=policy)
    html = dress_html(shown.html, query, base_url=preview.workspace.settings.web.base_url)
    return HTMLResponse(html, headers=policy)


def show_image(name: str, preview: PreviewDep) -> Response:
    """Show an image of the edition from memory: the preview writes no files."""
    image = preview.compiler.find_image(name)
    if image is None:
        return preview.renderer.render_error(404)
    return Response(image.data, media_type=IMAGE_TYPES[PurePosixPath(name).suffix], headers=IMAGE_HEADERS)


def show_version(preview: PreviewDep) -> Response:
    return PlainTextResponse(preview.compiler.read_version())


_ROUTES: tuple[Route, ...] = (
    ("/", show_preview, GET),
    ("/frame", show_mail, GET),
    ("/media/{name}", show_image, GET),
    ("/version", show_version, GET),
)


def count_problems(compiled: CompiledPreview) -> str:
    """Describe the number of errors and warnings, such as "1 error, 2 warnings"."""
    counts = ((compiled.errors, "error"), (compiled.warnings, "warning"))
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in counts if number)
