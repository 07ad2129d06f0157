"""Corrections in the web edition, in the list of editions and in the feeds, beside what was sent."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from editions.reader import read_edition
from mailer.campaigns.corrections import (
    list_sent_corrections,
    name_correction,
)
from mailer.database.models import CampaignContent, CampaignState
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.web.app import create_app
from mailer.web.archive.reading_pages import annotate_edition
from mailer.workspace import Workspace
from tests.factories.correction_notes import CORRECTED_AT, add_correction
from tests.factories.draft_edition import Draft
from tests.web.site import add_sent, opened_engine, send_request, served

ATOM = {"a": "http://www.w3.org/2005/Atom"}
EDITION = "2021-2"


class CorrectedSite:
    def __init__(self, workspace: Workspace, engine: Engine, url: str, mail: CompiledEdition) -> None:
        self.workspace, self.engine, self.url, self.mail = workspace, engine, url, mail
        self.story = mail.stories[0].slug

    def get(self, path: str, **headers: str) -> str:
        answer = send_request(self.url, "GET", path, headers=headers)
        assert answer.status == 200
        return answer.body.decode() if isinstance(answer.body, bytes) else answer.body


@pytest.fixture
def site(workspace: Workspace) -> Iterator[CorrectedSite]:
    draft = Draft(workspace.editions / EDITION)
    mail = compile_edition(read_edition(draft.folder, sectors=workspace.settings.sectors), workspace.settings)
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        add_sent(engine, [mail, replace(mail, language="zh")])
        yield CorrectedSite(workspace, engine, running.url, mail)


def test_the_web_edition_shows_a_correction_at_the_top_and_at_its_story(site: CorrectedSite) -> None:
    add_correction(site.engine, site.story)
    page = site.get(f"/e/{EDITION}/en")
    start, end = (page.index(mark) for mark in ('<div role="note"', 'id="correction-1"'))
    assert start < page.index('href="#correction-1"') < end
    notice = page[end : page.index("<h3", end)]
    for words in (
        "Correction · 5 March 2026",
        "It met on 3 May &amp; left.",
        "It met on 5 May.",
        "<em>sorry</em>",
    ):
        assert words in notice
    assert page.index("A forum &lt;for&gt; youth") < end
    in_chinese = site.get(f"/e/{EDITION}/zh")
    assert "更正 · 2026年3月5日" in in_chinese
    assert "五月五日。" in in_chinese


def test_the_page_of_a_story_shows_its_correction_where_the_mail_links_to(site: CorrectedSite) -> None:
    add_correction(site.engine, site.story)
    page = site.get(f"/e/{EDITION}/en/{site.story}")
    assert 'id="correction-1"' in page
    assert "It met on 5 May." in page


def test_what_was_sent_stays_as_it_was(site: CorrectedSite) -> None:
    add_correction(site.engine, site.story)
    site.get(f"/e/{EDITION}/en")
    with Session(site.engine) as session:
        assert session.get_one(CampaignContent, (1, "en")).body == site.mail.to_bytes()
    with site.engine.connect() as connection:
        corrected = list_sent_corrections(connection, [EDITION])
    annotated = annotate_edition(site.mail, corrected, None)
    assert (annotated.text, annotated.digest) == (site.mail.text, site.mail.digest)
    assert annotate_edition(site.mail, [], None) is site.mail


def test_who_has_the_mail_of_a_correction_can_open_it_in_the_browser_and_nobody_else(
    site: CorrectedSite,
) -> None:
    name = name_correction(EDITION, 1)
    add_sent(site.engine, [replace(site.mail, slug=name)], archived=False)
    assert site.mail.title in site.get(f"/e/{name}/en?v={site.mail.digest[:16]}")
    assert send_request(site.url, "GET", f"/e/{name}/en").status == 404
    assert name not in site.get("/e/")


def test_a_correction_that_was_not_sent_is_not_shown(site: CorrectedSite) -> None:
    add_correction(site.engine, site.story, state=CampaignState.cancelled)
    assert "correction-1" not in site.get(f"/e/{EDITION}/en")
    assert len(json.loads(site.get("/feed.json"))["items"]) == 1


def test_a_correction_of_a_correction_is_shown_after_it(site: CorrectedSite) -> None:
    add_correction(site.engine, site.story)
    add_correction(site.engine, site.story, 2, at=CORRECTED_AT + timedelta(days=1))
    page = site.get(f"/e/{EDITION}/en")
    assert page.index('id="correction-1"') < page.index('id="correction-2"')
    ids = [item["id"].partition("#")[2] for item in json.loads(site.get("/feed.json"))["items"]]
    assert ids == ["correction-2", "correction-1", ""]


def test_the_list_of_editions_says_what_was_wrong_and_what_is_right(site: CorrectedSite) -> None:
    add_correction(site.engine, site.story)
    page = site.get("/e/", **{"accept-language": "fr"})
    assert "Rectificatif du 5 mars 2026" in page
    assert f'/e/{EDITION}/en#correction-1" lang="en"' in page
    assert "It met on 3 May &amp; left." in page
    assert "It met on 5 May." in page


def test_a_correction_is_an_entry_of_its_own_in_the_feeds_and_updates_its_edition(
    site: CorrectedSite,
) -> None:
    add_correction(site.engine, site.story)
    feed = ET.fromstring(site.get("/feed.atom"))
    assert feed.findtext("a:updated", namespaces=ATOM) == "2026-03-04T09:00:00Z"
    correction, edition = feed.findall("a:entry", ATOM)
    assert correction.findtext("a:title", namespaces=ATOM) == "Correction: A forum <for> youth"
    assert (correction.findtext("a:id", namespaces=ATOM) or "").endswith(f"/e/{EDITION}/en#correction-1")
    assert correction.findtext("a:summary", namespaces=ATOM) == (
        "What we wrote: It met on 3 May & left.\nWhat is right: It met on 5 May."
    )
    assert edition.findtext("a:updated", namespaces=ATOM) == "2026-03-04T09:00:00Z"
    assert edition.findtext("a:published", namespaces=ATOM) == "2026-03-01T09:00:00Z"
    first, second = json.loads(site.get("/feed.json"))["items"]
    assert (first["title"], first["date_published"]) == (
        "Correction: A forum <for> youth",
        "2026-03-04T09:00:00Z",
    )
    assert second["date_modified"] == "2026-03-04T09:00:00Z"
