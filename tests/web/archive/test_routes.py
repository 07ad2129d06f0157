"""Editions that were sent, for anybody to read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from editions.reader import read_edition
from mailer.database.models import CampaignContent, CampaignState
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.web.app import create_app
from mailer.web.archive_store import find_content, list_editions
from mailer.workspace import Workspace
from tests.factories.draft_edition import Draft
from tests.web.site import Answer, add_sent, ask, opened_engine, served


@dataclass(frozen=True)
class Shelf:
    """A running site, and an edition that may be put on its shelf."""

    engine: Engine
    url: str
    mail: CompiledEdition

    def get(self, path: str) -> Answer:
        return ask(self.url, "GET", path)


@pytest.fixture
def shelf(workspace: Workspace) -> Iterator[Shelf]:
    draft = Draft(workspace.editions / "2021-2")
    edition = read_edition(draft.folder, sectors=workspace.settings.sectors)
    mail = compile_edition(edition, workspace.settings)
    workspace.media.mkdir()
    for image in mail.images:
        (workspace.media / image.name).write_bytes(image.data)
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        yield Shelf(engine=engine, url=running.url, mail=mail)


@pytest.mark.parametrize("state", ["sending", "paused", "finished"])
def test_an_edition_that_was_sent_can_be_read(shelf: Shelf, state: str) -> None:
    add_sent(shelf.engine, [shelf.mail], state=CampaignState(state))
    page = shelf.get("/e/2021-2/en")
    assert page.status == 200
    assert "The forum met in October." in page.text
    assert "What we did this autumn" in shelf.get("/e/").text


@pytest.mark.parametrize("state", ["draft", "tested", "approved", "scheduled", "cancelled"])
def test_an_edition_that_was_not_sent_is_nobodys_business(shelf: Shelf, state: str) -> None:
    add_sent(shelf.engine, [shelf.mail], state=CampaignState(state))
    assert shelf.get("/e/2021-2/en").status == 404
    assert "No editions have been sent yet." in shelf.get("/").text


@pytest.mark.parametrize(
    "path", ["/e/2021-2/zh", "/e/2021-1/en", "/e/2021-2/EN", "/e/2021-2", "/e/2021-2/en/", "/e"]
)
def test_what_is_not_there_is_not_there(shelf: Shelf, path: str) -> None:
    add_sent(shelf.engine, [shelf.mail])
    assert shelf.get(path).status == 404


def test_nothing_of_a_reader_is_in_it(shelf: Shelf) -> None:
    add_sent(shelf.engine, [shelf.mail])
    page = shelf.get("/e/2021-2/en").text
    for trace in ("@@", "/u/", "/p/", "Unsubscribe", "Dear {"):
        assert trace not in page


def test_a_script_in_a_mail_could_not_run(shelf: Shelf) -> None:
    add_sent(shelf.engine, [replace(shelf.mail, html="<script>alert(1)</script>")])
    headers = shelf.get("/e/2021-2/en").headers
    policy = headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "script-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert headers["cache-control"] == "public, max-age=3600"


def test_the_list_says_each_edition_once_with_its_languages(shelf: Shelf) -> None:
    chinese = replace(shelf.mail, language="zh-Hans")
    add_sent(shelf.engine, [shelf.mail])
    add_sent(shelf.engine, [replace(shelf.mail, subject="A <b> & more"), chinese])
    page = shelf.get("/e/").text
    assert page.count("<h2>") == 1
    assert "A &lt;b&gt; &amp; more" in page
    assert 'href="/e/2021-2/zh-Hans" hreflang="zh-Hans" lang="zh-Hans">中文 (简体)</a>' in page
    assert "sent on 1 March 2026" in page


def test_the_newest_edition_comes_first_and_an_older_programs_is_left_out(engine: Engine) -> None:
    mail = CompiledEdition(
        slug="2021-1",
        language="en",
        title="News",
        subject="Spring",
        preheader="",
        sender_name="Office",
        greeting="",
        one_story="",
        many_stories="",
        html="",
        text="",
        stories=(),
        digest="0" * 64,
    )
    add_sent(engine, [mail])
    add_sent(engine, [replace(mail, slug="2021-2", subject="Autumn")])
    add_sent(engine, [replace(mail, slug="2021-1", subject="Spring, again")])
    add_sent(engine, [replace(mail, slug="2020-1", subject="Old")])
    with Session(engine) as session:
        old = session.get(CampaignContent, (4, "en"))
        assert old is not None
        old.body = old.body.replace(b'"version": ', b'"version": 99')
        session.add(old)
        session.commit()
        assert [edition.subject for edition in list_editions(session)] == ["Spring, again", "Autumn"]
        assert find_content(session, "2020-1", "en") is None


def test_its_pictures_come_from_here_for_good_and_for_any_page(shelf: Shelf) -> None:
    add_sent(shelf.engine, [shelf.mail])
    name = shelf.mail.images[0].name
    assert f'src="/media/{name}"' in shelf.get("/e/2021-2/en").text
    picture = shelf.get(f"/media/{name}")
    assert (picture.status, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.body == shelf.mail.images[0].data
    assert "immutable" in picture.headers["cache-control"]
    assert picture.headers["cross-origin-resource-policy"] == "cross-origin"
    assert picture.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["mailer.db", "..", "0123456789abcdef.svg", "0123456789ABCDEF.jpg", "0123456789abcdef.jpg"]
)
def test_no_other_file_is_served(shelf: Shelf, workspace: Workspace, name: str) -> None:
    (workspace.media / "0123456789abcdef.svg").write_text("<svg onload='alert(1)'/>", encoding="utf-8")
    (workspace.media / "mailer.db").touch()
    assert shelf.get(f"/media/{name}").status == 404
