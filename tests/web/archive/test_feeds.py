"""The archive as feeds, and what of it is whose business."""

import json
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from editions.reader import read_edition
from mailer.campaigns.lifecycle import set_archived
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.mail_merge import personalise
from mailer.rendering.recipient import reader_for
from mailer.web.app import create_app
from mailer.workspace import Workspace, open_workspace
from subscribers.models import Subscriber
from tests.factories.draft_edition import Draft
from tests.web.site import NOW, Answer, add_sent, ask, opened_engine, served

ATOM = {"a": "http://www.w3.org/2005/Atom"}
CANARY = "canary.bird@example.org"


class Shelf:
    def __init__(self, workspace: Workspace, engine: Engine, url: str, mail: CompiledEdition) -> None:
        self.workspace, self.engine, self.url, self.mail = workspace, engine, url, mail

    def get(self, path: str, **headers: str) -> Answer:
        return ask(self.url, "GET", path, headers=headers)


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    return {"MAILER_WEB__BASE_URL": "https://news.example.org"}


@pytest.fixture
def shelf(workspace: Workspace, environ: dict[str, str]) -> Iterator[Shelf]:
    workspace = open_workspace(workspace.root, environ=environ)
    draft = Draft(workspace.editions / "2021-2")
    mail = compile_edition(read_edition(draft.folder, sectors=workspace.settings.sectors), workspace.settings)
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        yield Shelf(workspace, engine, running.url, mail)


def test_a_feed_names_every_edition_with_its_lasting_address_in_each_language(shelf: Shelf) -> None:
    chinese = replace(shelf.mail, language="zh", subject="秋季 <新闻> & 更多")
    add_sent(shelf.engine, [shelf.mail, chinese])
    answer = shelf.get("/feed.atom")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/atom+xml; charset=utf-8")
    feed = ET.fromstring(answer.body)
    assert feed.findtext("a:id", namespaces=ATOM) == "https://news.example.org/feed.atom"
    assert feed.findtext("a:updated", namespaces=ATOM) == "2026-03-01T09:00:00Z"
    (entry,) = feed.findall("a:entry", ATOM)
    assert entry.findtext("a:id", namespaces=ATOM) == "https://news.example.org/e/2021-2/en"
    assert entry.findtext("a:title", namespaces=ATOM) == shelf.mail.subject
    links = {link.get("hreflang"): link for link in entry.findall("a:link", ATOM)}
    assert set(links) == {"en", "zh"}
    assert links["zh"].get("title") == "秋季 <新闻> & 更多"
    item = json.loads(shelf.get("/feed.json").body)["items"][0]
    assert (item["url"], item["title"]) == ("https://news.example.org/e/2021-2/en", shelf.mail.subject)


def test_a_feed_about_a_sector_or_a_country_has_what_is_about_it(shelf: Shelf) -> None:
    add_sent(shelf.engine, [shelf.mail])
    sectors = {story.sector for story in shelf.mail.stories}
    countries = {country for story in shelf.mail.stories for country in story.countries}
    for sector in shelf.workspace.settings.sectors:
        items = json.loads(shelf.get(f"/feed/sector/{sector}.json").body)["items"]
        assert len(items) == (sector in sectors)
    for country in ("CN", "MN", "FR"):
        items = json.loads(shelf.get(f"/feed/country/{country}.json").body)["items"]
        assert len(items) == (country in countries)
    named = ET.fromstring(shelf.get("/feed/country/CN.atom", **{"accept-language": "fr"}).body)
    assert named.findtext("a:title", namespaces=ATOM) == "UNESCO Beijing: Chine"


@pytest.mark.parametrize(
    "path",
    [
        "/feed",
        "/feed.rss",
        "/feed/sector/alchemy.atom",
        "/feed/country/XX.atom",
        "/feed/tag/x.json",
        "/feed/a",
    ],
)
def test_other_feeds_there_are_none(shelf: Shelf, path: str) -> None:
    assert shelf.get(path).status == 404


def test_an_empty_archive_is_an_empty_feed(shelf: Shelf) -> None:
    assert ET.fromstring(shelf.get("/feed.atom").body).findall("a:entry", ATOM) == []
    assert json.loads(shelf.get("/feed.json").body)["items"] == []


def test_what_is_not_archived_opens_with_the_link_of_its_mail_and_no_other_way(shelf: Shelf) -> None:
    add_sent(shelf.engine, [shelf.mail], archived=False)
    subscriber = Subscriber(
        id=1, email=CANARY, envelope=CANARY, name="Canary", created_at=NOW, updated_at=NOW
    )
    reader = reader_for(subscriber, 1, shelf.workspace.settings, shelf.workspace.keys.tokens)
    link = f"/e/2021-2/en?v={shelf.mail.digest[:16]}"
    assert f"https://news.example.org{link}" in personalise(shelf.mail, reader).text
    opened = shelf.get(link)
    assert (opened.status, opened.headers["x-robots-tag"]) == (200, "noindex, nofollow")
    assert opened.headers["cache-control"] == "no-store"
    for path in ("/e/2021-2/en", "/e/2021-2/en?v=", f"/e/2021-2/en?v={'0' * 16}"):
        assert shelf.get(path).status == 404
    assert shelf.mail.subject not in shelf.get("/e/").text
    assert json.loads(shelf.get("/feed.json").body)["items"] == []


def test_a_campaign_goes_into_the_archive_and_out_of_it(shelf: Shelf) -> None:
    add_sent(shelf.engine, [shelf.mail], archived=False)
    for archived, status in ((True, 200), (False, 404)):
        with Session(shelf.engine) as session:
            set_archived(session, 1, archived=archived)
            session.commit()
        assert shelf.get("/e/2021-2/en").status == status


def test_nothing_of_anybody_is_in_what_anybody_may_read(shelf: Shelf) -> None:
    with Session(shelf.engine) as session:
        session.add(
            Subscriber(email=CANARY, envelope=CANARY, name="Canary Bird", created_at=NOW, updated_at=NOW)
        )
        session.commit()
    add_sent(shelf.engine, [shelf.mail])
    for path in (
        "/",
        "/e/",
        "/e/2021-2/en",
        "/feed.atom",
        "/feed.json",
        "/robots.txt",
        "/feed/country/CN.atom",
    ):
        page = shelf.get(path)
        assert page.status == 200
        assert "anary" not in page.text
        assert "/p/" not in page.text.replace("Disallow: /p/", "")


@pytest.mark.parametrize("environ", [{"MAILER_WEB__ROBOTS": "noindex"}])
def test_an_office_can_keep_search_engines_out(shelf: Shelf, environ: dict[str, str]) -> None:
    add_sent(shelf.engine, [shelf.mail])
    for path in ("/e/", "/e/2021-2/en", "/feed.atom"):
        assert shelf.get(path).headers["x-robots-tag"] == "noindex, nofollow"


def test_crawlers_are_told_what_is_nobodys_page(shelf: Shelf) -> None:
    assert shelf.get("/robots.txt").text.splitlines()[1:3] == ["Disallow: /u/", "Disallow: /p/"]
    add_sent(shelf.engine, [shelf.mail])
    assert "x-robots-tag" not in shelf.get("/e/2021-2/en").headers
