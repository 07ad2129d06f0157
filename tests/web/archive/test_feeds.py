"""The feeds of the archive, and who may see what in it."""

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
from mailer.rendering.mail_merge import personalise, reader_for
from mailer.web.app import create_app
from mailer.workspace import Workspace, open_workspace
from subscribers.models import Subscriber
from tests.factories.draft_edition import Draft
from tests.web.site import NOW, HttpResponse, add_sent, opened_engine, send_request, served

ATOM = {"a": "http://www.w3.org/2005/Atom"}
CANARY = "canary.bird@example.org"


class ArchiveSite:
    def __init__(self, workspace: Workspace, engine: Engine, url: str, mail: CompiledEdition) -> None:
        self.workspace, self.engine, self.url, self.mail = workspace, engine, url, mail

    def get(self, path: str, **headers: str) -> HttpResponse:
        return send_request(self.url, "GET", path, headers=headers)


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    return {"MAILER_WEB__BASE_URL": "https://news.example.org"}


@pytest.fixture
def site(workspace: Workspace, environ: dict[str, str]) -> Iterator[ArchiveSite]:
    workspace = open_workspace(workspace.root, environ=environ)
    draft = Draft(workspace.editions / "2021-2")
    mail = compile_edition(read_edition(draft.folder, sectors=workspace.settings.sectors), workspace.settings)
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        yield ArchiveSite(workspace, engine, running.url, mail)


def test_a_feed_lists_every_edition_with_a_permanent_url_in_each_language(site: ArchiveSite) -> None:
    chinese = replace(site.mail, language="zh", subject="秋季 <新闻> & 更多")
    add_sent(site.engine, [site.mail, chinese])
    answer = site.get("/feed.atom")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/atom+xml; charset=utf-8")
    feed = ET.fromstring(answer.body)
    assert feed.findtext("a:id", namespaces=ATOM) == "https://news.example.org/feed.atom"
    assert feed.findtext("a:updated", namespaces=ATOM) == "2026-03-01T09:00:00Z"
    (entry,) = feed.findall("a:entry", ATOM)
    assert entry.findtext("a:id", namespaces=ATOM) == "https://news.example.org/e/2021-2/en"
    assert entry.findtext("a:title", namespaces=ATOM) == site.mail.subject
    links = {link.get("hreflang"): link for link in entry.findall("a:link", ATOM)}
    assert set(links) == {"en", "zh"}
    assert links["zh"].get("title") == "秋季 <新闻> & 更多"
    item = json.loads(site.get("/feed.json").body)["items"][0]
    assert (item["url"], item["title"]) == ("https://news.example.org/e/2021-2/en", site.mail.subject)


def test_the_feed_of_a_sector_or_country_has_only_its_editions(site: ArchiveSite) -> None:
    add_sent(site.engine, [site.mail])
    sectors = {story.sector for story in site.mail.stories}
    countries = {country for story in site.mail.stories for country in story.countries}
    for sector in site.workspace.settings.sectors:
        items = json.loads(site.get(f"/feed/sector/{sector}.json").body)["items"]
        assert len(items) == (sector in sectors)
    for country in ("CN", "MN", "FR"):
        items = json.loads(site.get(f"/feed/country/{country}.json").body)["items"]
        assert len(items) == (country in countries)
    named = ET.fromstring(site.get("/feed/country/CN.atom", **{"accept-language": "fr"}).body)
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
def test_there_are_no_other_feeds(site: ArchiveSite, path: str) -> None:
    assert site.get(path).status == 404


def test_an_empty_archive_is_an_empty_feed(site: ArchiveSite) -> None:
    assert ET.fromstring(site.get("/feed.atom").body).findall("a:entry", ATOM) == []
    assert json.loads(site.get("/feed.json").body)["items"] == []


def test_an_edition_not_archived_opens_only_with_the_link_in_its_mail(site: ArchiveSite) -> None:
    add_sent(site.engine, [site.mail], archived=False)
    subscriber = Subscriber(
        id=1, email=CANARY, envelope=CANARY, name="Canary", created_at=NOW, updated_at=NOW
    )
    reader = reader_for(subscriber, 1, site.workspace.settings, site.workspace.keys.tokens)
    link = f"/e/2021-2/en?v={site.mail.digest[:16]}"
    assert f"https://news.example.org{link}" in personalise(site.mail, reader).text
    opened = site.get(link)
    assert (opened.status, opened.headers["x-robots-tag"]) == (200, "noindex, nofollow")
    assert opened.headers["cache-control"] == "no-store"
    for path in ("/e/2021-2/en", "/e/2021-2/en?v=", f"/e/2021-2/en?v={'0' * 16}"):
        assert site.get(path).status == 404
    assert site.mail.subject not in site.get("/e/").text
    assert json.loads(site.get("/feed.json").body)["items"] == []


def test_a_campaign_can_be_archived_and_removed_again(site: ArchiveSite) -> None:
    add_sent(site.engine, [site.mail], archived=False)
    for archived, status in ((True, 200), (False, 404)):
        with Session(site.engine) as session:
            set_archived(session, 1, archived=archived)
            session.commit()
        assert site.get("/e/2021-2/en").status == status


def test_public_pages_contain_no_personal_data(site: ArchiveSite) -> None:
    with Session(site.engine) as session:
        session.add(
            Subscriber(email=CANARY, envelope=CANARY, name="Canary Bird", created_at=NOW, updated_at=NOW)
        )
        session.commit()
    add_sent(site.engine, [site.mail])
    for path in (
        "/",
        "/e/",
        "/e/2021-2/en",
        "/feed.atom",
        "/feed.json",
        "/robots.txt",
        "/feed/country/CN.atom",
    ):
        page = site.get(path)
        assert page.status == 200
        assert "anary" not in page.text
        assert "/p/" not in page.text.replace("Disallow: /p/", "")


@pytest.mark.parametrize("environ", [{"MAILER_WEB__ROBOTS": "noindex"}])
def test_the_settings_can_exclude_search_engines(site: ArchiveSite, environ: dict[str, str]) -> None:
    add_sent(site.engine, [site.mail])
    for path in ("/e/", "/e/2021-2/en", "/feed.atom"):
        assert site.get(path).headers["x-robots-tag"] == "noindex, nofollow"


def test_crawlers_are_told_not_to_visit_personal_pages(site: ArchiveSite) -> None:
    assert site.get("/robots.txt").text.splitlines()[1:3] == ["Disallow: /u/", "Disallow: /p/"]
    add_sent(site.engine, [site.mail])
    assert "x-robots-tag" not in site.get("/e/2021-2/en").headers
