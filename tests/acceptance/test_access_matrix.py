"""Who may do what: a declared matrix of routes, methods and evidence, and every cell of it tried.

A route of any app that is not in the matrix turns this red, and so does a cell that answers otherwise.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.responses import Response

from mailer.rendering.compiled_edition import CompiledEdition
from mailer.selfservice.confirmation import make_form_token
from mailer.web.access import LocalAccess
from mailer.web.app import create_app
from mailer.web.preview import create_preview_app
from mailer.web.report import create_report_app
from mailer.workspace import Workspace, open_workspace
from subscribers.models import Status
from subscribers.tokens import CLICK, LinkPurpose
from tests.factories.draft_edition import Draft
from tests.factories.webhook_requests import (
    post_as_mailgun,
    post_as_sendgrid,
    post_as_standard,
    post_with_password,
    write_settings,
)
from tests.web.site import (
    add_archived_edition,
    add_counted_campaign,
    add_reader,
    dump_tables,
    issue_link_token,
    opened_engine,
    send_request,
    served,
    sign_click,
    write_form_data,
)

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS")
FORM = "application/x-www-form-urlencoded"
OWN_PAGE = {"content-type": FORM, "sec-fetch-site": "same-origin"}
ELSEWHERE = (
    {"content-type": FORM, "sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"content-type": FORM, "sec-fetch-site": "same-site"},
    {"content-type": FORM, "origin": "null"},
    {"content-type": FORM},
)


class Evidence(StrEnum):
    """What a request has to show."""

    nothing = "nothing"
    """Anyone may."""

    newsletter = "newsletter"
    """The token in the links of a newsletter."""

    confirm = "confirm"
    """The one-time link of a sign-up's confirmation."""

    export = "export"
    """The one-time link to a copy of the data."""

    erase = "erase"
    """The one-time link to erasure."""

    address = "address"
    """The one-time link to a change of address."""

    new_address = "new_address"
    """The one-time link mailed to a new address."""

    click = "click"
    """The token in a link whose clicks are counted."""

    form = "form"
    """The token of a form that our own page showed."""

    local = "local"
    """The secret in the address that ``mailer preview`` and ``mailer campaigns report --page`` print, or in
    the cookie it leaves."""

    secret = "secret"
    """The secret of a webhook, in the Authorization header."""

    signature = "signature"
    """A provider's signature, in a header or in the body (test_webhooks)."""


TOKENS: Mapping[Evidence, str] = {
    Evidence.newsletter: LinkPurpose.subscription,
    Evidence.click: CLICK,
    **{Evidence(purpose.value): purpose for purpose in LinkPurpose if purpose.is_mailed},
}


@dataclass(frozen=True)
class Cell:
    """What a route needs for one method: evidence, and for a POST whether only our own page may send it.

    ``fields`` are those of a form it accepts. ``status`` is that of the reader who may use it.
    """

    evidence: Evidence
    own_page_only: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    status: Status = Status.active


def own(evidence: Evidence, **fields: str) -> Cell:
    return Cell(evidence, own_page_only=True, fields=fields)


