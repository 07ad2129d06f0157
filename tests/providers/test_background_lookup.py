"""Domains are looked up beside everything else, and nothing waits for it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mailer.database.engine import open_engine
from mailer.providers.domain_lookup import BackgroundLookup, read_known_providers
from mailer.settings import DnsSettings
from tests.factories.deliveries import add_subscribers
from tests.servers.dns_server import DnsServer, running_dns_server


@pytest.fixture
def look_up(database: str, tmp_path: Path) -> Callable[[DnsSettings], BackgroundLookup]:
    def make(settings: DnsSettings) -> BackgroundLookup:
        return BackgroundLookup(
            settings, lambda: open_engine(database, root=tmp_path, durable=False), share=1
        )

    return make


def read_known(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        return read_known_providers(connection)


def await_known(engine: Engine, number: int) -> dict[str, str]:
    deadline = time.monotonic() + 30
    while len(found := read_known(engine)) < number:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def serve_partners(server: DnsServer, number: int) -> list[str]:
    names = [f"partner{each}.org" for each in range(number)]
    server.publish({name: ["MX 5 aspmx.l.google.com."] for name in names})
    return names


def test_all_domains_of_the_list_are_looked_up(
    engine: Engine, look_up: Callable[[DnsSettings], BackgroundLookup]
) -> None:
    with running_dns_server() as server:
        names = serve_partners(server, 60)
        add_subscribers(engine, [f"a@{name}" for name in [*names, "gone.org", "example.org", "qq.com"]])
        with look_up(server.settings):
            found = await_known(engine, 61)
    assert found == {**dict.fromkeys(names, "google"), "gone.org": ""}
    assert {question.split()[0] for question in server.questions} == found.keys()


def test_a_silent_server_holds_nobody_up(
    engine: Engine, look_up: Callable[[DnsSettings], BackgroundLookup]
) -> None:
    with running_dns_server() as server:
        names = serve_partners(server, 3)
        server.silent.update(names)
        add_subscribers(engine, [f"a@{name}" for name in names])
        settings = server.settings.model_copy(update={"timeout": 60})
        with look_up(settings):
            while not server.questions:
                time.sleep(0.01)
        # They still wait for their answers, and nobody waits for them.
        assert any(thread.name == "mailer-mx" for thread in threading.enumerate())
    assert read_known(engine) == {}


def test_where_no_question_is_answered_it_stops_asking(
    engine: Engine, look_up: Callable[[DnsSettings], BackgroundLookup]
) -> None:
    with running_dns_server() as server:
        names = serve_partners(server, 400)
        server.broken.update(names)
        add_subscribers(engine, [f"a@{name}" for name in names])
        # Threads of an earlier test may still wait for a server that is silent.
        earlier = set(threading.enumerate())
        with look_up(server.settings.model_copy(update={"timeout": 0.2})):
            await_known(engine, 16)
            while any(one.name == "mailer-mx" for one in set(threading.enumerate()) - earlier):
                time.sleep(0.01)
    assert len({question.split()[0] for question in server.questions}) < 400


def test_switched_off_it_asks_nothing(
    engine: Engine, look_up: Callable[[DnsSettings], BackgroundLookup]
) -> None:
    with running_dns_server() as server:
        add_subscribers(engine, [f"a@{name}" for name in serve_partners(server, 3)])
        with look_up(server.settings.model_copy(update={"look_up_providers": False})):
            assert not any(thread.name == "mailer-providers" for thread in threading.enumerate())
    assert server.questions == []
