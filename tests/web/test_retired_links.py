"""A link whose key was retired: the reader is told, and offered a new one."""

from mailer.keys import retire_key, rotate_keys
from mailer.web.app import create_app
from mailer.workspace import Workspace
from tests.web.site import NOW, add_reader, dump_tables, opened_engine, send_request, served

FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_a_reader_with_a_retired_link_is_offered_a_new_one_and_nothing_changes(workspace: Workspace) -> None:
    with opened_engine(workspace) as engine, served(create_app(workspace, clock=lambda: NOW)) as running:
        token = add_reader(engine, workspace.keys, "mei@example.org")
        assert send_request(running.url, "GET", f"/u/{token}").status == 200
        rotate_keys(workspace.root / "keys.toml", now=NOW)
        retire_key(workspace.root / "keys.toml", 1, now=NOW)
        before = dump_tables(engine)
        page = send_request(running.url, "GET", f"/u/{token}", headers={"accept-language": "ja"})
        assert page.status == 410
        assert 'href="/link"' in page.text
        assert "以前のメール" in page.text
        assert send_request(running.url, "GET", f"/p/{token}").status == 410
        assert (
            send_request(running.url, "POST", f"/u/{token}", b"List-Unsubscribe=One-Click", FORM).status
            == 410
        )
        assert dump_tables(engine) == before
        assert send_request(running.url, "GET", "/link").status == 200
