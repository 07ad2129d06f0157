"""The figures are on a socket of their own, and nowhere on the port that readers reach."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mailer.campaigns.metrics import CONTENT_TYPE
from mailer.network import ListenAddress
from mailer.web.app import create_app
from mailer.web.connections import ConnectionLimits
from mailer.web.metrics import create_metrics_app
from mailer.web.server import RunningServer, ServerStartError, start_beside
from mailer.workspace import Workspace
from tests.servers.process import free_port
from tests.web.site import send_request, served

LIMITS = ConnectionLimits(connections=8, backlog=8)


def start(workspace: Workspace, address: ListenAddress) -> RunningServer:
    return start_beside(create_metrics_app(workspace, address), address, limits=LIMITS)


@pytest.fixture
def metrics(workspace: Workspace) -> Iterator[RunningServer]:
    running = start(workspace, ListenAddress(host="127.0.0.1", port=free_port()))
    yield running
    running.stop()


def test_a_program_on_this_machine_gets_the_figures(metrics: RunningServer) -> None:
    answer = send_request(metrics.url, "GET", "/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, CONTENT_TYPE)
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert "mailer_dispatchers_alive" in names


def test_the_socket_answers_nothing_else_and_to_no_name_of_another_site(metrics: RunningServer) -> None:
    assert send_request(metrics.url, "GET", "/").status == 404
    assert send_request(metrics.url, "GET", "/healthz").status == 404
    assert send_request(metrics.url, "POST", "/metrics").status == 405
    answer = send_request(metrics.url, "GET", "/metrics", headers={"Host": "rebound.example.org"})
    assert (answer.status, answer.body) == (421, b"")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        # What nginx sends with nothing but proxy_pass: our own Host, and no header that shows a proxy.
        {"Connection": "close", "User-Agent": "world"},
        {"X-Forwarded-For": "198.51.100.7"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=198.51.100.7"},
        {"X-Real-IP": "198.51.100.7"},
        {"Via": "1.1 proxy"},
        {"Host": "news.example.org"},
        {"Host": "127.0.0.1.example.org"},
        {"Host": ""},
    ],
)
def test_the_public_port_has_no_such_page(workspace: Workspace, headers: dict[str, str]) -> None:
    web = workspace.settings.web.model_copy(update={"metrics": "127.0.0.1:9464"})
    settings = workspace.settings.model_copy(update={"web": web})
    with served(create_app(replace(workspace, settings=settings))) as public:
        answer = send_request(public.url, "GET", "/metrics", headers=headers)
    assert answer.status in {400, 404}
    assert "mailer_" not in answer.text


def ask_socket(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_unix_socket_is_for_owner_and_group_and_goes_with_the_server(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.sock"
    # One that a killed server has left behind is in nobody's way.
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    running = start(workspace, ListenAddress(path=path))
    try:
        assert path.stat().st_mode & 0o777 == 0o660
        answer = ask_socket(path)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"mailer_dispatchers_alive" in answer
        with pytest.raises(ServerStartError, match="stop the program that uses it"):
            start(workspace, ListenAddress(path=path))
    finally:
        running.stop()
    assert not path.exists()


def test_a_file_that_is_no_socket_is_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(ServerStartError, match=r"notes\.txt"):
        start(workspace, ListenAddress(path=path))
    assert path.read_text() == "mine"
