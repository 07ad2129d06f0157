"""What may be a password, and how it is kept."""

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from mailer.team import passwords
from mailer.team.passwords import (
    PasswordChecker,
    PasswordFault,
    find_password_fault,
    is_outdated,
)

OWN = ("Ann-Marie Author", "am.author@example.org", "UNESCO Beijing", "UNESCO Office in Beijing")


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("", PasswordFault.too_short),
        ("eleven char", PasswordFault.too_short),
        ("x" * 257, PasswordFault.too_long),
        ("Password1234", PasswordFault.common),
        ("passwordpassword!", PasswordFault.common),
        ("aaaaaaaaaaaaaaa", PasswordFault.common),
        ("123123123123123", PasswordFault.common),
        ("qwertyuiopqwerty", PasswordFault.common),
        ("0987654321098765", PasswordFault.common),
        ("CorrectHorseBatteryStaple", PasswordFault.common),
        ("annmarieauthor1", PasswordFault.own_name),
        ("Author-Author-2026", PasswordFault.own_name),
        ("unesco.beijing", PasswordFault.own_name),
        ("twelve chars", None),
        ("北京办公室的通讯每月一期第三期", None),
        ("author of seven seas", None),
        ("gr8 tea, no milk", None),
        ("7261938465028374", None),
    ],
)
def test_length_and_not_being_the_first_guess_is_all_that_counts(
    password: str, fault: PasswordFault | None
) -> None:
    assert find_password_fault(password, OWN) is fault


@given(st.text(min_size=0, max_size=300))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    fault = find_password_fault(text, OWN)
    if len(passwords.normalise_password(text)) < 12:
        assert fault is PasswordFault.too_short


def test_the_same_keys_are_the_same_password_however_they_are_composed() -> None:
    checker = PasswordChecker()
    stored = checker.hash("cafe\u0301 au lait, s'il te plait")
    assert checker.check("caf\u00e9 au lait, s'il te plait", stored)
    assert not checker.check("cafe au lait, s'il te plait", stored)


def test_without_a_password_it_takes_the_same_work_and_is_wrong() -> None:
    """The hash that is checked in its place costs what a real one costs."""
    assert not is_outdated(passwords._NOBODYS_HASH)
    assert PasswordHasher().verify(passwords._NOBODYS_HASH, "nobody's password")
    assert not PasswordChecker().check("nobody's password", None)


def test_a_broken_hash_is_a_wrong_password() -> None:
    assert not PasswordChecker().check("twelve chars", "$argon2id$broken")
