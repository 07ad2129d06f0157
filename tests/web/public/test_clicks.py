"""Following a counted link: where it leads, what is written down of it, and that nothing stops the reader."""

import http.client
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, update
from sqlmodel import col

from mailer.campaigns.counted_links import store_counted_links
from mailer.database.models import Campaign
from mailer.keys import read_keys, retire_key, rotate_keys
from mailer.web.app import create_app
from mailer.web.dependencies import format_location
from mailer.workspace import Workspace
from subscribers.tokens import LinkPurpose
from tests.factories.clicks import read_clicks
from tests.web.site import (
    NOW,
    HttpResponse,
    add_counted_campaign,
    add_reader,
    opened_engine,
    send_request,
    served,
    sign_click,
)

URLS = (
    "https://example.org/report?a=1&b=%20#part",
    "http://portal.example.org/ev.php-URL_ID=1&DO=x",
    "https://例え.example/道?q=й&x=[1]",
)


@dataclass
class CountedSite:
    """The pages with a launched campaign that counts clicks on three links."""

    workspace: Workspace
    engine: Engine
    url: str
    campaign_id: int

    def sign(self, **values: Any) -> str:
        return sign_click(self.workspace, **{"campaign_id": self.campaign_id, "sectors": 0b101, **values})

    def ask(self, path: str, method: str = "GET", **headers: str) -> HttpResponse:
        return send_request(self.url, method, path, headers=headers)


@pytest.fixture
def site(either_workspace: Workspace) -> Iterator[CountedSite]:
    with opened_engine(either_workspace) as engine:
        number = add_counted_campaign(engine, URLS)
        with served(create_app(either_workspace, clock=lambda: NOW)) as running:
            yield CountedSite(either_workspace, engine, running.url, number)


@contextmanager
def closed_site(workspace: Workspace) -> Iterator[str]:
    """The pages, which have written down every click when the block is left."""
    with served(create_app(workspace, clock=lambda: NOW)) as running:
        yield running.url


def test_a_reader_is_sent_on_and_nobody_learns_our_address(site: CountedSite) -> None:
    answer = site.ask(f"/c/{site.sign()}/1")
    assert (answer.status, answer.headers["location"]) == (302, URLS[0])
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert answer.body == b""


def test_a_click_is_written_down_by_link_country_and_sectors_and_without_a_person(
    either_workspace: Workspace,
) -> None:
    with opened_engine(either_workspace) as engine:
        number = add_counted_campaign(engine, URLS)
        token = sign_click(either_workspace, number, sectors=0b101)
        with closed_site(either_workspace) as url:
            assert send_request(url, "GET", f"/c/{token}/2", headers={"user-agent": "Mail"}).status == 302
        (click,) = read_clicks(engine)
        assert (click.campaign_id, click.link_number, click.country) == (number, 2, "MN")
        assert click.sectors == "culture,education"
        assert click.clicked_at.astimezone(UTC) == NOW
        assert click.subscriber_id is None


def test_a_head_request_is_answered_and_is_marked_as_no_person(either_workspace: Workspace) -> None:
    with opened_engine(either_workspace) as engine:
        number = add_counted_campaign(engine, URLS)
        token = sign_click(either_workspace, number)
        with closed_site(either_workspace) as url:
            person = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; rv:140.0)", "accept-language": "mn"}
            answer = send_request(url, "HEAD", f"/c/{token}/1", headers=person)
            assert (answer.status, answer.headers["location"], answer.body) == (302, URLS[0], b"")
        assert [click.signs for click in read_clicks(engine)] == ["head"]


@pytest.mark.parametrize(
    "number", ["0", "4", "01", "1.0", "-1", "x", "１", "9999999", "1%20", "https:%2f%2fevil.example"]
)
def test_a_number_that_the_campaign_does_not_have_leads_to_a_calm_page(
    site: CountedSite, number: str
) -> None:
    answer = site.ask(f"/c/{site.sign()}/{number.replace('１', '%EF%BC%91')}", **{"accept-language": "fr"})
    assert answer.status == 404
    assert "location" not in answer.headers
    if "%2f" not in number:
        assert 'lang="fr"' in answer.text
        assert 'href="/e/"' in answer.text


def test_a_token_that_we_have_not_signed_leads_to_the_same_page(site: CountedSite) -> None:
    genuine = site.sign()
    leaving = add_reader(site.engine, site.workspace.keys, "mei@example.org")
    for token in (genuine[:-1], f"{genuine}A", genuine.swapcase(), "x", leaving, "A" * 300, "%00"):
        answer = site.ask(f"/c/{token}/1", **{"accept-language": "mn"})
        assert answer.status == 404, token
        assert "location" not in answer.headers
    assert 'lang="mn"' in site.ask(f"/c/{genuine[:-1]}/1", **{"accept-language": "mn"}).text


@given(st.text(max_size=60))
def test_no_address_ends_the_header_or_changes_its_host(rest: str) -> None:
    location = format_location(f"https://example.org/{rest}")
    assert location.startswith("https://example.org/")
    assert location.isascii()
    assert location.isprintable()
    anything = format_location(rest)
    assert anything.isascii()
    assert not anything or anything.isprintable()


def test_a_query_changes_nothing_about_where_a_link_leads(site: CountedSite) -> None:
    answer = site.ask(f"/c/{site.sign()}/1?url=https://evil.example/&to=//evil.example")
    assert answer.headers["location"] == URLS[0]


