"""The command line as a person meets it: what it prints where, and with which code it ends."""

import json
import re
import resource
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from tests.factories.sample_workspace import create_sample_workspace
from tests.servers.misbehaving_smtp import MisbehavingServer, Stage

EDITION = "unesco-beijing-2021-2"
SEGMENT = "country:MN,CN sector:education"
OWN = (
    *("--name", "Bureau Nord", "--organisation", "Bureau Nord"),
    *("--address", "lettre@nord.example.org", "--postal-address", "1 rue du Nord, Lille"),
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the sample edition and partners, to be copied."""
    return create_sample_workspace(tmp_path_factory.mktemp("sample") / "W").root


@pytest.fixture
def root(sample: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample, tmp_path / "W"))


def run(root: Path, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(root), *words], env=environ)


def test_an_unknown_command_is_wrong_usage_and_the_right_one_is_suggested(root: Path) -> None:
    result = run(root, "chekc", EDITION)
    assert result.exit_code == 2
    assert "check" in result.stderr


def test_a_folder_that_is_no_workspace_is_told_how_to_become_one(tmp_path: Path) -> None:
    result = run(tmp_path, "check", EDITION)
    assert result.exit_code == 1
    assert "mailer init" in result.stderr
    assert result.stdout == ""


def test_an_unknown_edition_is_refused_with_those_there_are(root: Path) -> None:
    result = run(root, "check", "2099-1")
    assert result.exit_code == 1
    assert EDITION in result.stderr


@pytest.mark.parametrize("slug", ["../editions", "..", "unesco-beijing-2021-2/stories", ""])
def test_an_edition_cannot_be_named_outside_its_folder(root: Path, slug: str) -> None:
    assert run(root, "check", slug).exit_code == 1


def test_debug_shows_the_trace(tmp_path: Path) -> None:
    result = CliRunner().invoke(mailer, ["--debug", "-C", str(tmp_path), "check", EDITION])
    assert type(result.exception).__name__ == "WorkspaceNotFoundError"


def test_the_sample_edition_has_no_problems(root: Path) -> None:
    result = run(root, "check", EDITION, "--json")
    assert json.loads(result.stdout)["problems"] == []
    assert result.exit_code == 0


def test_check_finds_every_problem_in_one_run_and_exits_1(root: Path) -> None:
    story = root / "editions" / EDITION / "stories" / "010-esd-hiratsuka.md"
    text = story.read_text(encoding="utf-8").replace("countries:", "countires:", 1)
    story.write_text(text + "\n<script>alert(1)</script>\n", encoding="utf-8")
    result = run(root, "check", EDITION, "--json")
    problems = json.loads(result.stdout)["problems"]
    assert result.exit_code == 1
    assert {problem["path"] for problem in problems} == {"stories/010-esd-hiratsuka.md"}
    assert {"unknown-key", "raw-html"} <= {problem["code"] for problem in problems}
    assert all(problem.keys() == {"path", "line", "level", "code", "message"} for problem in problems)


def test_render_writes_html_on_stdout_and_nothing_else(root: Path) -> None:
    result = run(root, "render", EDITION)
    assert result.exit_code == 0
    assert result.stdout.startswith("<!DOCTYPE html>")
    assert result.stderr == ""
    assert len(result.stdout_bytes) < 100_000


@pytest.mark.parametrize(("form", "start"), [("text", "UNESCO"), ("mjml", "<mjml"), ("eml", "Subject:")])
def test_render_knows_every_form(root: Path, form: str, start: str) -> None:
    result = run(root, "render", EDITION, "--format", form)
    assert result.exit_code == 0
    assert start in result.stdout


def test_render_for_a_subscriber_carries_their_links_alone(root: Path) -> None:
    address = json.loads(run(root, "subscribers", "list", "--json").stdout)[0]["email"]
    result = run(root, "render", EDITION, "--for", address, "--format", "eml")
    message = message_from_bytes(result.stdout_bytes, policy=policy.default)
    assert message["To"].addresses[0].addr_spec == address
    assert "/u/" in message["List-Unsubscribe"]


def test_render_for_a_stranger_is_refused(root: Path) -> None:
    result = run(root, "render", EDITION, "--for", "nobody@example.org")
    assert result.exit_code == 1
    assert "nobody@example.org" in result.stderr


def test_render_writes_its_file_whole_or_not_at_all(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "edition.html"
    target.write_text("old")
    shutil.rmtree(root / "editions" / EDITION / "images")
    assert run(root, "render", EDITION, "-o", str(target)).exit_code == 1
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_import_reports_every_row_and_a_dry_run_changes_nothing(root: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("email,country\nnew@example.org,MN\nnot an address,MN\nother@example.org,Atlantis\n")
    before = run(root, "subscribers", "count").stdout
    dry = json.loads(run(root, "subscribers", "import", str(people), "--dry-run", "--json").stdout)
    assert run(root, "subscribers", "count").stdout == before
    real = json.loads(run(root, "subscribers", "import", str(people), "--json").stdout)
    assert dry == real
    assert (real["added"], [refusal["row"] for refusal in real["refused"]]) == (2, [3])
    assert [value["value"] for part in real["parts"] for value in part["unused_values"]] == ["Atlantis"]
    assert int(run(root, "subscribers", "count").stdout) == int(before) + 2


def test_a_dry_run_does_not_wait_for_whoever_writes(root: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("email\nnew@example.org\n")
    with closing(sqlite3.connect(root / "mailer.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert run(root, "subscribers", "import", str(people), "--dry-run").exit_code == 0


def test_a_bad_query_points_at_the_place(root: Path) -> None:
    result = run(root, "subscribers", "count", "--segment", "country:MN sektor:education")
    assert result.exit_code == 1
    query, caret = (
        result.stderr.splitlines()[0:2]
        if "sektor" in result.stderr.splitlines()[0]
        else (result.stderr.splitlines()[1:3])
    )
    assert caret.index("^") == query.index("sektor")


def test_a_very_long_name_does_not_push_the_table_off_the_screen(root: Path) -> None:
    lines = run(root, "subscribers", "list").stdout.splitlines()
    assert len(lines) == 61
    assert max(len(line) for line in lines) <= 150
    assert any("…" in line for line in lines)


def test_an_export_says_how_many_it_leaves_out_and_how_to_list_them(root: Path, tmp_path: Path) -> None:
    run(root, "subscribers", "export", "-o", str(tmp_path / "all.csv"))
    first = (tmp_path / "all.csv").read_text(encoding="utf-8-sig").splitlines()[1].split(",")[0]
    assert run(root, "subscribers", "unsubscribe", first, "--reason", "Asked by phone").exit_code == 0
    result = run(root, "subscribers", "export", "-o", str(tmp_path / "rest.csv"))
    assert "Left out: 1 who left" in result.output
    (listed,) = re.findall(r"`mailer (subscribers list[^`]+)`", " ".join(result.output.split()))
    assert first in run(root, *shlex.split(listed)).output


def test_an_export_is_a_file_the_import_takes_back_unchanged(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    assert run(root, "subscribers", "export", "-o", str(target)).exit_code == 0
    report = json.loads(run(root, "subscribers", "import", str(target), "--json").stdout)
    assert (report["added"], report["updated"], report["refused"]) == (0, 0, [])
    assert report["unchanged"] == int(run(root, "subscribers", "count").stdout)


def test_erase_asks_for_confirmation_and_then_no_file_holds_the_address(root: Path) -> None:
    address = json.loads(run(root, "subscribers", "list", "--json").stdout)[0]["email"]
    assert "--confirm" in run(root, "subscribers", "erase", address).stderr
    assert run(root, "subscribers", "show", address).exit_code == 0
    assert run(root, "subscribers", "erase", address, "--confirm").exit_code == 0
    assert run(root, "subscribers", "show", address).exit_code == 1
    assert all(address.encode() not in path.read_bytes() for path in root.glob("mailer.db*"))


def test_suppress_keeps_an_address_out_of_every_import(root: Path, tmp_path: Path) -> None:
    assert run(root, "subscribers", "suppress", "never@example.org").exit_code == 0
    people = tmp_path / "people.csv"
    people.write_text("email\nNever@example.org\n")
    report = json.loads(run(root, "subscribers", "import", str(people), "--json").stdout)
    assert (report["added"], report["suppressed"]) == (0, 1)


def test_unsuppress_asks_for_a_reason_and_for_confirmation(root: Path, tmp_path: Path) -> None:
    assert run(root, "subscribers", "suppress", "never@example.org").exit_code == 0
    words = ("subscribers", "unsuppress", "never@example.org", "--by", "Bat")
    unsaid = run(root, *words)
    assert unsaid.exit_code == 2
    assert "--reason" in unsaid.stderr
    looked = run(root, *words, "--reason", "a letter")
    assert looked.exit_code == 0
    assert looked.stdout.startswith("never@example.org: suppressed since 20")
    assert looked.stdout.endswith(", by the team\n")
    assert "Add --confirm" in looked.stderr
    people = tmp_path / "people.csv"
    people.write_text("email\nnever@example.org\n")
    dry = ("subscribers", "import", str(people), "--dry-run", "--json")
    assert json.loads(run(root, *dry).stdout)["suppressed"] == 1
    done = run(root, *words[:3], "--reason", "a letter", "--confirm", LOGNAME="Bat")
    assert "from the suppression list. Recorded: Bat, a letter" in done.stderr
    assert json.loads(run(root, *dry).stdout)["added"] == 1


def test_unsuppress_leaves_its_subscriber_gone_and_refuses_what_is_not_suppressed(root: Path) -> None:
    address = json.loads(run(root, "subscribers", "list", "--json").stdout)[0]["email"]
    words = ("subscribers", "unsuppress", address, "--reason", "a letter", "--by", "Bat", "--confirm")
    refused = run(root, *words)
    assert refused.exit_code == 1
    assert f"{address} is not suppressed" in refused.stderr
    run(root, "subscribers", "suppress", address)
    assert "stays unsubscribed" in run(root, *words).stderr
    shown = json.loads(run(root, "subscribers", "show", address, "--json").stdout)
    assert shown["status"] == "unsubscribed"
    assert [record["event"] for record in shown["consent"]][-2:] == ["suppressed", "unsuppressed"]


def test_without_confirm_nothing_reaches_the_server_and_the_word_sent_is_not_used(root: Path) -> None:
    with MisbehavingServer() as server:
        result = run(root, "send", EDITION, "--segment", SEGMENT, MAILER_SMTP__URL=server.url)
        assert result.exit_code == 0
        assert server.connections == 0
    assert list((root / "outbox").glob("**/*.eml"))
    assert " sent" not in result.output.lower()
    assert "--confirm" in result.stderr


def test_the_written_preview_is_what_is_sent(root: Path) -> None:
    person = json.loads(run(root, "subscribers", "list", "--segment", SEGMENT, "--json").stdout)[0]["email"]
    preview = run(root, "send", EDITION, "--segment", SEGMENT, "--for", person, "--json")
    written = [Path(path) for path in json.loads(preview.stdout)["outbox"]]
    messages = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in written]
    ours = next(message for message in messages if message["To"].addresses[0].addr_spec == person)
    with MisbehavingServer() as server:
        run(root, "send", EDITION, "--segment", SEGMENT, "--confirm", MAILER_SMTP__URL=server.url)
    arrived = next(mail for mail in server.received if mail.recipient == person)
    theirs = message_from_bytes(arrived.content, policy=policy.default)
    # Those that name the campaign, which a preview has not got.
    differing = {"Date", "Message-ID", "X-Feedback-Token", "Feedback-ID", "List-Unsubscribe", "Content-Type"}
    assert [(name, value) for name, value in ours.items() if name not in differing] == [
        (name, value) for name, value in theirs.items() if name not in differing
    ]
    assert [part.get_content_type() for part in ours.walk()] == [
        part.get_content_type() for part in theirs.walk()
    ]


def test_what_is_refused_while_it_is_sent_is_reported_with_what_came_back(root: Path) -> None:
    person = json.loads(run(root, "subscribers", "list", "--segment", SEGMENT, "--json").stdout)[0]["email"]
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.7.1 Blocked by our block list", only=person)
        run(root, "send", EDITION, "--segment", SEGMENT, "--confirm", MAILER_SMTP__URL=server.url)
    report = json.loads(run(root, "campaigns", "report", "1", "--json").stdout)
    assert report["returned"]["groups"] == [{"kind": "bounce", "reason": "blocked", "readers": 1}]
    assert report["returned"]["alarms"][0]["words"] == "5.7.1 Blocked by our block list"


def test_confirm_sends_to_the_segment_and_prints_the_closing_equation(root: Path) -> None:
    number = int(run(root, "subscribers", "count", "--segment", SEGMENT).stdout)
    with MisbehavingServer() as server:
        result = run(root, "send", EDITION, "--segment", SEGMENT, "--confirm", MAILER_SMTP__URL=server.url)
    assert result.exit_code == 0
    assert len(server.received) == number
    assert f"{number} = {number} sent" in result.stdout
    shown = json.loads(run(root, "campaigns", "show", "1", "--json").stdout)
    assert {
        "id",
        "state",
        "audience",
        "sent",
        "rejected",
        "failed",
        "suppressed",
        "in_doubt",
        "deferred",
        "queued",
    } <= (shown.keys())
    assert (shown["state"], shown["sent"]) == ("finished", number)


def test_nobody_gets_the_same_edition_twice_unless_asked(root: Path) -> None:
    with MisbehavingServer() as server:
        environ = {"MAILER_SMTP__URL": server.url}
        run(root, "send", EDITION, "--segment", SEGMENT, "--confirm", **environ)
        first = len(server.received)
        second = run(root, "send", EDITION, "--segment", SEGMENT, "--confirm", **environ)
        assert second.exit_code == 1
        assert "--again" in second.stderr
        run(root, "send", EDITION, "--segment", "all", "--confirm", **environ)
        assert len(server.recipients) == len(set(server.recipients))
        run(root, "send", EDITION, "--segment", SEGMENT, "--confirm", "--again", **environ)
        assert len(server.recipients) == len(set(server.recipients)) + first


def test_a_campaign_that_stopped_exits_1_with_the_servers_words_and_goes_on_by_the_same_command(
    root: Path,
) -> None:
    with MisbehavingServer() as server:
        server.answer(Stage.mail, "550 5.7.1 Sender not allowed here", times=3)
        environ = {"MAILER_SMTP__URL": server.url, "MAILER_SMTP__CONNECTIONS": "1"}
        stopped = run(root, "send", EDITION, "--segment", SEGMENT, "--confirm", **environ)
        assert stopped.exit_code == 1
        assert "Sender not allowed here" in stopped.stderr
        assert json.loads(run(root, "campaigns", "show", "1", "--json").stdout)["state"] == "paused"
        again = run(root, "send", EDITION, "--segment", SEGMENT, "--confirm", **environ)
        assert again.exit_code == 0, again.output
        assert len(json.loads(run(root, "campaigns", "list", "--json").stdout)) == 1
    assert len(server.recipients) == len(set(server.recipients)) > 0


def test_deferred_readers_are_named_with_the_time_of_the_next_try(root: Path) -> None:
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "450 4.2.0 Come back later")
        result = run(
            root, "send", EDITION, "--segment", SEGMENT, "--confirm", "--json", MAILER_SMTP__URL=server.url
        )
    shown = json.loads(result.stdout)
    assert shown["deferred"] == shown["audience"] > 0
    assert "campaigns resume" in run(root, "campaigns", "show", "1").output


def test_pause_resume_and_cancel_say_what_they_did_and_refuse_what_makes_no_sense(root: Path) -> None:
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "450 4.2.0 Come back later")
        run(root, "send", EDITION, "--segment", SEGMENT, "--confirm", MAILER_SMTP__URL=server.url)
    assert run(root, "campaigns", "pause", "1").exit_code == 0
    assert run(root, "campaigns", "cancel", "1").exit_code == 0
    refused = run(root, "campaigns", "resume", "1")
    assert refused.exit_code == 1
    assert "cancelled" in refused.stderr
    assert run(root, "campaigns", "show", "7").exit_code == 1


def test_a_workbook_is_not_written_to_a_terminal(root: Path) -> None:
    result = run(root, "subscribers", "export", "--format", "xlsx")
    assert result.exit_code == 2
    assert "-o partners.xlsx" in result.stderr


@pytest.mark.parametrize("form", ["csv", "xlsx", "mailchimp", "listmonk"])
def test_every_format_is_taken_back_unchanged(root: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"partners.{'xlsx' if form == 'xlsx' else 'csv'}"
    assert run(root, "subscribers", "export", "--format", form, "-o", str(target)).exit_code == 0
    report = json.loads(run(root, "subscribers", "import", str(target), "--json").stdout)
    assert (report["added"], report["updated"], report["refused"]) == (0, 0, [])
    assert report["unchanged"] > 50


def test_a_sheet_is_chosen_by_name_and_what_was_left_out_is_named(root: Path, tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for sheet, address in (
        ("Members", "Ann <ann@sheet.example.org>; b@sheet.example.org"),
        ("Board", "c@x.org"),
    ):
        book.create_sheet(sheet).append(["email"])
        book[sheet].append([address])
    book.save(tmp_path / "people.xlsx")
    words = ("subscribers", "import", str(tmp_path / "people.xlsx"), "--dry-run")
    first = run(root, *words)
    assert 'note: 1 further sheet was not read: "Board".' in first.stdout
    assert (
        "people.xlsx:2: note: ann@sheet.example.org also has b@sheet.example.org, which was not"
        in first.stdout
    )
    named = json.loads(run(root, *words, "--sheet", "Board", "--json").stdout)
    assert (named["added"], named["notes"]) == (1, [])
    assert named["parts"][0]["form"] == 'Excel workbook, sheet "Board"'
    unknown = run(root, *words, "--sheet", "Bord")
    assert unknown.exit_code == 1
    assert 'Its sheets are: "Sheet", "Members", "Board".' in unknown.stderr


def test_an_import_is_shown_before_it_is_believed_and_can_be_taken_back(root: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_bytes("email;name\nchen@example.org;陈晓明\nli@example.org;北京师范大学\n".encode("gb18030"))
    shown = run(root, "subscribers", "import", str(people), "--dry-run").stderr
    assert "CSV, GB18030, semicolons. Column layout: partner-mailer." in shown
    assert "The encoding is a guess" in shown
    assert "陈晓明" in shown
    assert "Would be 2 added" in shown
    assert json.loads(run(root, "subscribers", "imports", "--json").stdout)[0]["source"] != "people.csv"
    unseen = run(root, "subscribers", "import", str(people))
    assert unseen.exit_code == 1
    assert "import it with --encoding gb18030" in unseen.stderr
    assert json.loads(run(root, "subscribers", "imports", "--json").stdout)[0]["source"] != "people.csv"
    done = run(root, "subscribers", "import", str(people), "--encoding", "gb18030").stderr
    (newest, *_) = json.loads(run(root, "subscribers", "imports", "--json").stdout)
    assert (newest["source"], newest["added"]) == ("people.csv", 2)
    assert f"rollback {newest['id']}" in done
    dry = json.loads(run(root, "subscribers", "rollback", str(newest["id"]), "--dry-run", "--json").stdout)
    real = json.loads(run(root, "subscribers", "rollback", str(newest["id"]), "--json").stdout)
    assert dry == real == {"import": newest["id"], "removed": 2, "restored": 0, "kept": 0}
    assert "rolled back" in run(root, "subscribers", "imports").stdout
    assert run(root, "subscribers", "show", "chen@example.org").exit_code == 1
    again = run(root, "subscribers", "rollback", str(newest["id"]))
    assert again.exit_code == 1
    assert "already been rolled back" in again.stderr


def test_doctor_names_a_relay_that_does_not_answer(root: Path) -> None:
    result = run(root, "doctor", "--json", MAILER_SMTP__URL="smtp://127.0.0.1:9")
    findings = {finding["subject"]: finding for finding in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert findings["relay"]["verdict"] == "bad"
    assert findings["database"]["verdict"] == "good"


def test_doctor_finds_keys_that_others_can_read(root: Path) -> None:
    (root / "keys.toml").chmod(0o644)
    findings = json.loads(run(root, "doctor", "--json", MAILER_SMTP__URL="smtp://127.0.0.1:9").stdout)
    assert {"subject": "keys", "verdict": "bad"}.items() <= findings[0].items()


def test_backup_copies_the_database_and_never_overwrites(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    assert run(root, "db", "backup", str(target)).exit_code == 0
    again = run(root, "db", "backup", str(target))
    assert again.exit_code == 1
    assert "overwritten" in again.stderr


def test_init_refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    result = CliRunner().invoke(mailer, ["init", str(tmp_path), *OWN])
    assert result.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_init_takes_an_empty_folder_and_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        assert CliRunner().invoke(mailer, ["init", str(tmp_path / name), *OWN]).exit_code == 0
        assert (tmp_path / name / "mailer.toml").is_file()
        assert (tmp_path / name / "keys.toml").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "new"]


def test_an_unknown_setting_is_named_in_the_file_and_in_the_environment(root: Path) -> None:
    toml = root / "mailer.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("[web]", "[web]\nport = 1"), encoding="utf-8")
    assert "web.port" in run(root, "subscribers", "count").stderr
    assert "MAILER_SMPT__URL" in run(root, "subscribers", "count", MAILER_SMPT__URL="x").stderr


def run_on_a_full_disk(*words: str, largest_file: int) -> "subprocess.CompletedProcess[str]":
    """Run the command while no file may grow beyond ``largest_file`` bytes, as on a disk that is full."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    command = [sys.executable, "-m", "mailer", *words]
    return subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False, timeout=60)


