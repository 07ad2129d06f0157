"""The secrets of a workspace: rotated without breaking a link that is out, written whole or not at all."""

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.errors import ConfigurationError
from mailer.keys import list_keys, read_keys, retire_key, rotate_keys, write_keys
from mailer.rendering.mail_merge import message_id
from mailer.workspace import Workspace
from subscribers.errors import RetiredKeyError, TokenError
from subscribers.tokens import LinkPurpose, TokenPayload

NOW = datetime(2026, 11, 25, tzinfo=UTC)
CLAIM = TokenPayload(subscriber_id=7, campaign_id=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_keys(tmp_path / "keys.toml")
    return tmp_path / "keys.toml"


def sign(path: Path) -> str:
    return read_keys(path).tokens.sign(LinkPurpose.subscription, subscriber_id=7, campaign_id=3)


def test_after_many_rotations_every_link_that_is_out_still_works(path: Path) -> None:
    before = read_keys(path)
    tokens = [sign(path)]
    for number in range(2, 6):
        assert rotate_keys(path, now=NOW) == number
        tokens.append(sign(path))
    after = read_keys(path)
    assert after.tokens.current == 5
    assert [after.tokens.read(token, LinkPurpose.subscription) for token in tokens] == [CLAIM] * 5
    assert after.suppression == before.suppression
    identity = message_id(3, 7, "example.org", before.tokens)
    assert message_id(3, 7, "example.org", after.tokens) == identity


def test_the_file_stays_for_its_owner_alone_and_nothing_else_is_left(path: Path) -> None:
    rotate_keys(path, now=NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["keys.toml"]  # noqa: PTH208 - hidden names too
    assert path.read_text().startswith("# The secrets of this workspace.")


def test_the_list_says_which_one_signs_and_shows_no_secret(path: Path) -> None:
    rotate_keys(path, now=NOW)
    first, second = list_keys(path)
    assert (first.number, first.made, first.signs) == (1, "", False)
    assert (second.number, second.made, second.signs) == (2, "2026-11-25", True)


def test_a_program_that_has_run_since_before_reads_links_of_the_new_key(path: Path) -> None:
    running = read_keys(path)
    rotate_keys(path, now=NOW)
    token = sign(path)
    assert running.tokens.read(token, LinkPurpose.subscription) == CLAIM
    link = read_keys(path).tokens.sign_link(LinkPurpose.erase, link_id=9, expires_at=NOW)
    assert running.tokens.read_link(link, LinkPurpose.erase)[0] == 9
    path.write_text("damaged")
    with pytest.raises(TokenError):
        running.tokens.read(token, LinkPurpose.subscription)


def test_a_key_nobody_made_is_looked_for_only_where_the_file_has_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = read_keys(path)
    stranger = path.with_name("other.toml")
    write_keys(stranger)
    rotate_keys(stranger, now=NOW)
    monkeypatch.setattr("mailer.keys.read_keys", lambda _: pytest.fail("the file was read again"))
    with pytest.raises(TokenError):
        running.tokens.read(sign_with(stranger), LinkPurpose.subscription)


def sign_with(path: Path) -> str:
    import tomllib

    from subscribers.tokens import TokenSigner

    key = bytes.fromhex(tomllib.loads(path.read_text())["tokens"]["2"])
    return TokenSigner(keys={2: key}, current=2).sign(
        LinkPurpose.subscription, subscriber_id=7, campaign_id=3
    )


def test_a_full_disk_leaves_the_old_keys(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_text()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        rotate_keys(path, now=NOW)
    assert path.read_text() == before
    assert os.listdir(path.parent) == ["keys.toml"]  # noqa: PTH208


def test_a_retired_key_reads_nothing_even_in_a_program_that_has_run_since_before(path: Path) -> None:
    running = read_keys(path)
    before = running.tokens
    token = sign(path)
    link = before.sign_link(LinkPurpose.erase, link_id=9, expires_at=NOW)
    with pytest.raises(ConfigurationError, match="signs new links and cannot be retired"):
        retire_key(path, 1, now=NOW)
    rotate_keys(path, now=NOW)
    assert retire_key(path, 1, now=NOW)
    assert not retire_key(path, 1, now=NOW + timedelta(days=1))
    for keys in (running, read_keys(path)):
        with pytest.raises(RetiredKeyError):
            keys.tokens.read(token, LinkPurpose.subscription)
        with pytest.raises(TokenError):
            keys.tokens.read_link(link, LinkPurpose.erase)
    first = list_keys(path)[0]
    assert (first.last_day, first.retired, first.signs) == ("2026-11-25", "2026-11-25", False)
    # Message-IDs come from the oldest key, retired or not.
    assert message_id(3, 7, "example.org", before) == message_id(3, 7, "example.org", read_keys(path).tokens)
    with pytest.raises(ConfigurationError, match=r"There is no key 3. The keys are: 1, 2."):
        retire_key(path, 3, now=NOW)


def test_a_changed_token_of_a_retired_key_is_merely_wrong(path: Path) -> None:
    token = sign(path)
    rotate_keys(path, now=NOW)
    retire_key(path, 1, now=NOW)
    with pytest.raises(TokenError) as caught:
        read_keys(path).tokens.read(token[:-1] + ("A" if token[-1] != "A" else "Q"), LinkPurpose.subscription)
    assert type(caught.value) is TokenError


def test_after_a_rotation_a_running_program_mails_links_that_everybody_reads(path: Path) -> None:
    running = read_keys(path).tokens
    rotate_keys(path, now=NOW)
    link = running.sign_link(LinkPurpose.erase, link_id=9, expires_at=NOW)
    assert read_keys(path).tokens.read_link(link, LinkPurpose.erase)[0] == 9
    assert running.read_link(link, LinkPurpose.erase)[0] == 9
    assert running.newest().current == 2


def test_rotations_at_once_lose_no_key(path: Path) -> None:
    code = (
        "import sys, datetime, pathlib; from mailer.keys import rotate_keys\n"
        "for _ in range(5): rotate_keys(pathlib.Path(sys.argv[1]), now=datetime.datetime.now(datetime.UTC))"
    )
    command = [sys.executable, "-c", code, str(path)]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert [key.number for key in list_keys(path)] == list(range(1, 22))


@pytest.mark.spare
def test_the_255th_key_is_followed_by_the_lowest_free_number(path: Path) -> None:
    for _ in range(254):
        rotate_keys(path, now=NOW)
    assert read_keys(path).tokens.current == 255
    with pytest.raises(ConfigurationError, match="all 255 key numbers are taken"):
        rotate_keys(path, now=NOW)
    lines = [line for line in path.read_text().splitlines(keepends=True) if not line.startswith("7 = ")]
    path.write_text("".join(lines))
    assert rotate_keys(path, now=NOW) == 7


def test_what_a_person_added_is_not_lost_in_silence(path: Path) -> None:
    path.write_text(path.read_text() + "\n[other]\nkey = [1, 2]\n")
    before = path.read_text()
    with pytest.raises(ConfigurationError, match="key was not written by this program"):
        rotate_keys(path, now=NOW)
    assert path.read_text() == before


@pytest.mark.parametrize("content", ["", "x = ", 'suppression = "00"\n[tokens]\ncurrent = 1', "tokens = 3"])
def test_damaged_keys_are_named_and_not_replaced(path: Path, content: str) -> None:
    path.write_text(content)
    for act in (read_keys, list_keys, lambda damaged: rotate_keys(damaged, now=NOW)):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            act(path)
    path.unlink()
    with pytest.raises(ConfigurationError, match="Restore the file from a backup"):
        rotate_keys(path, now=NOW)


def run(workspace: Workspace, *words: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), "keys", *words])


def test_the_commands(workspace: Workspace) -> None:
    assert json.loads(run(workspace, "rotate", "--json").stdout) == {"number": 2}
    assert "copy it to every machine" in run(workspace, "rotate").stderr
    shown = run(workspace, "list").stdout
    assert shown.splitlines()[3].endswith("signs and reads")
    assert [key["signs"] for key in json.loads(run(workspace, "list", "--json").stdout)] == [
        False,
        False,
        True,
    ]
    secrets = [
        line.split('"')[1]
        for line in (workspace.root / "keys.toml").read_text().splitlines()
        if '= "' in line
    ]
    assert not any(secret in shown for secret in secrets if len(secret) == 64)


def test_retiring_shows_first_what_it_ends_and_asks_for_a_word(workspace: Workspace) -> None:
    run(workspace, "rotate")
    shown = run(workspace, "retire", "1")
    assert shown.stdout == "Key 1 signed links in no campaign.\n"
    assert "keys retire 1 --confirm" in shown.stderr
    assert "retired" not in run(workspace, "list").stdout
    assert json.loads(run(workspace, "retire", "1", "--confirm", "--json").stdout) == {
        "number": 1,
        "retired": True,
        "campaigns": 0,
        "readers": 0,
        "last_launch": None,
    }
    assert "nothing: retired on" in run(workspace, "list").stdout
    refused = run(workspace, "retire", "2", "--confirm")
    assert refused.exit_code == 1
    assert "mailer keys rotate" in refused.stderr
