"""A request for a page of Studio: who makes it, in which language, and how the page is rendered."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Request
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from mailer.activity.act_journal import announce_acts
from mailer.activity.deeds import Deed
from mailer.activity.record import ActivityLine, Actor, record_line
from mailer.database.engine import open_session
from mailer.errors import ConfigurationError
from mailer.i18n import Translator
from mailer.revisions.edition_file import EditionFileError
from mailer.settings import Settings
from mailer.team.members import Member, Permission, is_allowed
from mailer.team.sessions import SignedIn, find_signed_in, mark_seen
from mailer.web.forms import list_sectors, own_country_names, own_language_name
from mailer.web.language import choose_translator
from mailer.web.page_renderer import compress_own_page
from mailer.web.studio.notices import Notice, find_notice
from mailer.web.studio.state import PATH, StudioState, get_state

_NOTICE = "notice"
# A longer number is none that a database has.
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_SECTIONS = {
    "": "home",
    "corrections": "campaigns",
    "counts": "segments",
    "exports": "partners",
    "imports": "partners",
    "log": "team",
    "machines": "campaigns",
    "outbox": "campaigns",
    "reports": "campaigns",
    "sign-ups": "partners",
    "trial": "campaigns",
}
"""The section of the menu for pages whose path begins otherwise."""
_Thing = TypeVar("_Thing")
_Page = TypeVar("_Page", bound="StudioPage")


def or_404(thing: _Thing | None) -> _Thing:
    """Return ``thing``, or answer 404 where there is none, or it is False."""
    if thing is None or thing is False:
        raise HTTPException(404)
    return thing


def read_row_number(text: str) -> int | None:
    """Return the number that ``text`` is; None if no row can have it."""
    return int(text) if _NUMBER.fullmatch(text) else None


def depend_on_number(name: str) -> Any:
    """Make the dependency that reads the part ``name`` of a path; 404 if no row can have it."""

    def read(request: Request) -> int:
        return or_404(read_row_number(request.path_params[name]))

    return Depends(read)


class SignInRequiredError(Exception):
    """The page is for members, and the visitor is not signed in."""


class NotAllowedError(Exception):
    """The member's role does not allow this."""


class RefusedFormError(Exception):
    """A field of a form is wrong: its id, and what to do, with the values that the words name."""

    def __init__(self, field: str, words: str, **values: object) -> None:
        self.field = field
        self.words = words
        self.values = values
        super().__init__(words)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A request, by whomever: ``signed_in`` is None for a visitor who is not signed in."""

    state: StudioState
    request: Request
    signed_in: SignedIn | None = None

    @property
    def settings(self) -> Settings:
        return self.state.workspace.settings

    @cached_property
    def translator(self) -> Translator:
        own = self.signed_in.member.language if self.signed_in is not None else ""
        return choose_translator(self.request.scope, form_language=own)

    @property
    def section(self) -> str:
        """The section of the menu; "" for what is shown to everybody."""
        return ""

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks, for a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    def make_path(self, path: str, notice: Notice | None = None, **query: str) -> str:
        """Return the address of a page of Studio: ``path`` is below /studio, such as "/editions"."""
        values = {**query, **({_NOTICE: notice.key} if notice is not None else {})}
        return f"{self.state.renderer.prefix}{path}{f'?{urlencode(values)}' if values else ''}"

    def redirect(self, path: str, notice: Notice | None = None, **query: str) -> Response:
        """Go on to another page of Studio after an act (303, so that reloading repeats nothing)."""
        return RedirectResponse(self.make_path(path, notice, **query), status_code=303)

    def go_to(self, path: str) -> Response:
        """Go on to a path that :meth:`make_path` made."""
        return RedirectResponse(path, status_code=303)

    def render(self, template: str, *, status: int = 0, **values: Any) -> Response:
        """Render a page of ``templates/web/studio``. With ``errors``, pairs of a field and words, its status
        is 422 by default, and the template has the words by field in ``wrong``."""
        errors = values.get("errors", ())
        shared: dict[str, Any] = {
            "member": self.signed_in.member if self.signed_in is not None else None,
            "may": lambda name: self.may(Permission(name)),
            "may_open": self.may_open,
            "name_edition": self.name_edition,
            "name_country": self.name_country,
            "name_sector": self.name_sector,
            "name_language": own_language_name,
            "notice": find_notice(self.request.query_params.get(_NOTICE, "")),
            "is_here_alone": self.state.is_here_alone,
            "place": self,
            "section": self.section,
            "errors": errors,
            "wrong": dict(errors),
            **values,
        }
        status = status or (422 if errors else 200)
        page = self.state.renderer.render(f"studio/{template}", self.translator, status=status, **shared)
        return compress_own_page(self.request, page)

    def translate(self, message: str, **values: object) -> str:
        return self.translator.translate(message, **values)

    def explain(self, error: Exception) -> str:
        """Return why a file cannot be read or written, to be said within a sentence."""
        if isinstance(error, EditionFileError):
            return self.translate(error.message, **error.values)
        reason = error.strerror if isinstance(error, OSError) else ""
        return reason or str(error)

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Return the words for ``number`` things, which they call ``num``, in the language of the page."""
        return self.translator.translations.ngettext(one, many, number) % {"num": number}

    def name_country(self, code: str | None) -> str:
        """Return a country's name in the language of the page; "" without one."""
        return self.translator.name_country(code, own_country_names(self.settings)) if code else ""

    def name_sector(self, slug: str) -> str:
        """Return a sector's name in the language of the page; ``slug`` if the settings have none with it."""
        return dict(list_sectors(self.translator, self.settings)).get(slug, slug)

    def name_edition(self, slug: str) -> str:
        """What an edition is called, with its number; ``slug`` if it says neither or does not exist."""
        try:
            self.state.workspace.edition_folder(slug)
        except (ConfigurationError, OSError, ValueError):
            return slug
        summary = self.state.summaries.read(slug)
        return " ".join(filter(None, (summary.title, summary.number))) or slug

    def may(self, permission: Permission) -> bool:
        """Return whether the visitor may do what ``permission`` names; templates ask for it by its name."""
        return self.signed_in is not None and is_allowed(self.signed_in.member.role, permission)

    def may_open(self, path: str) -> bool:
        """Return whether there is a page at ``path``, such as "/team", that the visitor may see."""
        permissions: Mapping[str, Permission | None] = self.request.app.state.permissions
        needed = permissions.get(path)
        return needed is not None and self.may(needed)