E = Evidence
GONE = Status.unsubscribed
READERS: Mapping[tuple[str, str], Cell] = {
    ("GET", "/u/{token}"): Cell(E.newsletter),
    ("POST", "/u/{token}"): Cell(E.newsletter, fields={"List-Unsubscribe": "One-Click"}),
    ("GET", "/u/{token}/undo"): Cell(E.newsletter, status=GONE),
    ("POST", "/u/{token}/undo"): Cell(E.newsletter, fields={"from": "undo"}, status=GONE),
    ("GET", "/u/{token}/reason"): Cell(E.newsletter, status=GONE),
    ("POST", "/u/{token}/reason"): Cell(E.newsletter, fields={"reason": "too_many"}, status=GONE),
    ("GET", "/c/{token}/{number}"): Cell(E.click),
    ("GET", "/p/{token}"): Cell(E.newsletter),
    ("POST", "/p/{token}"): own(E.newsletter, name="Mei", frequency="every"),
    ("POST", "/p/{token}/stay"): own(E.newsletter),
    ("GET", "/p/{token}/look"): Cell(E.newsletter),
    ("POST", "/p/{token}/look"): own(E.newsletter, sector="culture"),
    ("GET", "/p/{token}/data"): Cell(E.newsletter),
    ("POST", "/p/{token}/data"): own(E.newsletter, wish="export"),
    ("GET", "/d/export/{token}"): Cell(E.export),
    ("POST", "/d/export/{token}"): own(E.export),
    ("GET", "/d/erase/{token}"): Cell(E.erase),
    ("POST", "/d/erase/{token}"): own(E.erase),
    ("GET", "/d/address/{token}"): Cell(E.address),
    ("POST", "/d/address/{token}"): own(E.address, email="other@example.org"),
    ("GET", "/d/move/{token}"): Cell(E.new_address),
    ("POST", "/d/move/{token}"): own(E.new_address),
    ("GET", "/confirm/{token}"): Cell(E.confirm, status=Status.pending),
    ("POST", "/confirm/{token}"): Cell(E.confirm, own_page_only=True, status=Status.pending),
    ("GET", "/subscribe"): Cell(E.nothing),
    ("POST", "/subscribe"): own(E.form, email="new@example.org"),
    ("GET", "/link"): Cell(E.nothing),
    ("POST", "/link"): own(E.form, email="mei@example.org"),
    ("GET", "/verify"): Cell(E.nothing),
    ("POST", "/verify"): own(E.nothing, code="7K3M-QX9P-2HWD-5T8R"),
    ("GET", "/verify/mail"): Cell(E.nothing),
    ("POST", "/verify/mail"): own(E.nothing, mail="From: a@example.com\r\nSubject: News\r\n\r\nText.\r\n"),
    ("GET", "/"): Cell(E.nothing),
    ("GET", "/e/"): Cell(E.nothing),
    ("GET", "/e/{slug}/{language}"): Cell(E.nothing),
    ("GET", "/e/{slug}/{language}/{story}"): Cell(E.nothing),
    ("GET", "/accessibility"): Cell(E.nothing),
    ("GET", "/feed.{ending}"): Cell(E.nothing),
    ("GET", "/feed/{axis}/{about}.{ending}"): Cell(E.nothing),
    ("GET", "/media/{name}"): Cell(E.nothing),
    ("GET", "/robots.txt"): Cell(E.nothing),
    ("GET", "/healthz"): Cell(E.nothing),
    ("GET", "/static/{name}"): Cell(E.nothing),
    ("GET", "/favicon.ico"): Cell(E.nothing),
}
"""The readers' site."""

HOOKS: Mapping[tuple[str, str], Cell] = {
    ("POST", "/hooks/ses"): Cell(E.signature),
    ("POST", "/hooks/mailgun"): Cell(E.signature),
    ("POST", "/hooks/sendgrid"): Cell(E.signature),
    ("POST", "/hooks/generic"): Cell(E.signature),
    ("POST", "/hooks/postmark"): Cell(E.secret),
    ("POST", "/hooks/brevo"): Cell(E.secret),
    ("POST", "/hooks/mailjet"): Cell(E.secret),
}
"""The webhooks, each only if it is in the settings; then they are a part of the readers' site."""

PREVIEW: Mapping[tuple[str, str], Cell] = {
    **{("GET", path): Cell(E.local) for path in ("/", "/frame", "/version")},
    **{("GET", path): Cell(E.nothing) for path in ("/media/{name}", "/static/{name}", "/favicon.ico")},
}
"""The preview, which answers this machine alone: its security rules refuse any other Host (test_security)."""

REPORTS: Mapping[tuple[str, str], Cell] = {
    **{("GET", path): Cell(E.local) for path in ("/", "/campaigns/{campaign_id}")},
    **{("GET", path): Cell(E.nothing) for path in ("/static/{name}", "/favicon.ico")},
}
"""The reports, which answer this machine alone, too."""


def list_routes(app: FastAPI) -> set[tuple[str, str]]:
    """Every method and path of an app. HEAD goes with GET: one handler answers both."""
    return {
        (method, getattr(route, "path", repr(route)))
        for route in app.routes
        for method in getattr(route, "methods", None) or {"?"}
    }


def find_undeclared(app: FastAPI, matrix: Mapping[tuple[str, str], Cell]) -> set[tuple[str, str]]:
    """What an app answers and the matrix does not say, or the other way round."""
    heads = {("HEAD", path) for method, path in matrix if method == "GET"}
    return list_routes(app) ^ (set(matrix) | heads)


