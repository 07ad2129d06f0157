"""Logging in: the mechanism chosen, each answer on the wire, and what is said when it cannot work."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dispatch.relay_settings import read_credentials
from mailer.errors import ConfigurationError
from mailer.smtp.auth import (
    AuthExchange,
    AuthMechanism,
    AuthSetting,
    Credentials,
    choose_mechanism,
    start_exchange,
)
from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.reply_classifier import Stage, Verdict


def plainly(answer: str) -> str:
    return base64.b64decode(answer, validate=True).decode()


def exchange(mechanism: AuthMechanism, *, user: str = "news", password: str = "secret") -> AuthExchange:
    return start_exchange(mechanism, Credentials(user=user, password=password))


def token_exchange(folder: Path, token: str) -> AuthExchange:
    (folder / "token").write_text(f"{token}\n")
    return start_exchange(AuthMechanism.xoauth2, Credentials(user="news@x.org", token_file=folder / "token"))


# --- which mechanism


@pytest.mark.parametrize(
    ("offered", "has_token", "chosen"),
    [
        ({"PLAIN", "LOGIN", "XOAUTH2"}, True, AuthMechanism.xoauth2),
        ({"PLAIN", "LOGIN", "XOAUTH2"}, False, AuthMechanism.plain),
        ({"PLAIN", "LOGIN"}, True, AuthMechanism.plain),
        ({"LOGIN", "CRAM-MD5"}, False, AuthMechanism.login),
        ({"login", "plain"}, False, AuthMechanism.plain),
    ],
)
def test_auto_takes_the_token_then_plain_then_login(
    offered: set[str], has_token: bool, chosen: AuthMechanism
) -> None:
    assert choose_mechanism(offered, "auto", has_token=has_token) is chosen


@pytest.mark.parametrize("mechanism", AuthMechanism)
def test_a_wish_is_followed(mechanism: AuthMechanism) -> None:
    wish: AuthSetting = mechanism.name  # type: ignore[assignment]
    assert choose_mechanism(["XOAUTH2", "PLAIN", "LOGIN"], wish, has_token=True) is mechanism


@pytest.mark.parametrize(
    ("offered", "wish", "has_token", "has_password", "words"),
    [
        ((), "auto", False, True, "remove the user from"),
        (("CRAM-MD5",), "auto", False, True, "offers CRAM-MD5; only PLAIN and LOGIN can be used"),
        (("XOAUTH2",), "auto", False, True, r"set token_file"),
        (("PLAIN",), "auto", True, False, r"set password_file"),
        (("PLAIN", "LOGIN"), "xoauth2", True, True, "It offers: LOGIN, PLAIN"),
        (("XOAUTH2",), "xoauth2", False, True, r"Set token_file"),
        (("PLAIN",), "plain", True, False, r"Set password_file"),
    ],
)
def test_no_way_to_log_in_stops_and_says_what_to_set(
    offered: tuple[str, ...], wish: AuthSetting, has_token: bool, has_password: bool, words: str
) -> None:
    with pytest.raises(ConnectionFailedError, match=words) as caught:
        choose_mechanism(offered, wish, has_token=has_token, has_password=has_password)
    assert (caught.value.outcome.verdict, caught.value.outcome.stage) == (Verdict.stop, Stage.login)


# --- the answers


def test_plain_says_all_at_once() -> None:
    assert plainly(exchange(AuthMechanism.plain).initial_response()) == "\0news\0secret"


def test_a_long_password_waits_for_the_server() -> None:
    # RFC 4954 §4: an AUTH line is still a command line of at most 512 octets.
    login = exchange(AuthMechanism.plain, password="x" * 400)
    assert login.initial_response() == ""
    assert plainly(login.respond("")) == "\0news\0" + "x" * 400


@given(length=st.integers(min_value=0, max_value=600))
def test_no_command_line_is_ever_too_long(length: int) -> None:
    login = exchange(AuthMechanism.plain, password="x" * length)
    first = login.initial_response()
    assert len(f"AUTH PLAIN {first}\r\n") <= 512
    assert plainly(first or login.respond("")) == "\0news\0" + "x" * length


@pytest.mark.parametrize(
    "challenges", [("VXNlcm5hbWU6", "UGFzc3dvcmQ6"), ("", ""), ("Q29kZW5hbWU=", "not base64")]
)
def test_login_answers_in_order_whatever_the_server_calls_it(challenges: tuple[str, str]) -> None:
    login = exchange(AuthMechanism.login)
    assert login.initial_response() == ""
    assert [plainly(login.respond(challenge)) for challenge in challenges] == ["news", "secret"]


def test_user_and_password_may_be_in_any_script() -> None:
    assert (
        plainly(exchange(AuthMechanism.plain, user="дорж", password="新闻 ü").initial_response())
        == "\0дорж\0新闻 ü"
    )
    login = exchange(AuthMechanism.login, user="дорж", password="新闻")
    assert [plainly(login.respond("")) for _ in range(2)] == ["дорж", "新闻"]


@pytest.mark.parametrize("mechanism", [AuthMechanism.plain, AuthMechanism.login])
def test_a_server_that_asks_without_end_is_left(mechanism: AuthMechanism) -> None:
    login = exchange(mechanism)
    login.initial_response()
    answers = [login.respond("bW9yZQ==") for _ in range(4)]
    assert answers[-1] == "*"
    assert answers.count("*") >= 2


def test_a_token_is_a_bearer_of_its_user(tmp_path: Path) -> None:
    login = token_exchange(tmp_path, "ya29.short")
    assert plainly(login.initial_response()) == "user=news@x.org\x01auth=Bearer ya29.short\x01\x01"


def test_a_long_token_waits_for_the_server(tmp_path: Path) -> None:
    login = token_exchange(tmp_path, "t" * 2_000)
    assert login.initial_response() == ""
    assert plainly(login.respond("")).endswith("t" * 2_000 + "\x01\x01")


def test_an_error_in_place_of_a_challenge_is_answered_by_an_empty_line_and_kept(tmp_path: Path) -> None:
    login = token_exchange(tmp_path, "expired")
    login.initial_response()
    error = base64.b64encode(json.dumps({"status": "400", "schemes": "Bearer"}).encode()).decode()
    assert login.respond(error) == ""
    assert login.error_detail == "status 400, schemes Bearer"
    assert login.respond(error) == "*"


@pytest.mark.parametrize("challenge", ["", "%%%", "bm90IGpzb24=", "WzFd"])
def test_an_error_that_cannot_be_read_is_answered_too(tmp_path: Path, challenge: str) -> None:
    login = token_exchange(tmp_path, "expired")
    login.initial_response()
    assert (login.respond(challenge), login.error_detail) == ("", "the server did not accept the token")


def test_a_file_that_is_no_token_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match="12,288") as caught:
        token_exchange(tmp_path, "x" * 12_288)
    assert caught.value.outcome.verdict is Verdict.stop


# --- where the secrets come from


def test_no_user_is_no_login(tmp_path: Path) -> None:
    assert read_credentials("smtp://mx.example.org", Path("password"), None, tmp_path) is None


def test_the_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("  geheim  \nanything else\n")
    credentials = read_credentials("smtp://news%40x.org@mx", Path("password"), None, tmp_path)
    assert credentials == Credentials(user="news@x.org", password="geheim")


def test_the_password_in_the_address_comes_first(tmp_path: Path) -> None:
    credentials = read_credentials("smtp://news:p%40ss@mx", Path("not-there"), None, tmp_path)
    assert credentials is not None
    assert credentials.password == "p@ss"


def test_the_token_is_read_at_every_login(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    credentials = read_credentials("smtp://news@mx", None, Path("token"), tmp_path)
    assert credentials is not None
    (tmp_path / "token").write_text("second")
    assert "Bearer second" in plainly(start_exchange(AuthMechanism.xoauth2, credentials).initial_response())
    (tmp_path / "token").unlink()
    with pytest.raises(ConnectionFailedError, match="token cannot be read") as caught:
        start_exchange(AuthMechanism.xoauth2, credentials)
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
def test_a_user_without_a_secret_is_refused_before_anything_is_sent(
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
def test_a_control_character_cannot_be_part_of_a_login(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="control character"):
        read_credentials(url, None, None, tmp_path)


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    credentials = Credentials(user="news", password="geheim")
    assert "geheim" not in f"{credentials!r} {credentials}"
    login = start_exchange(AuthMechanism.plain, credentials)
    assert base64.b64encode(b"geheim").decode()[:6] not in repr(login)
