"""What the doctor finds at the public address: each fault by name, with what to do, and never without end."""

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mailer.doctor import Health, diagnose_workspace
from mailer.doctor.diagnosis import Diagnosis
from mailer.doctor.public_address import check_public_address
from mailer.keys import read_keys
from mailer.site_proof import RequestOrigin, is_question, read_answer, sign_answer, sign_question
from mailer.web.app import create_app
from mailer.web.server import RunningServer
from mailer.workspace import Workspace, write_keys
from subscribers.consent.suppression import SuppressionKey
from tests.servers.fake_proxy import FakeProxy, Reply, listening
from tests.servers.process import free_port
from tests.servers.reverse_proxy import reverse_proxy, write_certificate
from tests.web.site import send_request, served


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """TLS for localhost, with an authority that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(write_certificate(tmp_path)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


@pytest.fixture
def pages(workspace: Workspace) -> Iterator[RunningServer]:
    with served(create_app(workspace)) as running:
        yield running


def at(workspace: Workspace, base_url: str) -> Workspace:
    web = workspace.settings.web.model_copy(update={"base_url": base_url})
    return replace(workspace, settings=workspace.settings.model_copy(update={"web": web}))


def look(workspace: Workspace, proxy: FakeProxy, context: ssl.SSLContext) -> tuple[Diagnosis, ...]:
    plain = FakeProxy(proxy.upstream, {"/": (308, {"location": "https://localhost/"}, b"")})
    with listening(proxy, context) as port, listening(plain, None) as http_port:
        return check_public_address(at(workspace, f"https://localhost:{port}"), http_port=http_port)


def find_faults(findings: tuple[Diagnosis, ...]) -> list[str]:
    return [finding.message for finding in findings if finding.verdict is not Health.good]


def test_a_good_address_has_no_fault(
    workspace: Workspace, pages: RunningServer, context: ssl.SSLContext
) -> None:
    findings = look(workspace, FakeProxy(pages.url), context)
    assert find_faults(findings) == []
    said = "\n".join(finding.message for finding in findings)
    for words in (
        "shows this workspace's pages",
        "the certificate is valid until",
        "who the visitor is (here 203.0.113.9)",
        "a mail program's unsubscribe button reaches the pages",
        "/metrics is closed to readers",
        "http:// leads to https://",
    ):
        assert words in said


CLOUD = (403, {}, b"checking your browser")


@pytest.mark.parametrize(
    ("replies", "forward", "fault"),
    [
        ({}, lambda _: "", r"does not say who the visitor is.*Let it set X-Forwarded-For"),
        ({}, lambda made_up: made_up, r"anybody can choose the address.*replace it or add to it"),
        ({"/healthz": (301, {"location": "https://www.x.example/"}, b"")}, None, r"leads to https://www\."),
        ({"/healthz": (502, {}, b"")}, None, r"`mailer serve` behind it does not \(HTTP 502\)"),
        ({"/healthz": (200, {}, b"Welcome to nginx!")}, None, r"another program answers there"),
        ({"/u/doctor": CLOUD}, None, r"unsubscribe button gets HTTP 403.*without a login, a challenge"),
        ({"/u/doctor": (404, {}, b"")}, None, r"unsubscribe button gets HTTP 404"),
        ({"/u/doctor": (302, {"location": "/login"}, b"")}, None, r"is sent on to /login"),
        (
            {"/metrics": (200, {}, b"mailer_subscribers 7\n")},
            None,
            r"/metrics shows your figures to everybody",
        ),
    ],
)
def test_each_fault_is_named_with_what_to_do(
    workspace: Workspace,
    pages: RunningServer,
    context: ssl.SSLContext,
    replies: dict[str, Reply],
    forward: Callable[[str], str] | None,
    fault: str,
) -> None:
    proxy = FakeProxy(pages.url, replies)
    if forward is not None:
        proxy.forward = forward
    (found,) = find_faults(look(workspace, proxy, context))
    assert re.search(fault, found), found


def test_a_proxy_that_is_not_trusted_is_named(workspace: Workspace, context: ssl.SSLContext) -> None:
    web = workspace.settings.web.model_copy(update={"trusted_proxies": ("10.0.0.5",)})
    untrusting = replace(workspace, settings=workspace.settings.model_copy(update={"web": web}))
    with served(create_app(untrusting)) as running:
        (found,) = find_faults(look(untrusting, FakeProxy(running.url), context))
    assert 'add "127.0.0.1" to [web] trusted_proxies' in found


def test_pages_of_another_workspace_are_not_ours(
    workspace: Workspace, pages: RunningServer, context: ssl.SSLContext, tmp_path: Path
) -> None:
    write_keys(tmp_path / "other.toml")
    other = replace(workspace, keys=read_keys(tmp_path / "other.toml"))
    (found,) = find_faults(look(other, FakeProxy(pages.url), context))
    assert "served by a mailer with other keys" in found


def test_http_that_leads_nowhere_is_doubtful(
    workspace: Workspace, pages: RunningServer, context: ssl.SSLContext
) -> None:
    proxy = FakeProxy(pages.url)
    with listening(proxy, context) as port:
        secure = at(workspace, f"https://localhost:{port}")
        nothing = find_faults(check_public_address(secure, http_port=free_port()))
        with listening(proxy, None) as http_port:
            pages_too = find_faults(check_public_address(secure, http_port=http_port))
    assert [len(nothing), len(pages_too)] == [1, 1]
    assert "nothing answers at http://" in nothing[0]
    assert "http:// does not lead to https:// (HTTP 200)" in pages_too[0]


def test_an_address_without_an_answer_is_explained(
    workspace: Workspace, pages: RunningServer, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explain(url: str) -> str:
        (finding,) = check_public_address(at(workspace, url))
        assert finding.verdict is Health.bad
        return finding.message

    assert "nothing listens at localhost" in explain(f"https://localhost:{free_port()}")
    assert "is not known" in explain("https://news.invalid")
    plain_port = urlsplit(pages.url).port
    assert "does not speak https" in explain(f"https://localhost:{plain_port}")
    monkeypatch.delenv("SSL_CERT_FILE")
    with listening(FakeProxy(pages.url), context) as port:
        assert "is not valid: " in explain(f"https://localhost:{port}")


def test_a_silent_server_does_not_hold_up_the_doctor(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}"
        (finding,) = check_public_address(at(workspace, url), seconds=0.2)
    assert finding.verdict is Health.bad
    assert "had not answered every question" in finding.message


def test_an_address_of_this_machine_is_asked_nothing(workspace: Workspace) -> None:
    assert check_public_address(workspace) == ()


def test_the_page_s_nginx_is_found_good_and_the_doctor_says_so(
    workspace: Workspace, pages: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nginx").mkdir()
    port = urlsplit(pages.url).port or 0
    with reverse_proxy("nginx", tmp_path / "nginx", upstream_port=port) as proxy:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nginx" / "authority.pem"))
        findings = diagnose_workspace(at(workspace, f"https://localhost:{proxy.https_port}"))
    verdicts = {finding.verdict for finding in findings if finding.subject == "public address"}
    assert verdicts == {Health.good}


@pytest.mark.parametrize(
    ("place", "is_told"),
    [("0.0.0.0:9464", True), ("[::]:9464", True), ("127.0.0.1:9464", False), ("run/metrics.sock", False)],
)
def test_metrics_that_everybody_reaches_are_told(workspace: Workspace, place: str, is_told: bool) -> None:
    web = workspace.settings.web.model_copy(update={"metrics": place})
    settings = workspace.settings.model_copy(update={"web": web})
    found = [
        one for one in diagnose_workspace(replace(workspace, settings=settings)) if one.subject == "metrics"
    ]
    assert [one.verdict for one in found] == [Health.doubtful] * is_told


# --- the question and its answer

KEY, OTHER = SuppressionKey(b"k" * 32), SuppressionKey(b"o" * 32)
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ORIGIN = RequestOrigin(peer="127.0.0.1", client="203.0.113.9", forwarded=("192.0.2.1", "203.0.113.9"))


def test_only_the_workspace_itself_can_ask_and_only_for_some_minutes() -> None:
    question = sign_question(KEY, NOW)
    assert is_question(KEY, question, NOW + timedelta(minutes=4))
    assert not is_question(KEY, question, NOW + timedelta(minutes=6))
    assert not is_question(OTHER, question, NOW)
    for altered in ("", ".", "1.2.3", question[:-1], f"1{question}", question.replace(".", ".é", 1)):
        assert not is_question(KEY, altered, NOW)


def test_only_the_answer_to_this_question_is_believed() -> None:
    question = sign_question(KEY, NOW)
    answer = sign_answer(KEY, question, ORIGIN)
    assert read_answer(KEY, question, answer) == ORIGIN
    altered = json.dumps({**json.loads(answer), "client": "127.0.0.1"})
    for wrong in ("", "ok\n", "[]", "{}", altered, sign_answer(OTHER, question, ORIGIN)):
        assert read_answer(KEY, question, wrong) is None
    assert read_answer(KEY, sign_question(KEY, NOW), answer) is None


def test_a_stranger_s_question_gets_the_usual_answer(workspace: Workspace, pages: RunningServer) -> None:
    for question in ("x", sign_question(OTHER, datetime.now(UTC))):
        answer = send_request(pages.url, "GET", "/healthz", headers={"x-mailer-question": question})
        assert (answer.status, answer.text) == (200, "ok\n")
