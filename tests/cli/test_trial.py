"""Trial mode on the command line: shown, ended with a name, and begun again; and what the preview says."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace
from tests.factories.small_edition import SLUG, add_people, write_edition
from tests.servers.dns_server import running_dns_server

REAL = {
    "MAILER_SENDER__ADDRESS": "news@river-office.org",
    "MAILER_WEB__BASE_URL": "https://news.river-office.org",
}


@pytest.fixture
def root(workspace: Workspace) -> Path:
    write_edition(workspace.editions)
    engine = workspace.open_database()
    add_people(engine)
    engine.dispose()
    move_people(workspace.root, "ministry.mn")
    return workspace.root


def move_people(root: Path, domain: str) -> None:
    with closing(sqlite3.connect(root / "mailer.db")) as connection, connection:
        for name in ("email", "envelope"):
            connection.execute(f"UPDATE subscriber SET {name} = 'reader' || id || '@' || ?", [domain])


def run(root: Path, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(root), *words], env={**REAL, **environ})


def test_a_preview_says_what_keeps_it_from_being_sent(root: Path) -> None:
    previewed = run(root, "send", SLUG, "--segment", "all")
    assert previewed.exit_code == 0
    assert "Before you can send it: This workspace is in trial mode, and 4 readers" in previewed.stderr
    assert "Add --confirm" not in previewed.stderr
    words = json.loads(run(root, "send", SLUG, "--segment", "all", "--json").stdout)["trial"]
    assert words.startswith("This workspace is in trial mode")
    refused = run(root, "send", SLUG, "--segment", "all", "--confirm", "--detach")
    assert refused.exit_code == 1
    assert "2026-1 was not sent. This workspace is in trial mode" in refused.stderr


def test_it_is_shown_with_the_way_out(root: Path) -> None:
    shown = run(root, "trial", "show")
    assert shown.stdout == "Trial mode is on: campaigns go to test readers alone.\n"
    assert "trial end --by NAME" in shown.stderr
    assert json.loads(run(root, "trial", "show", "--json").stdout) == {
        **{"trial": True, "by": "", "at": None}
    }


def test_it_goes_on_while_the_doctor_finds_something_bad(root: Path) -> None:
    with running_dns_server() as dns:
        # Nothing listens on this port, so the relay is bad.
        places = {"MAILER_SMTP__URL": "smtp://127.0.0.1:9", "MAILER_DNS__RESOLVER": f"127.0.0.1:{dns.port}"}
        refused = run(root, "trial", "end", "--by", "Mei", **places)
    assert refused.exit_code == 1
    assert "Trial mode goes on" in refused.stderr
    assert "\n  relay: 127.0.0.1:9 does not accept mail" in refused.stderr
    assert json.loads(run(root, "trial", "show", "--json").stdout)["trial"]


def test_it_begins_again_by_name(root: Path) -> None:
    begun = run(root, "trial", "begin", "--by", "Bat")
    assert begun.exit_code == 0
    assert begun.stdout.startswith("Trial mode is on")


def test_invented_partners_need_no_end_of_it(root: Path) -> None:
    move_people(root, "partner.example")
    previewed = run(root, "send", SLUG, "--segment", "all")
    assert "trial mode" not in previewed.stderr
    assert "Add --confirm" in previewed.stderr
