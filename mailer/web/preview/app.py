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
from mailer.web.app import Route, assemble
from mailer.web.archive.routes import IMAGE_HEADERS, IMAGE_TYPES
from mailer.web.dependencies import Clock, read_clock
from mailer.web.form_options import language_name
from mailer.web.mail_html import drop_images, force_scheme, localise_media, open_links_apart
from mailer.web.page_renderer import Pages
from mailer.web.preview.compiler import Bench, Proof
from mailer.web.preview.query import Images, Scheme, View, read_view
from mailer.web.preview.recipient import Readership, Seat
from mailer.web.security import WORKBENCH_POLICY, Rules, mail_policy
from mailer.workspace import Workspace

_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
"""The only names it answers to: a page elsewhere may have its own name mean 127.0.0.1 and read along."""

_LOOK = ("GET", "HEAD")


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """What a page of the preview needs to answer."""

    workspace: Workspace
    pages: Pages
    bench: Bench
    readership: Readership
    clock: Clock

    def read_seat(self, view: View) -> tuple[Seat, str]:
        """Whose mail ``view`` is, and why the list cannot be read (empty if it can)."""
        fault = self.readership.find_fault()
        if fault:
            return self.readership.nobody, fault
        return self.readership.find_seat(view, self.clock().date()), ""

    def list_addresses(self) -> list[str]:
        """Some addresses to choose from."""
        return self.readership.list_addresses(self.clock().date())

    def fill(self, mail: CompiledEdition | None, reader: Reader) -> PersonalisedMail | None:
        """The mail as the preview shows it: with nobody's links, so that looking gives no key away.

        None where there is no mail, or it has a hole that cannot be filled; the problems say so.
        """
        try:
            return personalise(mail, reader._replace(token="")) if mail else None
        except BuildError:
            return None


def _workbench_of(request: Request) -> Workbench:
    workbench = request.app.state.workbench
    assert isinstance(workbench, Workbench)  # noqa: S101 - set at start by the lifespan
    return workbench


TheWorkbench = Annotated[Workbench, Depends(_workbench_of)]


def create_preview_app(workspace: Workspace, slug: str, *, clock: Clock = read_clock) -> FastAPI:
    """The preview of the edition ``slug``, for this machine alone.

    Raises:
        ConfigurationError: there is no such edition.
    """
    workspace.edition_folder(slug)
    pages = Pages(workspace.settings, prefix="")
    bench = Bench(workspace, slug)

    @asynccontextmanager
    async def open_workbench(app: FastAPI) -> AsyncIterator[None]:
        engine = workspace.open_database()
        readership = Readership(workspace, engine)
        app.state.workbench = Workbench(
            workspace=workspace, pages=pages, bench=bench, readership=readership, clock=clock
        )
        try:
            yield
        finally:
            engine.dispose()

    rules = Rules(policy=WORKBENCH_POLICY, refuse=lambda status, _: pages.refuse(status), hosts=_THIS_MACHINE)
    return assemble(pages, rules, open_workbench, _ROUTES)


def show_workbench(request: Request, workbench: TheWorkbench) -> Response:
    """The page around the mail: what to show, whose it is, and what to mend."""
    view, proof = read_view(request.query_params), workbench.bench.take_proof()
    seat, fault = workbench.read_seat(view)
    mail = choose_mail(proof, view, seat.reader)
    shown = workbench.fill(mail, seat.reader)
    return workbench.pages.show(
        "preview.html",
        view=view,
        slug=workbench.bench.slug,
        version=proof.version,
        title=proof.edition.title if proof.edition else workbench.bench.slug,
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


def show_mail(request: Request, workbench: TheWorkbench) -> Response:
    """The mail in its frame, in a sandbox of its own."""
    view, proof = read_view(request.query_params), workbench.bench.take_proof()
    reader = workbench.read_seat(view)[0].reader
    shown = workbench.fill(choose_mail(proof, view, reader), reader)
    policy = {"content-security-policy": mail_policy(images="'self' data:", ancestors="'self'")}
    if shown is None:
        # A file may have been saved between the page and its frame; the page will follow within a second.
        return PlainTextResponse("There is no mail to show while the edition has errors.\n", headers=policy)
    html = localise_media(shown.html, workbench.workspace.settings.web.base_url)
    html = open_links_apart(force_scheme(html, dark=view.scheme is Scheme.dark))
    return HTMLResponse(drop_images(html) if view.images is Images.off else html, headers=policy)


def show_picture(name: str, workbench: TheWorkbench) -> Response:
    """A picture of the edition, from memory: previewing writes no file."""
    image = workbench.bench.find_picture(name)
    if image is None:
        return workbench.pages.refuse(404)
    return Response(image.data, media_type=IMAGE_TYPES[PurePosixPath(name).suffix], headers=IMAGE_HEADERS)


def show_version(workbench: TheWorkbench) -> Response:
    """A word that changes with the files; the page asks for it once a second."""
    return PlainTextResponse(workbench.bench.read_version())


_ROUTES: tuple[Route, ...] = (
    ("/", show_workbench, _LOOK),
    ("/frame", show_mail, _LOOK),
    ("/media/{name}", show_picture, _LOOK),
    ("/version", show_version, _LOOK),
)


def choose_mail(proof: Proof, view: View, reader: Reader) -> CompiledEdition | None:
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


def count_problems(proof: Proof) -> str:
    """How many errors and warnings there are, in words."""
    warnings = len(proof.problems) - proof.errors
    counts = ((proof.errors, "error"), (warnings, "warning"))
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in counts if number)