class Site:
    """The readers' site with an edition, and the evidence to show there."""

    def __init__(self, workspace: Workspace, engine: Engine, url: str, mail: CompiledEdition) -> None:
        self.workspace, self.engine, self.url = workspace, engine, url
        found = re.search(r"/static/([^\"?]+)", send_request(url, "GET", "/e/").text)
        assert found is not None
        words = {"slug": "2021-2", "language": "en", "ending": "atom", "axis": "sector", "about": "culture"}
        words |= {"story": "youth-forum", "number": "1"}
        self._words = {**words, "name": mail.images[0].name, "asset": found[1]}
        self._numbers = count(1)

    def make_token(self, evidence: Evidence, status: Status) -> str:
        """A genuine token, for a reader of its own."""
        email, keys = f"reader{next(self._numbers)}@example.org", self.workspace.keys
        token = add_reader(self.engine, keys, email, status=status)
        if evidence is Evidence.newsletter:
            return token
        if evidence is Evidence.click:
            return sign_click(self.workspace)
        return issue_link_token(
            self.engine, keys, email, LinkPurpose(TOKENS[evidence]), detail=f"new.{email}"
        )

    def make_stamp(self, *, minutes: int = 1) -> str:
        shown = datetime.now(UTC) - timedelta(minutes=minutes)
        return make_form_token(self.workspace.keys.suppression, shown)

    def fill(self, path: str, token: str = "") -> str:
        words = {**self._words, "token": token}
        if path.startswith("/static/"):
            words["name"] = words["asset"]
        return re.sub(r"\{(\w+)\}", lambda hole: words[hole[1]], path)

    def send(self, method: str, path: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> int:
        body = urlencode(fields).encode() if method != "GET" else None
        if path == "/verify/mail" and body:
            body, kind = write_form_data({name: value.encode() for name, value in fields.items()})
            headers = {**headers, "content-type": kind}
        return send_request(self.url, method, path, body, dict(headers)).status


@pytest.fixture
def site(workspace: Workspace) -> Iterator[Site]:
    opened = open_workspace(workspace.root, environ={"MAILER_WEB__SIGN_UP": "true"})
    with opened_engine(opened) as engine:
        mail = add_archived_edition(opened, engine)
        add_counted_campaign(engine)
        with served(create_app(opened)) as running:
            yield Site(opened, engine, running.url, mail)


def test_every_route_of_every_app_is_in_the_matrix(workspace: Workspace) -> None:
    Draft(workspace.editions / "2021-2")
    assert find_undeclared(create_app(workspace), READERS) == set()
    write_settings(workspace.root)
    hooked = open_workspace(workspace.root, environ={})
    assert find_undeclared(create_app(hooked), {**READERS, **HOOKS}) == set()
    assert find_undeclared(create_preview_app(workspace, "2021-2", access=LocalAccess()), PREVIEW) == set()
    assert find_undeclared(create_report_app(workspace, access=LocalAccess()), REPORTS) == set()


@pytest.mark.parametrize("name", ["preview", "reports"])
def test_a_local_app_wants_its_secret_wherever_the_matrix_says_so(workspace: Workspace, name: str) -> None:
    Draft(workspace.editions / "2021-2")
    access = LocalAccess()
    preview = create_preview_app(workspace, "2021-2", access=access)
    reports = create_report_app(workspace, access=access)
    app, cells = {"preview": (preview, PREVIEW), "reports": (reports, REPORTS)}[name]
    with served(app) as running:
        for (_, path), cell in cells.items():
            statuses = [
                send_request(
                    running.url, "GET", path, headers={"cookie": f"{access.cookie_name}={token}"}
                ).status
                for token in ("", LocalAccess().token, access.token)
            ]
            is_refused = [status == 403 for status in statuses]
            assert is_refused == [cell.evidence is E.local, cell.evidence is E.local, False], path


@pytest.mark.parametrize(("method", "path"), [("GET", "/new"), ("DELETE", "/p/{token}")])
def test_a_route_or_a_method_that_is_not_in_the_matrix_is_found(
    workspace: Workspace, method: str, path: str
) -> None:
    app = create_app(workspace)
    answer: Callable[..., Response] = lambda: Response()  # noqa: E731
    app.add_api_route(path, answer, methods=[method], response_model=None)
    assert find_undeclared(app, READERS) == {(method, path)}


def test_without_its_evidence_no_cell_answers_and_nothing_changes(site: Site) -> None:
    """Every cell with every other evidence, with none, altered, and from another site."""
    wrong = {evidence: site.make_token(evidence, Status.active) for evidence in TOKENS}
    genuine = {
        (method, path): site.make_token(cell.evidence, cell.status)
        for (method, path), cell in READERS.items()
        if cell.evidence in TOKENS
    }
    before = dump_tables(site.engine)
    tried = 0
    for (method, path), cell in READERS.items():
        where = (method, path)
        if cell.evidence in TOKENS:
            token = genuine[where]
            altered = (token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1], token.lower(), "A" * 39)
            others = [other for evidence, other in wrong.items() if evidence is not cell.evidence]
            for other in (*others, *altered, "x", f"{token}=", f"{token}A", f"{token} "):
                asked = site.fill(path, other.replace(" ", "%20"))
                assert site.send(method, asked, cell.fields, OWN_PAGE) == 404, (where, other)
                tried += 1
        elif cell.evidence is Evidence.form:
            for stamp in ("", "x", site.make_stamp(minutes=-60), site.make_stamp(minutes=60 * 48)):
                assert site.send(method, path, {**cell.fields, "stamp": stamp}, OWN_PAGE) == 422, where
                tried += 1
        if cell.own_page_only:
            asked = site.fill(path, genuine.get(where, ""))
            for headers in ELSEWHERE:
                fields = {**cell.fields, "stamp": site.make_stamp()}
                assert site.send(method, asked, fields, headers) == 403, (where, headers)
                tried += 1
    assert tried > 300
    assert dump_tables(site.engine) == before


