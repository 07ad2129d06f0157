"""Logging in: the mechanism chosen, the responses, and the errors when it cannot work."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.auth import (
    AuthExchange,
    AuthMechanism,
    AuthSetting,
    Credentials,
    TokenFile,
    choose_mechanism,
    start_exchange,
)
from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.reply_classifier import Stage, Verdict


def decode(answer: str) -> str:
    return base64.b64decode(answer, validate=True).decode()


def exchange(mechanism: AuthMechanism, *, user: str = "news", password: str = "secret") -> AuthExchange:
    return start_exchange(mechanism, Credentials(user=user, password=password))


def token_exchange(folder: Path, token: str) -> AuthExchange:
    (folder / "token").write_text(f"{token}\n")
    tokens = TokenFile(path=folder / "token")
    credentials = Credentials(user="news@x.org", tokens=tokens)
    return start_exchange(AuthMechanism.xoauth2, credentials, asyncio.run(tokens.read()))


# --- which mechanism


@pytest.mark.parametrize(
    ("offered", "has_token", "chosen"),
    [
        ({"PLAIN", "LOGIN", "XOAUTH2"}, True, AuthMechanism.xoauth2),
        ({"PLAIN", "LOGIN", "XOAUTH2"}, False, AuthMechanism.plain),
        ({"PLAIN", "LOGIN", "OAUTHBEARER"}, True, AuthMechanism.oauthbearer),
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
def test_the_mechanism_in_the_settings_is_used(mechanism: AuthMechanism) -> None:
    setting: AuthSetting = mechanism.name  # type: ignore[assignment]
    assert (
        choose_mechanism(["XOAUTH2", "OAUTHBEARER", "PLAIN", "LOGIN"], setting, has_token=True) is mechanism
    )


@pytest.mark.parametrize(
    ("offered", "setting", "has_token", "has_password", "words"),
    [
        ((), "auto", False, True, "remove the user from"),
        (("CRAM-MD5",), "auto", False, True, "offers CRAM-MD5; only PLAIN and LOGIN can be used"),
        (("XOAUTH2",), "auto", False, True, r"set oauth or token_file"),
        (("PLAIN",), "auto", True, False, r"set password_file"),
        (("PLAIN", "LOGIN"), "xoauth2", True, True, "It offers: LOGIN, PLAIN"),
        (("XOAUTH2",), "xoauth2", False, True, r"Set oauth, or token_file"),
        (("PLAIN",), "plain", True, False, r"Set password_file"),
    ],
)
def test_with_no_usable_mechanism_the_error_says_what_to_set(
    offered: tuple[str, ...], setting: AuthSetting, has_token: bool, has_password: bool, words: str
) -> None:
    with pytest.raises(ConnectionFailedError, match=words) as caught:
        choose_mechanism(offered, setting, has_token=has_token, has_password=has_password)
    assert (caught.value.outcome.verdict, caught.value.outcome.stage) == (Verdict.stop, Stage.login)


# --- the answers


def test_plain_sends_everything_at_once() -> None:
    assert decode(exchange(AuthMechanism.plain).initial_response()) == "\0news\0secret"


def test_a_long_password_is_sent_after_the_challenge() -> None:
    # RFC 4954 §4: an AUTH line is still a command line of at most 512 octets.
    login = exchange(AuthMechanism.plain, password="x" * 400)
    assert login.initial_response() == ""
    assert decode(login.respond("")) == "\0news\0" + "x" * 400


@given(length=st.integers(min_value=0, max_value=600))
def test_no_command_line_exceeds_512_octets(length: int) -> None:
    login = exchange(AuthMechanism.plain, password="x" * length)
    first = login.initial_response()
    assert len(f"AUTH PLAIN {first}\r\n") <= 512
    assert decode(first or login.respond("")) == "\0news\0" + "x" * length


@pytest.mark.parametrize(
    "challenges", [("VXNlcm5hbWU6", "UGFzc3dvcmQ6"), ("", ""), ("Q29kZW5hbWU=", "not base64")]
)
def test_login_answers_in_order_whatever_the_prompts(challenges: tuple[str, str]) -> None:
    login = exchange(AuthMechanism.login)
    assert login.initial_response() == ""
    assert [decode(login.respond(challenge)) for challenge in challenges] == ["news", "secret"]


def test_user_and_password_may_be_in_any_script() -> None:
    assert (
        decode(exchange(AuthMechanism.plain, user="дорж", password="新闻 ü").initial_response())
        == "\0дорж\0新闻 ü"
    )
    login = exchange(AuthMechanism.login, user="дорж", password="新闻")
    assert [decode(login.respond("")) for _ in range(2)] == ["дорж", "新闻"]


@pytest.mark.parametrize("mechanism", [AuthMechanism.plain, AuthMechanism.login])
def test_a_server_that_keeps_sending_challenges_is_cancelled(mechanism: AuthMechanism) -> None:
    login = exchange(mechanism)
    login.initial_response()
    answers = [login.respond("bW9yZQ==") for _ in range(4)]
    assert answers[-1] == "*"
    assert answers.count("*") >= 2


def test_a_token_is_sent_as_the_users_bearer_token(tmp_path: Path) -> None:
    login = token_exchange(tmp_path, "ya29.short")
    assert decode(login.initial_response()) == "user=news@x.org\x01auth=Bearer ya29.short\x01\x01"


def test_a_long_token_is_sent_after_the_challenge(tmp_path: Path) -> None:
    login = token_exchange(tmp_path, "t" * 2_000)
    assert login.initial_response() == ""
    assert decode(login.respond("")).endswith("t" * 2_000 + "\x01\x01")


def test_an_error_challenge_is_kept_and_answered_with_an_empty_response(tmp_path: Path) -> None:
    login = token_exchange(tmp_path, "expired")
    login.initial_response()
    error = base64.b64encode(json.dumps({"status": "400", "schemes": "Bearer"}).encode()).decode()
    assert login.respond(error) == ""
    assert login.error_detail == "status 400, schemes Bearer"
    assert login.respond(error) == "*"


@pytest.mark.parametrize("challenge", ["", "%%%", "bm90IGpzb24=", "WzFd"])
def test_an_unreadable_error_challenge_is_answered_too(tmp_path: Path, challenge: str) -> None:
    login = token_exchange(tmp_path, "expired")
    login.initial_response()
    assert (login.respond(challenge), login.error_detail) == ("", "the server did not accept the token")


def test_oauthbearer_is_written_as_the_standard_says() -> None:
    login = start_exchange(AuthMechanism.oauthbearer, Credentials(user="a=b,c@x.org"), "token-of-mine")
    assert decode(login.initial_response()) == "n,a=a=3Db=2Cc@x.org,\x01auth=Bearer token-of-mine\x01\x01"
    # RFC 7628 §3.2.3: a refusal is answered with a single byte 1.
    assert decode(login.respond("e30=")) == "\x01"
    assert login.respond("e30=") == "*"


def test_a_file_too_large_for_a_token_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match="12,288") as caught:
        token_exchange(tmp_path, "x" * 12_288)
    assert caught.value.outcome.verdict is Verdict.stop


def test_the_repr_of_credentials_contains_no_password() -> None:
    credentials = Credentials(user="news", password="geheim")
    assert "geheim" not in f"{credentials!r} {credentials}"
    login = start_exchange(AuthMechanism.plain, credentials)
    assert base64.b64encode(b"geheim").decode()[:6] not in repr(login)