def test_a_full_disk_leaves_no_half_of_a_workspace_and_is_told_in_one_sentence(tmp_path: Path) -> None:
    failed = run_on_a_full_disk("init", str(tmp_path / "W"), "--sample", largest_file=60_000)
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: ")
    assert len(failed.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_during_an_import_loses_nothing_and_is_told_without_a_trace(
    root: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("email\n" + "".join(f"person{number}@example.org\n" for number in range(3_000)))
    before = run(root, "subscribers", "count").stdout
    words = ("-C", str(root), "subscribers", "import", str(people))
    failed = run_on_a_full_disk(*words, largest_file=(root / "mailer.db").stat().st_size)
    assert failed.returncode == 1
    assert "the disk is full" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert run(root, "subscribers", "count").stdout == before
    assert run(root, "subscribers", "import", str(people)).exit_code == 0
    assert int(run(root, "subscribers", "count").stdout) == int(before) + 3_000


def test_of_many_newsletters_the_preview_names_the_first_and_the_last(root: Path) -> None:
    result = run(root, "send", EDITION, "--segment", "all")
    written = [line for line in result.stdout.splitlines() if line.startswith("  wrote ")]
    assert [line.rpartition("/")[2] for line in written] == [
        *(f"{EDITION}.en.0{number}.eml" for number in (1, 2, 3)),
        f"{EDITION}.en.35.eml",
    ]
    assert "in 35 versions" in result.stdout
    assert written[-1].startswith("  wrote 32 more, to ")


def test_output_that_nobody_reads_any_more_ends_without_a_word(root: Path) -> None:
    command = f"{sys.executable} -m mailer -C {root} subscribers list --json | head -c 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert (result.stdout, result.stderr) == ("[", "")
