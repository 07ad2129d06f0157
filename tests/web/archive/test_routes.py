"""The public archive of editions that have been sent."""

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
from tests.web.site import HttpResponse, add_sent, opened_engine, send_request, served


@dataclass(frozen=True)
class ArchiveSite:
    """A running site, and an edition that tests may add to its archive."""

    engine: Engine
    url: str
    mail: CompiledEdition

    def get(self, path: str) -> HttpResponse:
        return send_request(self.url, "GET", path)


@pytest.fixture
def site(workspace: Workspace) -> Iterator[ArchiveSite]:
    draft = Draft(workspace.editions / "2021-2")
    edition = read_edition(draft.folder, sectors=workspace.settings.sectors)
    mail = compile_edition(edition, workspace.settings)
    workspace.media.mkdir()
    for image in mail.images:
        (workspace.media / image.name).write_bytes(image.data)
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        yield ArchiveSite(engine=engine, url=running.url, mail=mail)


@pytest.mark.parametrize("state", ["sending", "paused", "finished"])
def test_a_sent_edition_can_be_read(site: ArchiveSite, state: str) -> None:
    add_sent(site.engine, [site.mail], state=CampaignState(state))
    page = site.get("/e/2021-2/en")
    assert page.status == 200
    assert "The forum met in October." in page.text
    assert "What we did this autumn" in site.get("/e/").text


@pytest.mark.parametrize("state", ["draft", "tested", "approved", "scheduled", "cancelled"])
def test_an_edition_that_has_not_been_sent_is_not_found(site: ArchiveSite, state: str) -> None:
    add_sent(site.engine, [site.mail], state=CampaignState(state))
    assert site.get("/e/2021-2/en").status == 404
    assert "No editions have been sent yet." in site.get("/").text


@pytest.mark.parametrize(
    "path", ["/e/2021-2/zh", "/e/2021-1/en", "/e/2021-2/EN", "/e/2021-2", "/e/2021-2/en/", "/e"]
)
def test_unknown_editions_and_languages_are_not_found(site: ArchiveSite, path: str) -> None:
    add_sent(site.engine, [site.mail])
    assert site.get(path).status == 404


def test_an_archived_edition_contains_nothing_about_a_reader(site: ArchiveSite) -> None:
    add_sent(site.engine, [site.mail])
    page = site.get("/e/2021-2/en").text
    for trace in ("@@", "/u/", "/p/", "Unsubscribe", "Dear {"):
        assert trace not in page


def test_a_script_in_a_mail_cannot_run(site: ArchiveSite) -> None:
    # Sent before there were web editions: its page is the mail.
    add_sent(site.engine, [replace(site.mail, html="<script>alert(1)</script>", web=None)])
    headers = site.get("/e/2021-2/en").headers
    policy = headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "script-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert headers["cache-control"] == "public, max-age=3600"


def test_the_archive_lists_each_edition_once_with_its_languages(site: ArchiveSite) -> None:
    chinese = replace(site.mail, language="zh-Hans")
    add_sent(site.engine, [site.mail])
    add_sent(site.engine, [replace(site.mail, subject="A <b> & more"), chinese])
    page = site.get("/e/").text
    assert page.count("<h2>") == 1
    assert "A &lt;b&gt; &amp; more" in page
    assert 'href="/e/2021-2/zh-Hans" hreflang="zh-Hans" lang="zh-Hans">中文 (简体)</a>' in page
    assert "sent on 1 March 2026" in page


def test_the_newest_edition_comes_first_and_other_formats_are_left_out(engine: Engine) -> None:
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


def test_images_are_served_permanently_and_to_any_site(site: ArchiveSite) -> None:
    add_sent(site.engine, [site.mail])
    name = site.mail.images[0].name
    assert f'src="/media/{name}"' in site.get("/e/2021-2/en").text
    picture = site.get(f"/media/{name}")
    assert (picture.status, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.body == site.mail.images[0].data
    assert "immutable" in picture.headers["cache-control"]
    assert picture.headers["cross-origin-resource-policy"] == "cross-origin"
    assert picture.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["mailer.db", "..", "0123456789abcdef.svg", "0123456789ABCDEF.jpg", "0123456789abcdef.jpg"]
)
def test_no_other_file_is_served(site: ArchiveSite, workspace: Workspace, name: str) -> None:
    (workspace.media / "0123456789abcdef.svg").write_text("<svg onload='alert(1)'/>", encoding="utf-8")
    (workspace.media / "mailer.db").touch()
    assert site.get(f"/media/{name}").status == 404
