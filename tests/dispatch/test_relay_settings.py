"""Relays as ``[smtp]`` sets them: their list, transports and credentials."""

import asyncio
import os
from pathlib import Path

import pytest

from mailer.dispatch.sending_settings import (
    list_relays,
    make_transport,
    merge_relay_settings,
    read_credentials,
)
from mailer.errors import ConfigurationError
from mailer.settings import RelaySettings, SmtpSettings
from mailer.smtp.auth import Credentials
from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.reply_classifier import Verdict
from mailer.smtp.transport import SmtpTransport
from tests.smtp.fake_source import FakeSource, deliver, make_message, run, run_connection


def make_settings(url: str, **values: object) -> SmtpSettings:
    return SmtpSettings.model_validate({"url": url, "timeout": 5, "final_timeout": 5, **values})


# --- relays


@pytest.mark.parametrize(
    ("own", "inherits"),
    [
        ({"url": "smtp://u@b"}, True),
        ({"url": "smtp://u:p@b"}, False),
        ({"url": "smtp://u@b", "password_file": "mine"}, False),
        ({"url": "smtp://u@b", "token_file": "mine"}, False),
    ],
)
def test_a_relay_with_its_own_password_or_token_inherits_neither(own: dict[str, str], inherits: bool) -> None:
    smtp = SmtpSettings(password_file=Path("shared"), token_file=Path("shared-token"))
    merged = merge_relay_settings(smtp, RelaySettings.model_validate({"name": "b", **own}))
    assert (merged.token_file == Path("shared-token")) is inherits
    assert (merged.password_file == Path("shared")) is inherits


def test_relays_are_listed_in_the_order_of_the_file() -> None:
    smtp = {"relays": [{"name": name, "url": f"smtp://{name}"} for name in ("z", "a", "m")]}
    assert [relay.name for relay in list_relays(SmtpSettings.model_validate(smtp))] == ["z", "a", "m"]


# --- transports


def test_the_scheme_of_the_url_chooses_the_transport(tmp_path: Path) -> None:
    for url in ("smtp://mx.example.org", "smtps://mx.example.org"):
        assert isinstance(make_transport(make_settings(url), tmp_path), SmtpTransport)
    run(
        run_connection(
            make_transport(make_settings("maildir:received"), tmp_path), FakeSource([make_message()])
        )
    )
    assert len(list((tmp_path / "received" / "new").iterdir())) == 1


@pytest.mark.parametrize("url", ["http://x", "smtp:", "maildir:", "nonsense", ""])
def test_any_other_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="not a relay address"):
        make_transport(make_settings(url), tmp_path)


def test_a_user_without_a_password_is_refused_before_connecting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no password"):
        make_transport(make_settings("smtp://news@mx.example.org"), tmp_path)


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="secret cannot be read"):
        make_transport(make_settings("smtp://news@mx.example.org", password_file="secret"), tmp_path)


def test_a_maildir_that_cannot_be_written_is_reported_when_connecting(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(ConnectionFailedError, match="Permission denied"):
        deliver(make_transport(make_settings("maildir:received"), tmp_path), [make_message()])


# --- credentials


def test_without_a_user_there_are_no_credentials(tmp_path: Path) -> None:
    assert read_credentials("smtp://mx.example.org", Path("password"), None, tmp_path) is None


def test_the_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("  geheim  \nanything else\n")
    credentials = read_credentials("smtp://news%40x.org@mx", Path("password"), None, tmp_path)
    assert credentials == Credentials(user="news@x.org", password="geheim")


def test_a_password_in_the_url_takes_precedence(tmp_path: Path) -> None:
    credentials = read_credentials("smtp://news:p%40ss@mx", Path("not-there"), None, tmp_path)
    assert credentials is not None
    assert credentials.password == "p@ss"


def test_the_token_is_read_at_every_login(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    credentials = read_credentials("smtp://news@mx", None, Path("token"), tmp_path)
    assert credentials is not None
    assert credentials.tokens is not None
    (tmp_path / "token").write_text("second")
    assert asyncio.run(credentials.tokens.read()) == "second"
    (tmp_path / "token").unlink()
    with pytest.raises(ConnectionFailedError, match="token cannot be read") as caught:
        asyncio.run(credentials.tokens.read())
    assert caught.value.outcome.verdict is Verdict.stop


@pytest.mark.parametrize(
    ("password_file", "token_file", "words"),
    [
        (None, None, "no password"),
        ("secret", None, "secret cannot be read"),
        ("empty", None, "empty cannot be read or is empty"),
        ("blank", None, "first line must be the password"),
        (None, "secret", "token_file: .*secret cannot be read"),
    ],
)
def test_a_user_without_a_password_or_token_is_refused(
    tmp_path: Path, password_file: str | None, token_file: str | None, words: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "blank").write_text(" \nsecret\n")
    with pytest.raises(ConfigurationError, match=words):
        read_credentials(
            "smtp://news@mx",
            Path(password_file) if password_file else None,
            Path(token_file) if token_file else None,
            tmp_path,
        )


@pytest.mark.parametrize("url", ["smtp://a%00b:secret@mx", "smtp://ab:sec%0D%0Aret@mx"])
def test_a_control_character_in_a_login_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="control character"):
        read_credentials(url, None, None, tmp_path)
