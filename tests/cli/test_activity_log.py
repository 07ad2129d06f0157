"""What people do on the command line is in the team's log, and in the words that Studio has for it."""

import inspect
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from click.testing import CliRunner, Result
from sqlmodel import Session, col, select

from mailer.cli import campaign_run, mailer
from mailer.cli.activity_log import find_user
from mailer.database.models import CampaignState
from mailer.database.team_models import ActivityRecord
from mailer.workspace import Workspace
from tests.factories.deliveries import add_campaign, read_campaign
from tests.factories.small_edition import SLUG, write_edition

ADDRESS = "mei@example.org"
LOGGED_COMMANDS = {
    "init": "created_workspace",
    "new": "created_edition",
    "import": "imported_edition",
    "send": "sent_test",
    "correct": "launched_campaign",
    "campaigns approve": "approved_campaign",
    "campaigns archive": "archived_campaign",
    "campaigns cancel": "cancelled_campaign",
    "campaigns pause": "paused_campaign",
    "campaigns report": "exported_report",
    "campaigns reschedule": "rescheduled_campaign",
    "campaigns resolve": "resolved_doubts",
    "campaigns resume": "resumed_campaign",
    "feedback review": "judged_feedback",
    "feedback successors accept": "accepted_successor",
    "feedback successors refuse": "refused_successor",
    "segments delete": "deleted_segment",
    "segments rename": "renamed_segment",
    "segments save": "saved_segment",
    "subscribers add": "added_subscriber",
    "subscribers admit": "admitted_sign_up",
    "subscribers data": "exported_person",
    "subscribers decline": "declined_sign_up",
    "subscribers edit": "edited_subscriber",
    "subscribers erase": "erased_person",
    "subscribers export": "exported_subscribers",
    "subscribers import": "imported_subscribers",
    "subscribers merge": "merged_subscribers",
    "subscribers pause": "paused_subscriber",
    "subscribers prune": "pruned_list",
    "subscribers reconfirm": "launched_campaign",
    "subscribers rollback": "rolled_back_import",
    "subscribers suppress": "suppressed_address",
    "subscribers tag": "edited_subscriber",
    "subscribers unsubscribe": "unsubscribed_subscriber",
    "subscribers unsuppress": "unsuppressed_address",
    "studio erase": "erased_person",
    "studio invite": "invited_member",
    "trial begin": "began_trial",
    "trial end": "ended_trial",
    "login": "signed_in_relay",
    "logout": "signed_out_relay",
    "keys retire": "retired_key",
    "keys rotate": "rotated_keys",
    "db backup": "backed_up_database",
    "db upgrade": "upgraded_database",
}
"""The commands that leave a line, and of which act."""
UNLOGGED_COMMANDS = {
    **dict.fromkeys(
        (
            "check",
            "corrections",
            "campaigns list",
            "campaigns show",
            "campaigns metrics",
            "campaigns clicks",
            "doctor",
            "fakes list",
            "fakes show",
            "feedback list",
            "feedback read",
            "feedback senders",
            "feedback successors",
            "keys list",
            "preview",
            "providers",
            "segments list",
            "segments show",
            "segments explain",
            "segments compare",
            "subscribers list",
            "subscribers count",
            "subscribers audience",
            "subscribers show",
            "subscribers sign-ups",
            "subscribers imports",
            "subscribers reconfirmations",
            "trial show",
        ),
        "it changes nothing",
    ),
    "render": "it writes a page that anybody could make of the edition",
    "feedback receive": "a program calls it, for each message",
    **dict.fromkeys(("serve", "work", "studio"), "what is done there has its own lines"),
    **dict.fromkeys(("demo", "simulator"), "it plays"),
}
"""The commands that leave no line, and why."""


def run(workspace: Workspace, *words: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), *words])


def read_lines(workspace: Workspace) -> list[ActivityRecord]:
    engine = workspace.open_database()
    try:
        with Session(engine) as session:
            return list(session.exec(select(ActivityRecord).order_by(col(ActivityRecord.id))))
    finally:
        engine.dispose()


def tell(workspace: Workspace) -> list[tuple[str, str, str, str]]:
    return [(one.act, one.edition, one.subject, one.detail) for one in read_lines(workspace)]