def test_an_address_in_any_script_arrives_as_a_browser_understands_it(site: CountedSite) -> None:
    location = site.ask(f"/c/{site.sign()}/3").headers["location"]
    assert location == "https://xn--r8jz45g.example/%E9%81%93?q=%D0%B9&x=[1]"


def test_another_campaign_s_links_are_not_reached_with_its_token(site: CountedSite) -> None:
    assert site.ask(f"/c/{site.sign(campaign_id=8)}/1").status == 404
    add_counted_campaign(site.engine, URLS, number=8)
    assert site.ask(f"/c/{site.sign(campaign_id=8)}/1").status == 302


def test_a_campaign_that_is_not_launched_has_no_links_yet(site: CountedSite) -> None:
    add_counted_campaign(site.engine, URLS, launched_at=None, number=9)
    assert site.ask(f"/c/{site.sign(campaign_id=9)}/1").status == 404
    with site.engine.begin() as connection:
        connection.execute(update(Campaign).where(col(Campaign.id) == 9).values(launched_at=NOW))
    assert site.ask(f"/c/{site.sign(campaign_id=9)}/1").status == 302


def test_a_campaign_that_counts_no_clicks_has_no_links(site: CountedSite) -> None:
    add_counted_campaign(site.engine, URLS, number=9)
    with site.engine.begin() as connection:
        store_counted_links(connection, 9, None)
    assert site.ask(f"/c/{site.sign(campaign_id=9)}/1").status == 404


def test_a_replaced_key_still_leads_there_and_counts(either_workspace: Workspace) -> None:
    with opened_engine(either_workspace) as engine:
        number = add_counted_campaign(engine, URLS)
        token = sign_click(either_workspace, number)
        rotate_keys(either_workspace.root / "keys.toml", now=NOW + timedelta(days=1))
        with closed_site(either_workspace) as url:
            assert send_request(url, "GET", f"/c/{token}/1").status == 302
        assert len(read_clicks(engine)) == 1


def test_a_replaced_key_signs_nothing_for_a_campaign_launched_after_its_last_day(
    either_workspace: Workspace,
) -> None:
    with opened_engine(either_workspace) as engine:
        number = add_counted_campaign(engine, URLS, launched_at=NOW + timedelta(days=9))
        token = sign_click(either_workspace, number)
        rotate_keys(either_workspace.root / "keys.toml", now=NOW)
        with closed_site(either_workspace) as url:
            assert send_request(url, "GET", f"/c/{token}/1").status == 404
        assert not read_clicks(engine)


def test_a_retired_key_still_leads_there_but_counts_nothing(either_workspace: Workspace) -> None:
    with opened_engine(either_workspace) as engine:
        number = add_counted_campaign(engine, URLS)
        token = sign_click(either_workspace, number)
        keys = either_workspace.root / "keys.toml"
        rotate_keys(keys, now=NOW + timedelta(days=1))
        retire_key(keys, 1, now=NOW + timedelta(days=2))
        with closed_site(either_workspace) as url:
            assert send_request(url, "GET", f"/c/{token}/1").headers["location"] == URLS[0]
        assert not read_clicks(engine)
        assert read_keys(keys).tokens.retired == {1}


def test_a_click_costs_no_database_once_the_links_were_read(workspace: Workspace) -> None:
    with opened_engine(workspace) as engine:
        number = add_counted_campaign(engine, URLS)
        token = sign_click(workspace, number)
        path = str(engine.url.database)
        with closed_site(workspace) as url:
            send_request(url, "GET", f"/c/{token}/1")
            # Nobody else can read or write until the lock is given back.
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                answers = [send_request(url, "GET", f"/c/{token}/{one}") for one in (1, 2, 3)]
                other.execute("ROLLBACK")
        assert [answer.status for answer in answers] == [302, 302, 302]
        assert sorted(click.link_number for click in read_clicks(engine)) == [1, 1, 2, 3]


def test_a_reader_who_was_erased_is_sent_on_and_not_named(either_workspace: Workspace) -> None:
    with opened_engine(either_workspace) as engine:
        number = add_counted_campaign(engine, URLS)
        token = sign_click(either_workspace, number, subscriber_id=4711)
        with closed_site(either_workspace) as url:
            assert send_request(url, "GET", f"/c/{token}/1").status == 302
        assert [click.subscriber_id for click in read_clicks(engine)] == [None]


def test_a_token_of_a_click_opens_no_other_page(site: CountedSite) -> None:
    token = site.sign(subscriber_id=1)
    for path in ("/u/", "/p/", "/confirm/", "/d/export/", "/d/erase/"):
        assert site.ask(f"{path}{token}").status == 404
    with pytest.raises(Exception, match="copy the whole link"):
        site.workspace.keys.tokens.read(token, LinkPurpose.subscription)


def test_a_post_is_refused(site: CountedSite) -> None:
    answer = send_request(site.url, "POST", f"/c/{site.sign()}/1", b"", {"sec-fetch-site": "same-origin"})
    assert answer.status == 405


def test_many_readers_at_once_are_all_sent_on(site: CountedSite) -> None:
    parts, token = urlsplit(site.url), site.sign()
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)) as connection:
        for turn in range(200):
            connection.request("GET", f"/c/{token}/{turn % 3 + 1}")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 302
