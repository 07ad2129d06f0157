"""Arbitrary requests to every public route, by every method: no response reports an internal error."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.selfservice.confirmation import make_form_token
from mailer.web.app import create_app
from mailer.workspace import Workspace, open_workspace
from subscribers.tokens import LinkPurpose
from tests.factories.webhook_requests import write_settings
from tests.web.site import (
    add_counted_campaign,
    add_reader,
    issue_link_token,
    opened_engine,
    send_request,
    served,
    sign_click,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
FIELDS = (
    *("lang", "name", "country", "sector", "follow", "language", "frequency", "until", "nameless"),
    *("reason", "from", "wish", "email", "stamp", "website", "List-Unsubscribe", "code", "mail"),
)
VALUES = (
    "",
    "en",
    "MN",
    "education",
    "every",
    "pause",
    "2027-01-31",
    "undo",
    "erase",
    "export",
    "yes",
    "zh-Hans",
)
TYPES = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/json", "", "x")
_HOLE = re.compile(r"\{[^}]+\}")


@pytest.fixture
def app(workspace: Workspace) -> FastAPI:
    write_settings(workspace.root)
    return create_app(open_workspace(workspace.root, environ={"MAILER_WEB__SIGN_UP": "true"}))


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with served(app) as running:
        yield running.url


@pytest.fixture
def tokens(workspace: Workspace) -> list[str]:
    """Genuine links of every kind, for a reader on the list."""
    keys, mei = workspace.keys, "mei@example.org"
    with opened_engine(workspace) as engine:
        return [
            add_reader(engine, keys, mei, name="Mei"),
            sign_click(workspace, add_counted_campaign(engine)),
            make_form_token(keys.suppression, datetime.now(UTC) - timedelta(minutes=1)),
            *(issue_link_token(engine, keys, mei, purpose) for purpose in LinkPurpose if purpose.is_mailed),
        ]


def list_paths(app: FastAPI) -> list[str]:
    """Every route of the application, so that a new one cannot be missed."""
    return sorted({getattr(route, "path", "") for route in app.routes})


def test_no_route_breaks(app: FastAPI, url: str, tokens: list[str]) -> None:
    paths = list_paths(app)
    assert {"/u/{token}", "/p/{token}/look", "/subscribe", "/feed.{ending}", "/d/erase/{token}"} <= set(paths)
    assert {"/c/{token}/{number}"} <= set(paths)
    assert {"/hooks/ses", "/hooks/mailgun"} <= set(paths)
    words = st.sampled_from([*tokens, *VALUES, "1", "2021-2", "atom", "json", "sector"]) | st.text(
        max_size=30
    )

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        path=st.sampled_from(paths),
        holes=st.lists(words, min_size=3, max_size=3),
        method=st.sampled_from(METHODS),
        query=st.dictionaries(st.sampled_from(["lang", "v", "x"]), words, max_size=2),
        form=st.lists(st.tuples(st.sampled_from(FIELDS), words), max_size=8),
        raw=st.none() | st.binary(max_size=80),
        kind=st.sampled_from(TYPES),
        accepts=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    )
    def ask_for(
        path: str,
        holes: list[str],
        method: str,
        query: dict[str, str],
        form: list[tuple[str, str]],
        raw: bytes | None,
        kind: str,
        accepts: str,
    ) -> None:
        filled = iter(holes)
        where = _HOLE.sub(lambda _: quote(next(filled), safe="", errors="replace"), path)
        asked = urlencode(query, errors="replace")
        body = urlencode(form, errors="replace").encode() if raw is None else raw
        headers = {"content-type": kind, "sec-fetch-site": "same-origin", "accept-language": accepts}
        answer = send_request(url, method, f"{where}?{asked}" if asked else where, body, headers)
        assert answer.status < 500, (method, where, body)

    ask_for()