def list_commands(group: click.Group, *path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from list_commands(command, *path, name)
            if not command.invoke_without_command:
                continue
        yield " ".join([*path, name])


def find_command(path: str) -> click.Command:
    command: click.Command = mailer
    for name in path.split():
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


def test_every_command_writes_a_line_or_says_why_not() -> None:
    declared = [*LOGGED_COMMANDS, *UNLOGGED_COMMANDS]
    assert sorted(declared) == sorted(list_commands(mailer)), (
        "Let a new command record what it does, by mailer/cli/activity_log.py, and give it its place above"
    )


def test_each_command_records_its_deed_where_it_is_done() -> None:
    shared = inspect.getsource(campaign_run)
    for path, act in LOGGED_COMMANDS.items():
        callback = find_command(path).callback
        module = inspect.getmodule(callback)
        assert module is not None, path
        assert f"deeds.{act}" in inspect.getsource(module) + shared, path


def test_a_command_that_changes_something_leaves_a_line(workspace: Workspace) -> None:
    added = run(workspace, "subscribers", "add", ADDRESS, "--country", "CN", "--by", "Ann")
    assert added.exit_code == 0, added.output
    assert run(workspace, "subscribers", "tag", ADDRESS, "+press", "-old").exit_code == 0
    assert run(workspace, "keys", "rotate").exit_code == 0
    assert run(workspace, "new", "2026-1").exit_code == 0
    assert run(workspace, "segments", "save", "press", "tag:press").exit_code == 0
    assert tell(workspace) == [
        ("added_subscriber", "", ADDRESS, "for Ann"),
        ("edited_subscriber", "", ADDRESS, "+press -old"),
        ("rotated_keys", "", "", ""),
        ("created_edition", "2026-1", "", ""),
        ("saved_segment", "", "press", "tag:press"),
    ]
    first = read_lines(workspace)[0]
    assert (first.member_id, first.name) == (None, find_user())


def test_looking_trying_and_failing_leave_no_line(workspace: Workspace, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("email\nkim@example.org\n")
    assert run(workspace, "subscribers", "import", str(people), "--dry-run").exit_code == 0
    assert run(workspace, "subscribers", "prune").exit_code == 0
    assert run(workspace, "subscribers", "unsubscribe", ADDRESS).exit_code == 1
    assert run(workspace, "subscribers", "count").exit_code == 0
    assert run(workspace, "keys", "retire", "7", "--confirm").exit_code == 1
    assert run(workspace, "feedback", "review").exit_code == 0
    assert read_lines(workspace) == []
    assert run(workspace, "subscribers", "import", str(people)).exit_code == 0
    counts = "import 1: 1 added, 0 updated, 0 suppressed, 0 refused"
    assert tell(workspace) == [("imported_subscribers", "", "people.csv", counts)]
    assert run(workspace, "subscribers", "rollback", "1").exit_code == 0
    assert tell(workspace)[1:] == [("rolled_back_import", "", "1", "1 removed, 0 restored, 0 kept")]


def test_a_change_that_changes_nothing_leaves_no_line(workspace: Workspace) -> None:
    run(workspace, "subscribers", "add", ADDRESS)
    run(workspace, "subscribers", "unsubscribe", ADDRESS)
    assert "already" in run(workspace, "subscribers", "unsubscribe", ADDRESS).output
    assert [act for act, *_ in tell(workspace)] == ["added_subscriber", "unsubscribed_subscriber"]


def test_the_second_of_two_same_commands_leaves_no_line(workspace: Workspace) -> None:
    engine = workspace.open_database()
    add_campaign(
        engine, 1, edition=SLUG, state=CampaignState.sending, launched_at=datetime(2026, 3, 2, tzinfo=UTC)
    )
    engine.dispose()
    commands = (
        ("campaigns", "archive", "1"),
        ("campaigns", "pause", "1"),
        ("segments", "save", "press", "tag:press"),
        ("segments", "save", "press", "tag:board"),
        # A new workspace is in trial mode.
        ("trial", "begin", "--by", "Ann"),
    )
    for words in commands:
        for _ in range(2):
            done = run(workspace, *words)
            assert done.exit_code == 0, done.output
    assert tell(workspace) == [
        ("archived_campaign", SLUG, "1", "in"),
        ("paused_campaign", SLUG, "1", ""),
        ("saved_segment", "", "press", "tag:press"),
        ("saved_segment", "", "press", "tag:press → tag:board"),
    ]


def test_who_is_erased_is_not_in_the_line_nor_in_the_lines_before(workspace: Workspace) -> None:
    run(workspace, "subscribers", "add", ADDRESS)
    assert run(workspace, "subscribers", "erase", ADDRESS).exit_code == 0
    assert run(workspace, "subscribers", "erase", ADDRESS, "--confirm").exit_code == 0
    assert tell(workspace) == [("added_subscriber", "", "<…>", ""), ("erased_person", "", "", "")]
    for file in workspace.root.glob("mailer.db*"):
        assert b"mei@example" not in file.read_bytes()


def test_a_launch_is_written_down_with_its_campaign_and_edition(workspace: Workspace) -> None:
    write_edition(workspace.editions)
    toml = workspace.root / "mailer.toml"
    toml.write_text(toml.read_text() + '\n[smtp]\nurl = "maildir:sent"\n')
    run(workspace, "subscribers", "add", ADDRESS, "--country", "MN")
    words = ("send", SLUG, "--segment", "all")
    assert run(workspace, *words).exit_code == 0
    sent = run(workspace, *words, "--confirm")
    assert sent.exit_code == 0, sent.output
    assert run(workspace, "campaigns", "archive", "1").exit_code == 0
    assert run(workspace, "campaigns", "archive", "1", "--off").exit_code == 0
    assert tell(workspace)[1:] == [
        ("launched_campaign", SLUG, "1", "to everyone"),
        ("archived_campaign", SLUG, "1", "in"),
        ("archived_campaign", SLUG, "1", "out"),
    ]


def test_a_campaign_that_goes_on_and_a_report_that_is_taken_away_are_written_down(
    workspace: Workspace, tmp_path: Path
) -> None:
    engine = workspace.open_database()
    add_campaign(
        engine, 1, edition=SLUG, state=CampaignState.paused, launched_at=datetime(2026, 3, 2, tzinfo=UTC)
    )
    engine.dispose()
    resumed = run(workspace, "campaigns", "resume", "1", "--detach")
    assert resumed.exit_code == 0, resumed.output
    assert run(workspace, "campaigns", "report", "1").exit_code == 0
    taken = run(workspace, "campaigns", "report", "1", "--csv", str(tmp_path / "people.csv"))
    assert taken.exit_code == 0, taken.output
    assert tell(workspace) == [
        ("resumed_campaign", SLUG, "1", ""),
        ("exported_report", SLUG, "1", "people.csv"),
    ]


def test_a_log_that_cannot_be_written_is_told_and_hides_no_result(workspace: Workspace) -> None:
    with sqlite3.connect(workspace.root / "mailer.db") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON activity_record "
            "BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
        )
    connection.close()
    done = run(workspace, "keys", "rotate", "--json")
    assert done.exit_code == 0
    assert '"number": 2' in done.stdout
    assert "the team's log could not be written" in done.stderr
    assert f"UTC, {find_user()}, rotated_keys" in done.stderr


def test_the_list_is_not_changed_without_its_line(workspace: Workspace) -> None:
    with sqlite3.connect(workspace.root / "mailer.db") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON activity_record "
            "BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
        )
    connection.close()
    assert run(workspace, "subscribers", "add", ADDRESS).exit_code == 1
    assert run(workspace, "subscribers", "count").stdout.strip() == "0"