@dataclass(frozen=True, kw_only=True)
class StudioPage(Visit):
    """A request by a member of the team.

    An answer reads in one :attr:`session` and writes in another, :meth:`writing`, before which what was being
    read is let go: so nobody holds one connection while they wait for another.
    """

    signed_in: SignedIn
    _reading: list[Session] = field(default_factory=list, repr=False, compare=False)

    def about(self, kind: type[_Page], **loaded: Any) -> _Page:
        """Return this request as one about what was ``loaded`` for it: the further fields of ``kind``. Both
        read in one session."""
        own, wanted = ({one.name for one in fields(page)} for page in (type(self), kind))
        return kind(**{name: getattr(self, name) for name in own & wanted} | loaded)

    @property
    def section(self) -> str:
        path: str = self.request.scope["path"]
        name = path.removeprefix(PATH).strip("/").partition("/")[0]
        return _SECTIONS.get(name, name)

    @property
    def session(self) -> Session:
        """The read-only session of this answer. It ends with the answer, or when something is written."""
        if not self._reading:
            self._reading.append(open_session(self.state.engine, read_only=True))
        return self._reading[0]

    def end_reading(self) -> None:
        while self._reading:
            self._reading.pop().close()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits when the block ends normally and rolls back otherwise."""
        self.end_reading()
        with self.state.write_session() as session:
            yield session

    def record(self, session: Session, deed: Deed) -> None:
        """Write down what the member does, together with what ``session`` changes."""
        record_line(session, self.make_line(deed))

    def make_line(self, deed: Deed) -> ActivityLine:
        return ActivityLine(actor=self.actor, deed=deed, at=self.state.clock())

    @contextmanager
    def announcing(self, line: ActivityLine, *files: Path) -> Iterator[Session]:
        """A session as of :meth:`writing`, for an act that changes ``files`` and records ``line``. Neither is
        there without the other when the server is killed, as
        :func:`~mailer.activity.act_journal.announce_acts` says."""
        with announce_acts(self.state.workspace, [line], files), self.writing() as session:
            yield session

    @property
    def member(self) -> Member:
        return self.signed_in.member

    @property
    def actor(self) -> Actor:
        """The member, as the log of who did what names them."""
        return Actor.from_member(self.member)

    def require(self, permission: Permission) -> None:
        """Refuse what the member may not do; for acts that depend on more than the route. Raise
        NotAllowedError if the member's role does not allow it.
        """
        if not self.may(permission):
            raise NotAllowedError


def open_visit(request: Request) -> Visit:
    state = get_state(request)
    secret = request.cookies.get(state.cookie_name, "")
    if not secret:
        return Visit(state=state, request=request)
    now = state.clock()
    with state.read_session() as session:
        found = find_signed_in(session, secret, lifetime=state.session_lifetime, now=now)
    if found is not None and not found.is_seen_lately:
        with state.write_session() as session:
            mark_seen(session, found.session_id, now=now)
    return Visit(state=state, request=request, signed_in=found)


VisitDep = Annotated[Visit, Depends(open_visit)]
"""A request by whomever: for the pages of signing in."""


def _open_page(visit: VisitDep) -> StudioPage:
    if visit.signed_in is None:
        raise SignInRequiredError
    return StudioPage(state=visit.state, request=visit.request, signed_in=visit.signed_in)


PageDep = Annotated[StudioPage, Depends(_open_page)]


def require(permission: Permission) -> Callable[[StudioPage], None]:
    """Make the dependency that keeps a route for members with ``permission``."""

    def check(page: PageDep) -> None:
        page.require(permission)

    return check