def test_with_its_evidence_every_cell_answers(site: Site) -> None:
    for (method, path), cell in READERS.items():
        token = site.make_token(cell.evidence, cell.status) if cell.evidence in TOKENS else ""
        # What any site may post comes from a mail program: without cookies, context or our page.
        headers = OWN_PAGE if cell.own_page_only else ELSEWHERE[0]
        fields = {**cell.fields, "stamp": site.make_stamp()} if cell.evidence is E.form else cell.fields
        asked = site.fill(path, token)
        done = 302 if cell.evidence is E.click else 200
        assert site.send(method, asked, fields, headers) == done, (method, path)
        # A one-time link works once; that of a newsletter goes on.
        again = site.send(method, asked, fields, headers)
        is_spent = method == "POST" and cell.evidence in set(TOKENS) - {E.newsletter, E.confirm}
        assert again == (404 if is_spent else done), (method, path)


def test_a_webhook_wants_its_own_secret_or_signature(workspace: Workspace) -> None:
    """Each webhook gets what is valid at the others, and all other evidence there is."""
    write_settings(workspace.root)
    hooked = open_workspace(workspace.root, environ={})
    by_secret = [path.rpartition("/")[2] for (_, path), cell in HOOKS.items() if cell.evidence is E.secret]
    genuine = {
        **{name: post_with_password({}) for name in by_secret},
        "mailgun": post_as_mailgun({}),
        "sendgrid": post_as_sendgrid([]),
        "generic": post_as_standard([]),
    }
    with opened_engine(hooked) as engine, served(create_app(hooked)) as running:
        token = add_reader(engine, hooked.keys, "mei@example.org")
        before = dump_tables(engine)
        for (method, path), cell in HOOKS.items():
            name = path.rpartition("/")[2]
            # Whoever was refused thirty times is told to wait.
            refused = {401 if cell.evidence is E.secret else 403, 429}
            for other, posted in genuine.items():
                is_own = other == name or {other, name} <= set(by_secret)
                answer = send_request(running.url, method, path, posted.body, dict(posted.headers))
                assert answer.status in ({200} if is_own else refused), (path, other)
            for headers in ({"authorization": f"Bearer {token}"}, {"cookie": f"token={token}"}, OWN_PAGE):
                answer = send_request(running.url, method, f"{path}?token={token}", b"{}", dict(headers))
                assert answer.status in refused, (path, headers)
            for other_method in set(METHODS) - {method}:
                assert send_request(running.url, other_method, path, None, OWN_PAGE).status == 405, path
            for spelling in (f"{path}/", f"/{path}", path.replace("/", "%2f", 2), path.upper(), f"{path};x"):
                answer = send_request(running.url, method, spelling, b"{}", OWN_PAGE)
                assert answer.status == 404, spelling
        assert dump_tables(engine) == before


def test_no_other_method_and_no_other_spelling_reaches_a_route(site: Site) -> None:
    tokens = {evidence: site.make_token(evidence, Status.active) for evidence in TOKENS}
    declared: dict[str, set[str]] = {}
    for method, path in READERS:
        declared.setdefault(path, set()).add(method)
    before = dump_tables(site.engine)
    for path, methods in declared.items():
        evidence = next(cell.evidence for (_, at), cell in READERS.items() if at == path)
        asked = site.fill(path, tokens.get(evidence, ""))
        for method in set(METHODS) - methods:
            assert site.send(method, asked, {}, OWN_PAGE) == 405, (method, path)
        for other in (f"{asked}/", f"/{asked}", asked.replace("/", "%2f", 2), f"{asked};x", f"/x/..{asked}"):
            if asked != "/":
                assert site.send("GET", other, {}, {}) == 404, other
            assert site.send("POST", other, {}, OWN_PAGE) in {404, 405}, other
    assert dump_tables(site.engine) == before