def test_a_workspace_without_a_database_gets_none_by_an_entry(workspace: Workspace) -> None:
    (workspace.root / "mailer.db").unlink()
    done = run(workspace, "new", "2026-1")
    assert done.exit_code == 0
    assert "the team's log could not be written" in done.stderr
    assert "created_edition 2026-1" in done.stderr
    assert not (workspace.root / "mailer.db").exists()


def test_a_new_workspace_begins_its_log(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    answers = (
        "--name",
        "N",
        "--address",
        "n@example.org",
        "--organisation",
        "O",
        "--postal-address",
        "1 Main Street, Beijing",
    )
    done = CliRunner().invoke(mailer, ["init", str(folder), *answers, "--sectors", ""])
    assert done.exit_code == 0, done.output
    with sqlite3.connect(folder / "mailer.db") as connection:
        assert connection.execute("SELECT act FROM activity_record").fetchall() == [("created_workspace",)]
    connection.close()


def test_a_document_is_named_without_its_folder(workspace: Workspace, tmp_path: Path) -> None:
    page = tmp_path / "spring.html"
    page.write_text("<title>Spring</title><h1>Spring</h1><h2>One</h2><p>A story.</p><h2>Two</h2><p>More.</p>")
    done = run(workspace, "import", str(page), "--edition", "2026-3")
    assert done.exit_code == 0, done.output
    assert tell(workspace) == [("imported_edition", "2026-3", "spring.html", "")]


def test_a_scheduled_campaign_gets_another_time_and_the_log_says_from_when_to_when(
    workspace: Workspace,
) -> None:
    engine = workspace.open_database()
    at = datetime(2096, 3, 2, 1, 0, tzinfo=UTC)
    add_campaign(engine, 0, edition=SLUG, state=CampaignState.scheduled, scheduled_at=at)
    moved = run(workspace, "campaigns", "reschedule", "1", "2096-03-02T12:00+08:00")
    assert moved.exit_code == 0, moved.output
    assert "Campaign 1 now starts at 2096-03-02 04:00 UTC (2096-03-02 12:00 UTC+08:00)" in moved.stderr
    assert read_campaign(engine, 1).scheduled_at == at + timedelta(hours=3)
    line = ("rescheduled_campaign", SLUG, "1", "from 2096-03-02 01:00 UTC to 2096-03-02 04:00 UTC")
    assert tell(workspace) == [line]
    assert "already" in run(workspace, "campaigns", "reschedule", "1", "2096-03-02T04:00Z").stderr
    refused = run(workspace, "campaigns", "reschedule", "1", "2020-01-01T04:00Z")
    assert (refused.exit_code, "is in the past" in refused.stderr) == (1, True)
    assert tell(workspace) == [line]
    engine.dispose()
