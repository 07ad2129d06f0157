"""Where grants are kept: encrypted, for their owner alone, and readable after the keys were rotated."""

import contextlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.keys import KEYS_FILE, retire_key, rotate_keys, write_keys
from mailer.oauth.grant_store import Grant, GrantStore
from mailer.oauth.provider import OAuthSignInRequiredError, ProviderUnavailableError
from tests.factories.oauth import make_keys

NOW = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)


def make_grant(**changes: object) -> Grant:
    values: dict[str, object] = {
        "client_id": "app",
        "token_url": "https://id.example.org/token",
        "account": "news@example.org",
        "scopes": ("mail",),
        "access_token": "access-" + "a" * 40,
        "received_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "refresh_token": "refresh-" + "r" * 40,
        "signed_in_at": NOW,
    }
    return Grant(**values | changes)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> GrantStore:
    return GrantStore(root=make_keys(tmp_path))


def test_what_was_written_is_read_again(store: GrantStore) -> None:
    assert store.read("main") is None
    store.write("main", make_grant())
    assert store.read("main") == make_grant()


@settings(max_examples=50)
@given(text=st.text(max_size=50), lifetime=st.integers(min_value=0, max_value=10**8))
def test_every_grant_survives_the_file(text: str, lifetime: int) -> None:
    grant = make_grant(account=text, refused=text, expires_at=NOW + timedelta(seconds=lifetime))
    assert Grant.from_json(grant.to_json()) == grant


def test_no_token_stands_in_the_file_and_nobody_else_can_read_it(store: GrantStore) -> None:
    store.write("main", make_grant())
    path = store.find_path("main")
    assert b"aaaa" not in path.read_bytes()
    assert b"example" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_grant_stays_readable_when_the_keys_are_rotated_and_the_old_one_retired(store: GrantStore) -> None:
    keys = store.root / KEYS_FILE
    store.write("main", make_grant())
    before = store.find_path("main").read_bytes()
    rotate_keys(keys, now=NOW)
    retire_key(keys, 1, now=NOW)
    assert store.read("main") == make_grant()
    store.write("main", make_grant())
    assert before.startswith(b"partner-mailer grant 1 key 1\n")
    assert store.find_path("main").read_bytes().startswith(b"partner-mailer grant 1 key 2\n")
    assert store.read("main") == make_grant()


def test_with_other_keys_a_person_must_sign_in_again(store: GrantStore) -> None:
    store.write("main", make_grant())
    (store.root / KEYS_FILE).unlink()
    write_keys(store.root / KEYS_FILE)
    with pytest.raises(OAuthSignInRequiredError, match="Run `mailer login main`"):
        store.read("main")


def test_one_grant_cannot_stand_in_for_another(store: GrantStore) -> None:
    store.write("main", make_grant())
    store.find_path("main").rename(store.find_path("other"))
    with pytest.raises(OAuthSignInRequiredError):
        store.read("other")


@settings(max_examples=50)
@given(position=st.integers(min_value=0, max_value=500), change=st.integers(min_value=1, max_value=255))
def test_a_damaged_file_is_never_taken_for_a_grant(
    tmp_path_factory: pytest.TempPathFactory, position: int, change: int
) -> None:
    store = GrantStore(root=make_keys(tmp_path_factory.mktemp("w")))
    store.write("main", make_grant())
    path = store.find_path("main")
    damaged = bytearray(path.read_bytes())
    damaged[position % (len(damaged) - 1)] ^= change
    path.write_bytes(bytes(damaged))
    with contextlib.suppress(OAuthSignInRequiredError):
        # A change that base64 does not notice.
        assert store.read("main") == make_grant()


@pytest.mark.parametrize("content", [b"", b"\n", b"partner-mailer grant 1 key 1\n", b"\xff" * 100])
def test_an_empty_or_foreign_file_asks_to_sign_in(store: GrantStore, content: bytes) -> None:
    store.write("main", make_grant())
    store.find_path("main").write_bytes(content)
    with pytest.raises(OAuthSignInRequiredError):
        store.read("main")


def test_a_forgotten_grant_is_gone(store: GrantStore) -> None:
    store.write("main", make_grant())
    assert store.remove("main")
    assert not store.remove("main")
    assert store.read("main") is None


def test_a_second_process_waits_and_gives_up_with_a_reason(store: GrantStore) -> None:
    with (
        store.locked("main"),
        pytest.raises(ProviderUnavailableError, match="Another process"),
        store.locked("main", seconds=0.05),
    ):
        pass
    with store.locked("main", seconds=0.05):
        pass


def test_the_lock_of_a_dead_process_is_free(store: GrantStore) -> None:
    store.folder.mkdir()
    hold = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(store.folder / "main.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ProviderUnavailableError), store.locked("main", seconds=0):
            pass
        process.kill()
        process.wait(10)
    with store.locked("main", seconds=5):
        pass
