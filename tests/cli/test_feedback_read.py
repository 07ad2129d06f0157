"""``mailer feedback read``: what saved messages are, with a workspace and without one."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace
from tests.factories.feedback import add_sent_campaign

BOUNCE = """\
Return-Path: <>
From: MAILER-DAEMON@mail.example.net
Subject: failure notice

Hi. This is the qmail-send program at mail.example.net.

<{address}>:
Remote host said: 550 5.1.1 no such user here

<full@example.net>:
Sorry, over quota (#5.2.2)
"""


def run(folder: Path, *words: str, code: int = 0, standard_input: bytes = b"") -> Result:
    result = CliRunner().invoke(mailer, ["-C", str(folder), "feedback", *words], input=standard_input)
    assert result.exit_code == code, result.output
    return result


def test_files_are_read_in_their_order_without_a_workspace(tmp_path: Path) -> None:
    bounce, reply = tmp_path / "1.eml", tmp_path / "2.eml"
    bounce.write_bytes(BOUNCE.format(address="nobody@example.org").replace("\n", "\r").encode())
    reply.write_bytes(b"From: person@example.org\nTo: news@example.com\nSubject: Hello\n\nThank you!\n")
    first, second, third = json.loads(
        run(tmp_path, "read", str(bounce), "-", str(reply), "--json", standard_input=b"\xff\x00").stdout
    )
    assert (first["file"], first["kind"], second["file"]) == (str(bounce), "bounce", "-")
    assert third["kind"] != "bounce"
    assert third["recipients"] == []
    assert [(one["address"], one["reason"], one["dead"]) for one in first["recipients"]] == [
        ("nobody@example.org", "no_such_user", True),
        ("full@example.net", "full", False),
    ]
    assert [one["subscriber"] for one in first["recipients"]] == [None, None]
    assert set(first["recipients"][0]) == {"address", "subscriber", "reason", "dead", "words"}
    assert first["recipients"][1]["words"] == "Sorry, over quota (#5.2.2)"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.eml", "2.eml"]


def test_people_read_a_line_for_each_recipient(tmp_path: Path) -> None:
    path = tmp_path / "1.eml"
    path.write_text(BOUNCE.format(address="nobody@example.org"))
    lines = run(tmp_path, "read", str(path)).stdout.split("\n")
    assert lines[0] == f"{path}: bounce"
    assert "nobody@example.org" in lines[1]
    assert "no such user (dead)" in lines[1]


def test_an_unreadable_file_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "1.eml"
    path.write_text(BOUNCE.format(address="nobody@example.org"))
    result = run(tmp_path, "read", str(tmp_path / "none.eml"), str(tmp_path), str(path), "--json", code=1)
    assert [entry["kind"] for entry in json.loads(result.stdout)] == ["bounce"]
    assert f"Cannot read {tmp_path / 'none.eml'}: No such file" in result.stderr
    assert f"Cannot read {tmp_path}: Is a directory" in result.stderr


def test_a_mailbox_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "bounces"
    one = "From MAILER-DAEMON Mon Mar  3 10:00:00 2025\n" + BOUNCE.format(address="{}@example.org") + "\n"
    path.write_text(one.format("first") + one.format("second"))
    (entry,) = json.loads(run(tmp_path, "read", str(path), "--json").stdout)
    addresses = [recipient["address"].partition("@")[0] for recipient in entry["recipients"]]
    assert addresses == ["first", "full", "second", "full"]


@pytest.mark.usefixtures("now")
def test_in_a_workspace_the_subscriber_is_named(workspace: Workspace, now: datetime) -> None:
    engine = workspace.open_database(durable=False)
    add_sent_campaign(engine, 2, at=now - timedelta(days=1))
    with engine.connect() as connection:
        subscriber, email = connection.exec_driver_sql("SELECT id, email FROM subscriber ORDER BY id").first()  # type: ignore[misc]
    engine.dispose()
    path = workspace.root / "1.eml"
    path.write_text(BOUNCE.format(address=email))
    (entry,) = json.loads(run(workspace.root, "read", str(path), "--json").stdout)
    assert [one["subscriber"] for one in entry["recipients"]] == [subscriber, None]
