"""The reports, requested over a real connection, from a real database."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.web.access import LocalAccess
from mailer.web.report import create_report_app
from mailer.web.security import PAGE_POLICY
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from tests.factories.deliveries import START, add_campaign
from tests.web.report_pages.test_campaign_page import list_sections, read_words
from tests.web.site import NOW, HttpResponse, dump_tables, send_request, served

ACCESS = LocalAccess("a-secret", opening_path="/campaigns/1")
COOKIE = {"cookie": f"{ACCESS.cookie_name}=a-secret"}


class Reports:
    """Running reports on one campaign to nine readers: seven got it, one was refused, one is in doubt."""

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine = engine
        self.url = url

    def get(self, path: str) -> HttpResponse:
        return send_request(self.url, "GET", path, headers=COOKIE)


@pytest.fixture
def reports(either_workspace: Workspace) -> Iterator[Reports]:
    engine = either_workspace.open_database()
    add_campaign(engine, 9, launched_at=START, state=CampaignState.finished)
    with engine.begin() as connection:
        ended = update(Delivery).values(state=DeliveryState.sent, updated_at=START)
        connection.execute(ended)
        connection.execute(
            ended.where(col(Delivery.id) == 1).values(
                state=DeliveryState.rejected, code=550, reason="5.1.1 no such user <b>here</b>"
            )
        )
        connection.execute(ended.where(col(Delivery.id) == 2).values(state=DeliveryState.in_doubt))
        connection.execute(update(Subscriber).values(country="MN", organisation="Institute of Hydrology"))
    with served(create_report_app(either_workspace, access=ACCESS, clock=lambda: NOW)) as running:
        yield Reports(engine, running.url)
    engine.dispose()


def test_a_report_shows_what_the_ledger_says(reports: Reports) -> None:
    page = reports.get("/campaigns/1")
    assert page.status == 200
    words = read_words(page.text)
    assert "9 partners: 7 sent, 1 refused by their mail server, 1 in doubt." in words
    assert "9 = 7 sent + 1 rejected + 0 failed + 0 suppressed + 1 in doubt + 0 still to do" in words
    assert "550 5.1.1 no such user <b>here</b>" in words
    assert "reader1@example.org" in words
    assert {"numbers", "reasons", "in-doubt", "departures", "checks"} <= set(list_sections(page.text))


def test_the_overview_lists_the_campaign(reports: Reports) -> None:
    page = reports.get("/")
    assert page.status == 200
    assert 'href="/campaigns/1"' in page.text
    assert "1 campaign, March 2026." in read_words(page.text)


def test_a_campaign_that_does_not_exist_is_not_found(reports: Reports) -> None:
    for number in (2, 0, 2**31, 10**17):
        page = reports.get(f"/campaigns/{number}")
        assert page.status == 404
        assert f"There is no campaign {number}" in read_words(page.text)


def test_other_addresses_are_no_pages(reports: Reports) -> None:
    for path in ("x", "", "1/", "-1", "%D9%A3", "1%00", f"{10**30}"):
        assert reports.get(f"/campaigns/{path}").status == 404, path


def test_only_who_has_the_address_sees_a_report(reports: Reports) -> None:
    for headers in ({}, {"cookie": f"{ACCESS.cookie_name}=wrong"}):
        for path in ("/", "/campaigns/1", "/campaigns/1?token=wrong", "/?token=a-secret"):
            refused = send_request(reports.url, "GET", path, headers=headers)
            assert refused.status == 403, path
            assert "Spring" not in refused.text
    first = send_request(reports.url, "GET", "/campaigns/1?token=a-secret")
    assert (first.status, first.headers["location"]) == (303, "/campaigns/1")
    assert first.headers["set-cookie"].startswith(f"{ACCESS.cookie_name}=a-secret; ")
    assert first.headers["cache-control"] == "no-store"


def test_another_name_for_this_machine_is_refused(reports: Reports) -> None:
    """Another site's name may resolve to 127.0.0.1."""
    answer = send_request(reports.url, "GET", "/", headers={**COOKIE, "host": "evil.example"})
    assert answer.status == 421


def test_no_script_may_run_on_a_report(reports: Reports) -> None:
    for path in ("/", "/campaigns/1"):
        assert reports.get(path).headers["content-security-policy"] == PAGE_POLICY
    assert "script-src" not in PAGE_POLICY
    assert PAGE_POLICY.startswith("default-src 'none';")


def test_it_takes_nothing_and_changes_nothing(reports: Reports) -> None:
    before = dump_tables(reports.engine)
    for path in ("/", "/campaigns/1"):
        reports.get(path)
        for method in ("POST", "PUT", "DELETE"):
            headers = {"sec-fetch-site": "same-origin", **COOKIE}
            assert send_request(reports.url, method, path, headers=headers).status == 405
    assert dump_tables(reports.engine) == before


def test_a_report_follows_the_campaign(reports: Reports) -> None:
    with reports.engine.begin() as connection:
        connection.execute(
            update(Campaign).values(state=CampaignState.paused, state_reason="No relay answers.")
        )
        connection.execute(update(Delivery).where(col(Delivery.id) == 3).values(state=DeliveryState.queued))
    words = read_words(reports.get("/campaigns/1").text)
    assert "Paused, with 1 partner to go. No relay answers." in words
