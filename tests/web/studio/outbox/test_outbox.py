"""The outbox of previews, read as an inbox: page by page, by address, each message harmless."""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine

from mailer.campaigns.outbox import NoMessageError, OutboxReader, write_outbox
from mailer.database.team_models import Role
from tests.factories.campaigns import make_plan
from tests.factories.deliveries import START
from tests.factories.small_edition import SLUG, add_people
from tests.web.studio.house import House, open_house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        add_people(house.studio.engine)
        preview(house, house.studio.engine)
        yield house


def preview(house: House, engine: Engine) -> None:
    """What `mailer send EDITION --segment all --for bat@example.org` writes."""
    workspace = house.studio.workspace
    plan = make_plan(workspace, engine, START)
    write_outbox(workspace, engine, plan, addresses=["bat@example.org"], now=START)


def write_message(folder: Path, name: str, to: str) -> None:
    message = EmailMessage()
    message["Subject"], message["To"] = f"For {to}", to
    message.set_content("Text")
    (folder / name).write_bytes(bytes(message))


def read(house: House, path: str, who: Role = Role.author) -> str:
    answer = house.ask("GET", path, who)
    assert answer.status == 200, path
    return answer.body.decode()


def test_the_messages_are_listed_and_found_by_their_address(house: House) -> None:
    page = read(house, "/outbox")
    assert page.count("News from the field") >= 2
    found = read(house, "/outbox?address=BAT@")
    assert f"{SLUG}.bat@example.org.eml" in found
    write_message(house.studio.workspace.outbox, "other.eml", "Mei <mei@example.org>")
    assert "For Mei" in read(house, "/outbox?address=mei@example.org")
    assert "For Mei" not in read(house, "/outbox?address=bat")
    assert "There is no such message." in read(house, "/outbox?address=nobody")
    assert "There is no such message." in read(house, "/outbox?after=zzz")
    assert house.ask("GET", "/outbox", Role.guest).status == 403


def test_a_message_is_shown_with_its_headers_its_text_and_its_source(house: House) -> None:
    path = f"/outbox/{quote(f'{SLUG}.bat@example.org.eml')}"
    page = read(house, path)
    assert "&lt;bat@example.org&gt;" in page
    assert "List-Unsubscribe" in page
    assert "Sixty teachers met" in read(house, f"{path}?show=text")
    source = house.ask("GET", f"{path}/source", Role.author)
    assert source.headers["content-type"].startswith("text/plain")
    assert source.headers["x-content-type-options"] == "nosniff"
    assert b"Subject: " in source.body
    frame = house.ask("GET", f"{path}/frame", Role.author)
    assert "script-src 'none'" in frame.headers["content-security-policy"]
    assert "sandbox" in frame.headers["content-security-policy"]


def test_it_is_read_in_a_browser(house: House, browser: Browser) -> None:
    member = house.studio.add_member(Role.author, "Flo Author", "flo@example.org")
    with house.studio.browse(browser, member) as page:
        page.goto(f"{house.studio.url}/outbox")
        page.get_by_label("Address").fill("bat")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="News from the field").first.click()
        expect(page.frame_locator("iframe").get_by_text("Sixty teachers met")).to_be_visible()
    house.restore()


def test_only_messages_are_read_and_no_name_leads_elsewhere(house: House) -> None:
    outbox = house.studio.workspace.outbox
    (outbox / "notes.txt").write_text("no message")
    (outbox / "link.eml").symlink_to(house.studio.workspace.root / "keys.toml")
    for name in ("notes.txt", "link.eml", "none.eml", "..", "%2e%2e", "keys.toml", "%2e%2e%5ckeys.toml"):
        assert house.ask("GET", f"/outbox/{name}", Role.manager).status == 404, name
        assert house.ask("GET", f"/outbox/{name}/source", Role.manager).status == 404, name
    for name in ("..", "%2e%2e", "keys.toml", "x.png", "%2e%2e%5ckeys.png"):
        assert house.ask("GET", f"/outbox/media/{name}", Role.manager).status == 404, name


def test_many_are_read_page_by_page_and_a_new_one_is_seen(tmp_path: Path) -> None:
    for number in range(120):
        write_message(tmp_path, f"a.{number:03}@example.org.eml", f"a.{number:03}@example.org")
    reader = OutboxReader(tmp_path)
    seen, after = [], ""
    while True:
        page = reader.list_page(after=after)
        seen += [entry.name for entry in page.entries]
        if page.following is None:
            break
        after = page.following
    assert seen == sorted(seen)
    assert len(set(seen)) == 120
    write_message(tmp_path, "b@example.org.eml", "b@example.org")
    assert reader.list_page(query="b@example.org").entries[0].to == "b@example.org"
    (tmp_path / "b@example.org.eml").unlink()
    assert reader.list_page(query="b@example.org").entries == []
    with pytest.raises(NoMessageError):
        reader.read_message("b@example.org.eml")


def test_an_outbox_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert OutboxReader(tmp_path / "none").list_page().total == 0


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00nonsense", b"Content-Type: text/html; charset=nonsense\n\n<b>"]
)
def test_whatever_a_file_holds_is_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.eml").write_bytes(content)
    reader = OutboxReader(tmp_path)
    assert [entry.name for entry in reader.list_page().entries] == ["odd.eml"]
    assert reader.read_message("odd.eml").size == len(content)
