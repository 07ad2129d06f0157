"""Every route of Studio, and who may do what there: declared here once more, and asked of a real server.

A new route fails the first test until it has its row.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from starlette.routing import compile_path

from mailer.database.team_models import Role
from mailer.team.members import is_allowed
from mailer.web.studio.app import ROUTES
from tests.factories.small_edition import SLUG
from tests.web.studio.house import PREPARED, House, open_house

EVERYBODY = frozenset(Role)
WRITERS = frozenset({Role.author, Role.approver, Role.manager})
APPROVERS = frozenset({Role.approver, Role.manager})
MANAGERS = frozenset({Role.manager})
VISITORS: frozenset[Role] | None = None
"""Whoever opens it, signed in or not: the pages of signing in."""

STORY = "teachers"
VALUES: Mapping[str, str] = {
    "edition": SLUG,
    "story": STORY,
    "language": "zh",
    "token": "A" * 43,
    "file": "nothing.jpg",
    "name": "nothing.jpg",
    "number": "1",
    "member": "1",
    "campaign": "1",
    "subscriber": "1",
    "tag": "0123456789",
}
"""What stands in a path for each of its parameters, if the row says nothing else."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Who may use a route, and what the answer to them may be.

    ``form`` is what a POST sends. ``answers`` are the statuses of an answer to who may; without it a GET
    gives 200, and a POST something that is neither a refusal of the person nor a failure. ``values`` are the
    parameters of the path.
    """

    who: frozenset[Role] | None
    form: Mapping[str, str] = field(default_factory=dict)
    answers: frozenset[int] = frozenset()
    values: Mapping[str, str] = field(default_factory=dict)


def row(
    who: frozenset[Role] | None, *answers: int, form: Mapping[str, str] | None = None, **values: str
) -> Row:
    return Row(who=who, form=form or {}, answers=frozenset(answers), values=values)


_PREPARED = str(PREPARED)
MATRIX: Mapping[str, Row] = {
    "GET /": row(EVERYBODY),
    "GET /sign-in": row(VISITORS, 200, 303),
    "POST /sign-in": row(VISITORS, form={"email": "ann@example.org"}),
    "GET /sign-in/sent": row(VISITORS),
    "GET /link/{token}": row(VISITORS, 410),
    "POST /link/{token}": row(VISITORS, 410),
    "GET /first/{token}": row(VISITORS, 410),
    "POST /first/{token}": row(VISITORS, 410, form={"email": "eve@example.org", "name": "Eve"}),
    "POST /sign-out": row(VISITORS),
    "GET /signed-in": row(VISITORS, 200, 303),
    "GET /editions": row(EVERYBODY),
    "GET /editions/{edition}": row(EVERYBODY),
    "GET /editions/{edition}/problems": row(EVERYBODY),
    "GET /editions/{edition}/thumb/{file}": row(EVERYBODY, 404),
    "GET /editions/{edition}/new-story": row(WRITERS),
    "POST /editions/{edition}/new-story": row(WRITERS, form={"title": "A new story"}),
    "POST /editions/{edition}/stories/{story}/move": row(WRITERS, form={"to": "1"}),
    "POST /editions/{edition}/stories/{story}/remove": row(WRITERS),
    "GET /editions/{edition}/stories/{story}": row(EVERYBODY),
    "POST /editions/{edition}/stories/{story}": row(WRITERS),
    "GET /editions/{edition}/stories/{story}/preview": row(EVERYBODY),
    "GET /editions/{edition}/stories/{story}/preview/frame": row(EVERYBODY),
    "POST /editions/{edition}/stories/{story}/preview/frame": row(WRITERS),
    "GET /editions/{edition}/stories/{story}/checks": row(EVERYBODY),
    "GET /editions/{edition}/letter": row(EVERYBODY),
    "POST /editions/{edition}/letter": row(WRITERS),
    "GET /editions/{edition}/letter/preview": row(EVERYBODY),
    "GET /editions/{edition}/letter/preview/frame": row(EVERYBODY),
    "POST /editions/{edition}/letter/preview/frame": row(WRITERS),
    "GET /editions/{edition}/letter/checks": row(EVERYBODY),
    "GET /editions/{edition}/preview": row(EVERYBODY),
    "GET /editions/{edition}/versions": row(EVERYBODY),
    "GET /editions/{edition}/media/{name}": row(EVERYBODY, 404),
    "GET /editions/{edition}/pictures/{file}": row(EVERYBODY, 404),
    "GET /editions/{edition}/stories/{story}/picture": row(WRITERS),
    "POST /editions/{edition}/stories/{story}/picture": row(WRITERS),
    "POST /editions/{edition}/stories/{story}/picture/remove": row(WRITERS),
    "GET /editions/{edition}/letter/picture": row(WRITERS),
    "POST /editions/{edition}/letter/picture": row(WRITERS),
    "POST /editions/{edition}/letter/picture/remove": row(WRITERS),
    "GET /editions/new": row(WRITERS),
    "GET /editions/new/{way}": row(WRITERS, way="empty"),
    "POST /editions/new/{way}": row(WRITERS, way="empty", form={"slug": "2027-1"}),
    "GET /editions/{edition}/details": row(WRITERS),
    "POST /editions/{edition}/details": row(WRITERS),
    "GET /editions/{edition}/import": row(EVERYBODY, 200, 404),
    "GET /account": row(EVERYBODY),
    "POST /account": row(EVERYBODY, form={"name": "Ann"}),
    "GET /account/data": row(EVERYBODY, 200, 303),
    "GET /account/password": row(EVERYBODY, 200, 303),
    "POST /account/password": row(EVERYBODY),
    "POST /account/password/remove": row(EVERYBODY),
    "GET /account/passkeys/new": row(EVERYBODY, 200, 303),
    "POST /account/passkeys/new": row(EVERYBODY),
    "POST /account/passkeys/new/options": row(EVERYBODY),
    "GET /account/passkeys/{passkey_id:int}": row(EVERYBODY, 404, passkey_id="1"),
    "POST /account/passkeys/{passkey_id:int}": row(EVERYBODY, 404, passkey_id="1"),
    "POST /account/passkeys/{passkey_id:int}/remove": row(EVERYBODY, 404, passkey_id="1"),
    "POST /account/organisation/remove": row(EVERYBODY),
    "POST /account/sessions/end-others": row(EVERYBODY),
    "POST /account/sessions/{session_id:int}/end": row(EVERYBODY, 303, 404, session_id="1"),
    "GET /confirm": row(EVERYBODY, 200, 303),
    "POST /confirm": row(EVERYBODY),
    "POST /confirm/link": row(EVERYBODY),
    "POST /confirm/passkey": row(EVERYBODY),
    "GET /sign-in/organisation": row(VISITORS, 200, 303, 404),
    "GET /sign-in/organisation/back": row(VISITORS, 303, 400, 403, 404, 410, 422),
    "GET /sign-in/password": row(VISITORS, 200, 303),
    "POST /sign-in/password": row(VISITORS),
    "POST /sign-in/passkey": row(VISITORS, 400, 403, 410, 422),
    "POST /sign-in/passkey/options": row(VISITORS),
    "GET /editions/{edition}/comments": row(EVERYBODY),
    "GET /editions/{edition}/letter/comments": row(EVERYBODY),
    "POST /editions/{edition}/letter/comments": row(EVERYBODY, form={"text": "Well done"}),
    "GET /editions/{edition}/stories/{story}/comments": row(EVERYBODY),
    "POST /editions/{edition}/stories/{story}/comments": row(EVERYBODY, form={"text": "Well done"}),
    "POST /editions/{edition}/comments/{thread}/read": row(EVERYBODY, 404, thread="1"),
    "POST /editions/{edition}/comments/{thread}/reopen": row(EVERYBODY, 404, thread="1"),
    "POST /editions/{edition}/comments/{thread}/reply": row(EVERYBODY, 404, thread="1"),
    "POST /editions/{edition}/comments/{thread}/resolve": row(EVERYBODY, 404, thread="1"),
    "POST /editions/{edition}/comments/{thread}/{comment}/delete": row(
        EVERYBODY, 404, thread="1", comment="1"
    ),
    "POST /editions/{edition}/comments/{thread}/{comment}/edit": row(EVERYBODY, 404, thread="1", comment="1"),
    "GET /editions/{edition}/translations": row(EVERYBODY),
    "GET /editions/{edition}/letter/translations/{language}": row(EVERYBODY),
    "POST /editions/{edition}/letter/translations/{language}": row(WRITERS),
    "GET /editions/{edition}/stories/{story}/translations/{language}": row(EVERYBODY),
    "POST /editions/{edition}/stories/{story}/translations/{language}": row(WRITERS),
    "GET /editions/{edition}/history": row(EVERYBODY),
    "POST /editions/{edition}/history": row(WRITERS, 303, 404, 422),
    "GET /editions/{edition}/conflicts/{number}": row(WRITERS, 404),
    "POST /editions/{edition}/conflicts/{number}": row(WRITERS, 404),
    "GET /editions/{edition}/stories/{story}/history": row(EVERYBODY),
    "POST /editions/{edition}/stories/{story}/history": row(WRITERS, 303, 404, 422),
    "GET /editions/{edition}/stories/{story}/history/changes": row(EVERYBODY, 200, 404),
    "POST /editions/{edition}/stories/{story}/presence": row(EVERYBODY),
    "GET /editions/{edition}/letter/history": row(EVERYBODY),
    "POST /editions/{edition}/letter/history": row(WRITERS, 303, 404, 422),
    "GET /editions/{edition}/letter/history/changes": row(EVERYBODY, 200, 404),
    "POST /editions/{edition}/letter/presence": row(EVERYBODY),
    "GET /editions/{edition}/stories/{story}/translations/{language}/history": row(EVERYBODY),
    "POST /editions/{edition}/stories/{story}/translations/{language}/history": row(WRITERS, 303, 404, 422),
    "GET /editions/{edition}/stories/{story}/translations/{language}/history/changes": row(
        EVERYBODY, 200, 404
    ),
    "POST /editions/{edition}/stories/{story}/translations/{language}/presence": row(EVERYBODY),
    "GET /editions/{edition}/letter/translations/{language}/history": row(EVERYBODY),
    "POST /editions/{edition}/letter/translations/{language}/history": row(WRITERS, 303, 404, 422),
    "GET /editions/{edition}/letter/translations/{language}/history/changes": row(EVERYBODY, 200, 404),
    "POST /editions/{edition}/letter/translations/{language}/presence": row(EVERYBODY),
    "GET /editions/{edition}/translations/{language}": row(EVERYBODY),
    "GET /editions/{edition}/translations/{language}/texts.docx": row(EVERYBODY),
    "GET /editions/{edition}/translations/{language}/texts.xlf": row(EVERYBODY),
    "POST /editions/{edition}/translations/{language}": row(WRITERS),
    "POST /editions/{edition}/translations/{language}/apply": row(WRITERS),
    "GET /campaigns": row(EVERYBODY),
    "GET /campaigns/calendar": row(EVERYBODY),
    "GET /campaigns/new": row(WRITERS),
    "POST /campaigns/new": row(WRITERS, form={"edition": SLUG}),
    "GET /campaigns/{campaign}": row(EVERYBODY, campaign=_PREPARED),
    "GET /campaigns/{campaign}/segment": row(WRITERS, campaign=_PREPARED),
    "POST /campaigns/{campaign}/segment": row(WRITERS, form={"q": "country:MN"}, campaign=_PREPARED),
    "GET /campaigns/{campaign}/start": row(WRITERS, campaign=_PREPARED),
    "POST /campaigns/{campaign}/start": row(WRITERS, form={"when": "launch"}, campaign=_PREPARED),
    "GET /campaigns/{campaign}/reschedule": row(APPROVERS, 303, campaign=_PREPARED),
    "POST /campaigns/{campaign}/reschedule": row(APPROVERS, 422, campaign=_PREPARED),
    "GET /campaigns/{campaign}/options": row(WRITERS, campaign=_PREPARED),
    "POST /campaigns/{campaign}/options": row(WRITERS, form={"canary": "5"}, campaign=_PREPARED),
    "GET /campaigns/{campaign}/tests": row(WRITERS, campaign=_PREPARED),
    "POST /campaigns/{campaign}/tests": row(WRITERS, 422, campaign=_PREPARED),
    "GET /campaigns/{campaign}/versions": row(EVERYBODY, campaign=_PREPARED),
    "GET /campaigns/{campaign}/versions/{tag}": row(EVERYBODY, 404, campaign=_PREPARED),
    "GET /campaigns/{campaign}/versions/{tag}/frame": row(EVERYBODY, 404, campaign=_PREPARED),
    "POST /campaigns/{campaign}/versions/{tag}/seen": row(EVERYBODY, 404, campaign=_PREPARED),
    "POST /campaigns/{campaign}/discard": row(WRITERS, campaign=_PREPARED),
    "POST /campaigns/{campaign}/archive": row(APPROVERS, 404, campaign=_PREPARED),
    "GET /campaigns/{campaign}/report": row(EVERYBODY, 200, 404),
    "GET /campaigns/{campaign}/report/tables/{table}": row(EVERYBODY, 200, 404, table="numbers"),
    "POST /campaigns/{campaign}/report/deliveries": row(MANAGERS, 200, 404),
    "GET /reports": row(EVERYBODY),
    "GET /imports": row(WRITERS),
    "GET /imports/new": row(WRITERS),
    "POST /imports/upload": row(WRITERS, 415),
    "GET /imports/new/{file}": row(WRITERS, file="1"),
    "POST /imports/new/{file}": row(WRITERS, 409, file="1", form={"act": "check"}),
    "POST /imports/new/{file}/discard": row(WRITERS, 303, file="1"),
    "GET /imports/new/{file}/refused.csv": row(WRITERS, file="1"),
    "GET /imports/{number}": row(WRITERS),
    "GET /imports/{number}/refused.csv": row(WRITERS, 404),
    "GET /imports/{number}/undo": row(WRITERS),
    "POST /imports/{number}/undo": row(WRITERS, 303, 403, 409, 422),
    "GET /exports": row(MANAGERS),
    "POST /exports": row(MANAGERS, 200, 403),
    "GET /sign-ups": row(WRITERS),
    "POST /sign-ups/admit": row(WRITERS, form={"who": "1"}),
    "POST /sign-ups/decline": row(WRITERS, form={"who": "1"}),
    "GET /corrections/new": row(WRITERS),
    "POST /corrections/new": row(WRITERS, 404),
    "GET /corrections/{edition}/{story}/{number}": row(WRITERS, 404),
    "GET /corrections/{edition}/{story}/{number}/edit": row(WRITERS, 404),
    "POST /corrections/{edition}/{story}/{number}/edit": row(WRITERS, 404),
    "GET /corrections/{edition}/{story}/{number}/readers": row(WRITERS, 404),
    "GET /corrections/{edition}/{story}/{number}/mail/{language}": row(WRITERS, 404),
    "POST /corrections/{edition}/{story}/{number}/prepare": row(WRITERS, 404),
    "POST /corrections/{edition}/{story}/{number}/discard": row(WRITERS, 404),
    "GET /doctor": row(MANAGERS),
    "POST /doctor": row(MANAGERS),
    "GET /feedback": row(WRITERS),
    "GET /feedback/messages": row(WRITERS),
    "GET /feedback/messages/{number}": row(WRITERS, 200, 404),
    "POST /feedback/messages/{number}": row(WRITERS, 404),
    "GET /feedback/messages/{number}/file": row(WRITERS, 200, 404),
    "GET /feedback/successors/{number}": row(WRITERS, 200, 404),
    "POST /feedback/successors/{number}": row(WRITERS, 404, 422),
    "POST /feedback/successors/{number}/refuse": row(WRITERS, 404),
    "GET /campaigns/{campaign}/live": row(EVERYBODY, 404),
    "GET /campaigns/{campaign}/live/events": row(EVERYBODY, 404),
    "POST /campaigns/{campaign}/pause": row(WRITERS, 404),
    "POST /campaigns/{campaign}/resume": row(APPROVERS, 404),
    "GET /campaigns/{campaign}/cancel": row(APPROVERS, 404),
    "POST /campaigns/{campaign}/cancel": row(APPROVERS, 404),
    "GET /campaigns/{campaign}/doubts": row(WRITERS, 404),
    "POST /campaigns/{campaign}/doubts": row(APPROVERS, 303, 404),
    "POST /campaigns/{campaign}/doubts/log": row(APPROVERS, 404),
    "GET /outbox": row(WRITERS),
    "GET /outbox/media/{file}": row(WRITERS, 404),
    "GET /outbox/{name}": row(WRITERS, 404),
    "GET /outbox/{name}/frame": row(WRITERS, 404),
    "GET /outbox/{name}/source": row(WRITERS, 404),
    "GET /machines": row(EVERYBODY),
    "GET /campaigns/{campaign}/launch": row(APPROVERS, 404),
    "POST /campaigns/{campaign}/launch": row(APPROVERS, 404),
    "GET /campaigns/{campaign}/launch/check": row(APPROVERS, 404),
    "GET /campaigns/{campaign}/launch/pending": row(APPROVERS, 404),
    "POST /campaigns/{campaign}/launch/undo": row(APPROVERS, 303, 404),
    "POST /campaigns/{campaign}/launch/confirm": row(APPROVERS, 303, 404),
    "GET /trial": row(EVERYBODY),
    "POST /trial/end": row(MANAGERS),
    "POST /trial/begin": row(MANAGERS),
    "GET /campaigns/{campaign}/approval": row(EVERYBODY, 404),
    "POST /campaigns/{campaign}/approval": row(WRITERS, 404),
    "POST /campaigns/{campaign}/approval/answer": row(EVERYBODY, 404),
    "POST /campaigns/{campaign}/approval/comments": row(EVERYBODY, 404),
    "POST /campaigns/{campaign}/approval/withdraw": row(WRITERS, 404),
    "GET /campaigns/{campaign}/approval/steps": row(APPROVERS, 404),
    "POST /campaigns/{campaign}/approval/steps": row(APPROVERS, 404),
    "GET /campaigns/{campaign}/approval/{number}/variants/{variant}": row(EVERYBODY, 404, variant="1"),
    "GET /campaigns/{campaign}/approval/{number}/frame/{variant}": row(EVERYBODY, 404, variant="1"),
    "GET /campaigns/{campaign}/approval/{number}/media/{name}": row(EVERYBODY, 404),
    "GET /review/{token}": row(VISITORS, 410),
    "POST /review/{token}": row(VISITORS, 410),
    "GET /review/{token}/variants/{variant}": row(VISITORS, 410, variant="1"),
    "GET /review/{token}/frame/{variant}": row(VISITORS, 404, variant="1"),
    "GET /review/{token}/media/{name}": row(VISITORS, 404),
    "GET /partners": row(WRITERS),
    "GET /partners/new": row(WRITERS),
    "POST /partners/new": row(WRITERS, form={"email": "mei@example.org"}),
    "GET /partners/organisations": row(WRITERS),
    "GET /partners/organisations/{organisation:path}": row(WRITERS, 404, organisation="nobody/nowhere"),
    "GET /partners/{subscriber}": row(WRITERS, 404),
    "GET /partners/{subscriber}/edit": row(WRITERS, 404),
    "POST /partners/{subscriber}/edit": row(WRITERS, 404),
    "POST /partners/{subscriber}/tags": row(WRITERS, 404),
    "POST /partners/{subscriber}/pause": row(WRITERS, 404, form={"until": "2099-01-01"}),
    "POST /partners/{subscriber}/resume": row(WRITERS, 404),
    "POST /partners/{subscriber}/unsubscribe": row(WRITERS, 404),
    "POST /partners/{subscriber}/block": row(WRITERS, 404),
    "POST /partners/{subscriber}/lift": row(WRITERS, 404, form={"lift-reason": "asked for it"}),
    "GET /partners/{subscriber}/merge": row(WRITERS, 404),
    "POST /partners/{subscriber}/merge": row(WRITERS, 404, form={"other": "mei@example.org"}),
    "POST /partners/{subscriber}/data": row(MANAGERS, 404),
    "GET /partners/{subscriber}/erase": row(MANAGERS, 404),
    "POST /partners/{subscriber}/erase": row(MANAGERS, 404),
    "GET /team": row(EVERYBODY),
    "GET /team/invite": row(MANAGERS),
    "POST /team/invite": row(MANAGERS, form={"email": "new@example.org", "role": "author"}),
    "POST /team/{member}/resend": row(MANAGERS, 404),
    "GET /team/{member}": row(MANAGERS),
    "POST /team/{member}/role": row(MANAGERS, form={"role": "author"}),
    "POST /team/{member}/remove": row(MANAGERS),
    "POST /team/{member}/end-sessions": row(MANAGERS),
    "GET /settings": row(MANAGERS),
    "GET /settings/relays": row(MANAGERS),
    "GET /settings/relays/new": row(MANAGERS),
    "POST /settings/relays/new": row(MANAGERS, form={"name": "backup", "url": "smtp://127.0.0.1:9"}),
    "GET /settings/relays/{relay}": row(MANAGERS, relay="main"),
    "POST /settings/relays/{relay}": row(MANAGERS, relay="main"),
    "POST /settings/relays/{relay}/remove": row(MANAGERS, 404, relay="main"),
    "POST /settings/relays/{relay}/try": row(MANAGERS, relay="main"),
    "POST /settings/relays/{relay}/test": row(MANAGERS, relay="main"),
    "GET /settings/approval-steps": row(MANAGERS),
    "POST /settings/approval-steps": row(MANAGERS, form={"name": "Facts"}),
    "GET /settings/approval-steps/{step}": row(MANAGERS, 404, step="1"),
    "POST /settings/approval-steps/{step}": row(MANAGERS, 404, step="1"),
    "POST /settings/approval-steps/{step}/move": row(MANAGERS, 404, step="1"),
    "POST /settings/approval-steps/{step}/remove": row(MANAGERS, 404, step="1"),
    "GET /settings/sectors": row(MANAGERS),
    "POST /settings/sectors": row(MANAGERS, form={"name": "Water"}),
    "GET /settings/sectors/{sector}": row(MANAGERS, sector="culture"),
    "POST /settings/sectors/{sector}": row(MANAGERS, sector="culture"),
    "POST /settings/sectors/{sector}/move": row(MANAGERS, sector="culture", form={"to": "up"}),
    "POST /settings/sectors/{sector}/colours": row(MANAGERS, sector="culture", form={"own": "false"}),
    "POST /settings/sectors/{sector}/remove": row(MANAGERS, sector="culture"),
    "GET /settings/countries": row(MANAGERS),
    "POST /settings/countries": row(MANAGERS, form={"country": "MN"}),
    "GET /settings/countries/{country}": row(MANAGERS, country="MN"),
    "POST /settings/countries/{country}": row(MANAGERS, country="MN"),
    "GET /settings/secrets": row(MANAGERS),
    "GET /settings/secrets/{secret}": row(MANAGERS, 404, secret="mailbox"),
    "POST /settings/secrets/{secret}": row(MANAGERS, 404, secret="mailbox"),
    "POST /settings/secrets/{secret}/remove": row(MANAGERS, 404, secret="mailbox"),
    "GET /settings/sign-ins/{sign_in}": row(MANAGERS, 404, sign_in="main"),
    "POST /settings/sign-ins/{sign_in}": row(MANAGERS, 404, sign_in="main"),
    "POST /settings/sign-ins/{sign_in}/finish": row(MANAGERS, 404, sign_in="main"),
    "POST /settings/sign-ins/{sign_in}/remove": row(MANAGERS, 404, sign_in="main"),
    "GET /settings/{section}": row(MANAGERS, section="sender"),
    "POST /settings/{section}": row(MANAGERS, section="sender"),
    "GET /log": row(MANAGERS),
    "POST /log/export": row(MANAGERS),
    "GET /counts/{kind}": row(WRITERS, kind="segment"),
    "GET /segments": row(WRITERS),
    "POST /segments": row(WRITERS, form={"q": "country:MN", "name": "mongolia"}),
    "GET /segments/new": row(WRITERS),
    "GET /segments/query": row(WRITERS),
    "GET /segments/words": row(WRITERS, 200, 303),
    "GET /segments/numbers": row(WRITERS, 200, 303),
    "GET /segments/{name}": row(WRITERS, name="east"),
    "POST /segments/{name}": row(WRITERS, name="east", form={"q": "country:MN"}),
    "POST /segments/{name}/rename": row(WRITERS, name="east", form={"new_name": "west"}),
    "POST /segments/{name}/delete": row(WRITERS, name="east"),
}
"""A row for each method and path: who may, the statuses they may get, a form to send, values in the path."""

_ROUTES = frozenset(f"{method} {route.path}" for route in ROUTES for method in route.methods) - frozenset(
    f"HEAD {route.path}" for route in ROUTES
)
_UNLIKELY = frozenset({401, 403, 404, 405, 421})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


def make_path(template: str, values: Mapping[str, str]) -> str:
    """The path of a route with its parameters filled in."""
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: ({**VALUES, **values})[found[1]], template)


def list_parameters(template: str) -> list[str]:
    return re.findall(r"\{(\w+)", template)


ALL = tuple(MATRIX)
OURS = tuple(name for name in ALL if MATRIX[name].who is not None)
POSTS = tuple(name for name in ALL if name.startswith("POST "))
WITH_PARAMETERS = tuple(name for name in ALL if "{" in name)


def test_every_route_has_its_row() -> None:
    assert sorted(set(MATRIX) - _ROUTES) == []
    missing = sorted(_ROUTES - set(MATRIX))
    assert not missing, (
        "These routes have no row in tests/web/studio/test_routes.py. Say who may, as in "
        f'"{missing[0]}": row(WRITERS). All: {missing}'
    )


def test_every_route_is_the_first_that_its_own_path_leads_to() -> None:
    """ "/imports/new" would never be answered if "/imports/{number}" came before it."""
    for wanted in ROUTES:
        path = re.sub(r"\{[^}]*\}", "7", wanted.path)
        others = [route for route in ROUTES if {*route.methods} & {*wanted.methods}]
        first = next(route for route in others if compile_path(route.path)[0].match(path))
        assert first.path == wanted.path


def test_every_permission_is_the_one_declared() -> None:
    for route in ROUTES:
        for method in set(route.methods) - {"HEAD"}:
            allowed = (
                None
                if route.permission is None
                else {one for one in Role if is_allowed(one, route.permission)}
            )
            assert allowed == MATRIX[f"{method} {route.path}"].who, f"{method} {route.path}"


@pytest.mark.parametrize("name", ALL)
def test_each_role_gets_what_the_matrix_says(house: House, name: str) -> None:
    method, template = name.split(" ")
    wanted = MATRIX[name]
    path = make_path(template, wanted.values)
    for role in Role:
        who = wanted.who
        if who is not None and role not in who:
            with house.unchanged(f"{name} by a {role}"):
                answer = house.ask(method, path, role, form=wanted.form)
            assert answer.status == 403, f"{name} by a {role}: {answer.status}"
            continue
        if method == "GET":
            with house.unchanged(f"{name} by a {role}"):
                answer = house.ask(method, path, role)
                assert house.ask("HEAD", path, role).status == answer.status
            allowed = wanted.answers or {200}
            assert answer.status in allowed, f"{name} by a {role}: {answer.status}"
        else:
            answer = house.ask(method, path, role, form=wanted.form)
            assert answer.status in wanted.answers or (
                not wanted.answers and answer.status < 500 and answer.status not in _UNLIKELY
            ), f"{name} by a {role}: {answer.status}"
            house.restore()
        assert answer.status < 300 or "content-security-policy" in answer.headers


@pytest.mark.parametrize("name", OURS)
def test_whoever_is_not_signed_in_is_led_to_the_sign_in_and_changes_nothing(house: House, name: str) -> None:
    method, template = name.split(" ")
    wanted = MATRIX[name]
    path = make_path(template, wanted.values)
    for who in ("", "left", "stale", "forged"):
        with house.unchanged(f"{name} by {who or 'anybody'}"):
            answer = house.ask(method, path, who, form=wanted.form)
        if method == "GET":
            assert answer.status == 303, f"{name} by {who or 'anybody'}: {answer.status}"
            target = urlsplit(answer.headers["location"])
            assert target.path == "/studio/sign-in"
            assert unquote(target.query).endswith(f"next={unquote(path)}")
        else:
            assert answer.status == 401, f"{name} by {who or 'anybody'}: {answer.status}"


@pytest.mark.parametrize("name", POSTS)
def test_a_post_that_may_come_from_another_site_is_refused(house: House, name: str) -> None:
    _, template = name.split(" ")
    wanted = MATRIX[name]
    path = make_path(template, wanted.values)
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "-", "origin": "https://evil.example"},
        {"sec_fetch_site": "-", "origin": "null"},
        {"sec_fetch_site": "-"},
        {"sec_fetch_site": "cross-site", "origin": f"http://localhost:{urlsplit(house.studio.url).port}"},
    ):
        with house.unchanged(f"{name} with {headers}"):
            answer = house.ask("POST", path, Role.manager, form=wanted.form, **headers)
        assert answer.status == 403, f"{name} with {headers}: {answer.status}"


@pytest.mark.parametrize("name", ALL)
def test_no_other_method_is_answered(house: House, name: str) -> None:
    _, template = name.split(" ")
    known = {one.split(" ")[0] for one in ALL if one.split(" ")[1] == template}
    path = make_path(template, MATRIX[name].values)
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        if method in known or (method == "HEAD" and "GET" in known):
            continue
        with house.unchanged(f"{method} {path}"):
            status = house.ask(method, path, Role.manager).status
        # Another route may have a parameter where this one has a word.
        assert status in {404, 405} or f"{method} {template}" in ALL, f"{method} {template}: {status}"


ODD = (
    "..",
    ".",
    "%2e%2e",
    "..%2f..%2fkeys.toml",
    "%2fetc%2fpasswd",
    "..%5c..%5ckeys.toml",
    "%00",
    f"{SLUG}%00",
    "%ff%fe",
    "%0d%0aset-cookie:%20a=b",
    ".hidden",
    "a" * 10_000,
    quote("ünïcödé"),
    quote("第一期"),
    quote("\u202egnp.exe"),
    quote("<script>alert(1)</script>"),
    quote("'\"`;--"),
    "edition.md",
    "stories",
    "~root",
    "nowhere",
    "%25",
    "-1",
    "99999999999999999999999",
)


FEW_ODD = ("..%2f..%2fkeys.toml", "%00", "nowhere", "99999999999999999999999")
"""One of each sort: it leads elsewhere, it is no text, it is the name of nothing, it is no number."""


def choose_first_of_kinds() -> frozenset[tuple[str, str]]:
    """Choose a route and a parameter of it for each method and way to a thing, as to a story of an edition:
    what follows on the way asks for the same thing, and is only tried with a few odd names.
    """
    first: dict[tuple[str, str], tuple[str, str]] = {}
    for name in WITH_PARAMETERS:
        method, template = name.split(" ")
        for parameter in list_parameters(template):
            way = template.partition(f"{{{parameter}")[0]
            first.setdefault((method, f"{way}{parameter}"), (name, parameter))
    return frozenset(first.values())


FIRST_OF_KINDS = choose_first_of_kinds()


@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_odd_names_lead_nowhere(house: House, name: str) -> None:
    """Names that leave the folder, that no file can have, and those of nothing: a page that says so."""
    method, template = name.split(" ")
    wanted = MATRIX[name]
    with house.unchanged(f"{name} with odd names"):
        for parameter in list_parameters(template):
            for odd in ODD if (name, parameter) in FIRST_OF_KINDS else FEW_ODD:
                path = make_path(template, {**wanted.values, parameter: odd})
                answer = house.ask(method, path, Role.manager, form=wanted.form)
                # A path of dots alone, which no browser sends, may be that of another page.
                allowed = {400, 404, 405, 414, 422} | ({303, 403, 410} if method == "POST" else set())
                if wanted.who is None:
                    allowed |= {200, 303, 410}
                assert answer.status in allowed, f"{method} {path[:200]}: {answer.status}"
                assert b"[suppression]" not in answer.body
                assert b"<script>alert" not in answer.body
                assert "set-cookie" not in answer.headers or "a=b" not in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "name", [name for name in OURS if "{story}" in name or "{edition}" in name], ids=lambda name: name
)
def test_what_belongs_to_another_edition_is_not_found(house: House, name: str) -> None:
    method, template = name.split(" ")
    wanted = MATRIX[name]
    others = [{"edition": "1999-1"}]
    if "{story}" in template:
        others += [{"story": "only-here"}, {"story": "010-teachers"}]
    for other in others:
        path = make_path(template, {**wanted.values, **other})
        with house.unchanged(f"{method} {path}"):
            answer = house.ask(method, path, Role.manager, form=wanted.form)
        # A list of stories that was shown before one of them went is shown again, with that said.
        assert answer.status in ({404} if method == "GET" else {404, 422}), (
            f"{method} {path}: {answer.status}"
        )


def test_no_page_may_be_framed_or_kept_by_a_proxy(house: House) -> None:
    for who in ("", Role.manager):
        answer = house.ask("GET", "/", who)
        assert "no-store" in answer.headers["cache-control"]
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


def test_another_host_is_refused(house: House) -> None:
    answer = house.ask("GET", "/", Role.manager, host="studio.evil.example")
    assert answer.status == 421
