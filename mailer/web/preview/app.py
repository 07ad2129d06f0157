"""The preview: an edition in the browser of whoever writes it, as it would reach a reader. Sends nothing."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from editions.problem import Level, Problem
from mailer.checks.rules.size import MAX_HTML_BYTES, WARN_HTML_BYTES
from mailer.errors import BuildError
from mailer.rendering.body.variants import choose_language
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.mail_merge import PersonalisedMail, personalise
from mailer.rendering.reader import Reader
from mailer.web.app import Route, assemble_app
from mailer.web.archive.routes import IMAGE_HEADERS, IMAGE_TYPES
from mailer.web.dependencies import UtcClock, utc_now
from mailer.web.form_options import language_name
from mailer.web.mail_html import force_colour_scheme, open_links_in_new_tab, remove_images, rewrite_media_urls
from mailer.web.page_renderer import PageRenderer
from mailer.web.preview.compiler import CompiledPreview, PreviewCompiler
from mailer.web.preview.query import ColourScheme, ImageLoading, PreviewQuery, parse_query
from mailer.web.preview.recipient import Recipient, RecipientFinder
from mailer.web.security import PREVIEW_POLICY, SecurityRules, make_mail_policy
from mailer.workspace import Workspace

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
"""The only names it answers to: a page elsewhere may have its own name mean 127.0.0.1 and read along."""

_READ_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, kw_only=True)
class PreviewState:
    """What a page of the preview needs to answer."""

    workspace: Workspace
    renderer: PageRenderer
    compiler: PreviewCompiler
    recipients: RecipientFinder
    clock: UtcClock

    def find_recipient(self, view: PreviewQuery) -> tuple[Recipient, str]:
        """Whose mail ``view`` is, and why the list cannot be read (empty if it can)."""
        fault = self.recipients.find_list_error()
        if fault:
            return self.recipients.nobody, fault
        return self.recipients.find_recipient(view, self.clock().date()), ""

    def list_addresses(self) -> list[str]:
        """Some addresses to choose from."""
        return self.recipients.list_addresses(self.clock().date())

    def personalise_mail(self, mail: CompiledEdition | None, reader: Reader) -> PersonalisedMail | None:
        """The mail as the preview shows it: with nobody's links, so that looking gives no key away.

        None where there is no mail, or it has a hole that cannot be filled; the problems say so.
        """
        try:
            return personalise(mail, reader._replace(token="")) if mail else None
        except BuildError:
            return None


def _get_preview(request: Request) -> PreviewState:
    workbench = request.app.state.workbench
    assert isinstance(workbench, PreviewState)  # noqa: S101 - set at start by the lifespan
    return workbench


PreviewDep = Annotated[PreviewState, Depends(_get_preview)]


def create_preview_app(workspace: Workspace, slug: str, *, clock: UtcClock = utc_now) -> FastAPI:
    """The preview of the edition ``slug``, for this machine alone.

    Raises:
        ConfigurationError: there is no such edition.
    """
    workspace.edition_folder(slug)
    pages = PageRenderer(workspace.settings, prefix="")
    bench = PreviewCompiler(workspace, slug)

    @asynccontextmanager
    async def open_workbench(app: FastAPI) -> AsyncIterator[None]:
        engine = workspace.open_database()
        readership = RecipientFinder(workspace, engine)
        app.state.workbench = PreviewState(
            workspace=workspace, renderer=pages, compiler=bench, recipients=readership, clock=clock
        )
        try:
            yield
        finally:
            engine.dispose()

    rules = SecurityRules(
        policy=PREVIEW_POLICY,
        error_page=lambda status, _: pages.render_error(status),
        allowed_hosts=_LOOPBACK_NAMES,
    )
    return assemble_app(pages, rules, open_workbench, _ROUTES)


def show_preview(request: Request, workbench: PreviewDep) -> Response:
    """The page around the mail: what to show, whose it is, and what to mend."""
    view, proof = parse_query(request.query_params), workbench.compiler.compile()
    seat, fault = workbench.find_recipient(view)
    mail = choose_mail(proof, view, seat.reader)
    shown = workbench.personalise_mail(mail, seat.reader)
    return workbench.renderer.render(
        "preview.html",
        view=view,
        slug=workbench.compiler.slug,
        version=proof.version,
        title=proof.edition.title if proof.edition else workbench.compiler.slug,
        mail=mail if shown else None,
        text=shown.text if shown else "",
        size=measure_mail(mail, seat.reader) if mail and shown else 0,
        large=WARN_HTML_BYTES,
        largest=MAX_HTML_BYTES,
        languages=[(tag, language_name(tag)) for tag in proof.mails],
        addresses=[] if fault else workbench.list_addresses(),
        list_note=fault,
        seat=seat,
        errors=proof.errors,
        counted=count_problems(proof),
        problems=group_problems(proof.problems),
        switched_off=proof.switched_off,
    )


def show_mail(request: Request, workbench: PreviewDep) -> Response:
    """The mail in its frame, in a sandbox of its own."""
    view, proof = parse_query(request.query_params), workbench.compiler.compile()
    reader = workbench.find_recipient(view)[0].reader
    shown = workbench.personalise_mail(choose_mail(proof, view, reader), reader)
    policy = {"content-security-policy": make_mail_policy(images="'self' data:", ancestors="'self'")}
    if shown is None:
        # A file may have been saved between the page and its frame; the page will follow within a second.
        return PlainTextResponse("There is no mail to show while the edition has errors.\n", headers=policy)
    html = rewrite_media_urls(shown.html, workbench.workspace.settings.web.base_url)
    html = open_links_in_new_tab(force_colour_scheme(html, dark=view.scheme is ColourScheme.dark))
    return HTMLResponse(remove_images(html) if view.images is ImageLoading.off else html, headers=policy)


def show_image(name: str, workbench: PreviewDep) -> Response:
    """A picture of the edition, from memory: previewing writes no file."""
    image = workbench.compiler.find_image(name)
    if image is None:
        return workbench.renderer.render_error(404)
    return Response(image.data, media_type=IMAGE_TYPES[PurePosixPath(name).suffix], headers=IMAGE_HEADERS)


def show_version(workbench: PreviewDep) -> Response:
    """A word that changes with the files; the page asks for it once a second."""
    return PlainTextResponse(workbench.compiler.read_version())


_ROUTES: tuple[Route, ...] = (
    ("/", show_preview, _READ_METHODS),
    ("/frame", show_mail, _READ_METHODS),
    ("/media/{name}", show_image, _READ_METHODS),
    ("/version", show_version, _READ_METHODS),
)


def choose_mail(proof: CompiledPreview, view: PreviewQuery, reader: Reader) -> CompiledEdition | None:
    """The mail in the language asked for, or the reader's, or the edition's own; None while there is none."""
    if not proof.mails:
        return None
    wanted = view.language if view.language in proof.mails else reader.language
    return proof.mails[choose_language(wanted, tuple(proof.mails))]


def measure_mail(mail: CompiledEdition, reader: Reader) -> int:
    """The bytes of the HTML as ``reader`` gets it, their own links included."""
    return len(personalise(mail, reader).html.encode())


def group_problems(problems: Sequence[Problem]) -> list[tuple[str, list[Problem]]]:
    """The problems by file, files with errors first."""
    groups = [(path, list(found)) for path, found in groupby(problems, key=lambda problem: problem.path)]
    return sorted(groups, key=lambda group: all(problem.level is not Level.error for problem in group[1]))


def count_problems(proof: CompiledPreview) -> str:
    """How many errors and warnings there are, in words."""
    warnings = len(proof.problems) - proof.errors
    counts = ((proof.errors, "error"), (warnings, "warning"))
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in counts if number)
