"""What the doctor says of sign-ins: missing, ended, ending soon, and those that are well."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailer.oauth.grant_store import GrantStore
from mailer.oauth.health import SignInFinding, SignInState, check_sign_ins
from mailer.settings import Settings
from tests.factories.oauth import make_keys, make_sign_in, sign_in_person, write_secret
from tests.oauth.test_sign_in import SENDER
from tests.servers.oauth_provider import ACCOUNT, Dialect, OAuthProvider

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
S = SignInState


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_keys(tmp_path)


@pytest.fixture
def google() -> Iterator[OAuthProvider]:
    with OAuthProvider(dialect=Dialect.google, rotates=False) as running:
        yield running


def check(
    provider: OAuthProvider, root: Path, *, later: timedelta = timedelta(0), **changes: Any
) -> list[SignInFinding]:
    smtp = {"url": "smtp://news%40example.org@x.org", "oauth": provider.settings | changes}
    settings = Settings.model_validate({"sender": SENDER, "smtp": smtp})
    return list(check_sign_ins(settings, root, now=NOW + later))


def states(findings: list[SignInFinding]) -> list[SignInState]:
    return [finding.state for finding in findings]


def test_somebody_who_is_signed_in_is_named(provider: OAuthProvider, root: Path) -> None:
    sign_in_person(provider, make_sign_in(provider), root)
    (finding,) = check(provider, root)
    assert finding.state is S.working
    assert f"as {ACCOUNT} on {NOW:%Y-%m-%d}" in finding.message
    assert provider.requests == []


def test_a_missing_sign_in_names_the_command(provider: OAuthProvider, root: Path) -> None:
    (finding,) = check(provider, root)
    assert finding.state is S.missing
    assert "Run `mailer login main`." in finding.message


def test_a_sign_in_of_another_application_or_that_cannot_be_read_counts_as_missing(
    provider: OAuthProvider, root: Path
) -> None:
    sign_in_person(provider, make_sign_in(provider), root)
    assert states(check(provider, root, client_id="another")) == [S.missing]
    GrantStore(root=root).find_path("main").write_bytes(b"damaged")
    assert states(check(provider, root)) == [S.missing]


def test_an_ended_sign_in_says_why(provider: OAuthProvider, root: Path) -> None:
    grant = sign_in_person(provider, make_sign_in(provider), root)
    GrantStore(root=root).write("main", grant.ended("the password was changed"))
    (finding,) = check(provider, root)
    assert finding.state is S.ended
    assert "has ended the sign-in: the password was changed. Run `mailer login main`." in finding.message


@pytest.mark.parametrize(
    ("days", "state"), [(75, S.working), (77, S.ends_soon), (89, S.ends_soon), (91, S.ended)]
)
def test_microsoft_ends_a_sign_in_that_nobody_used_for_90_days(
    microsoft: OAuthProvider, root: Path, days: int, state: SignInState
) -> None:
    sign_in_person(microsoft, make_sign_in(microsoft), root)
    (finding,) = check(microsoft, root, later=days * DAY)
    assert finding.state is state
    if state is not S.working:
        assert f"it has not been used since {NOW:%Y-%m-%d}" in finding.message


def test_a_sign_in_that_is_used_goes_on(microsoft: OAuthProvider, root: Path) -> None:
    grant = sign_in_person(microsoft, make_sign_in(microsoft), root)
    GrantStore(root=root).write("main", replace(grant, received_at=NOW + 80 * DAY))
    assert states(check(microsoft, root, later=100 * DAY)) == [S.working]


@pytest.mark.parametrize(("days", "state"), [(3, S.working), (5, S.ends_soon), (8, S.ended)])
def test_google_ends_a_sign_in_of_an_application_in_testing_after_a_week(
    google: OAuthProvider, root: Path, days: int, state: SignInState
) -> None:
    grant = sign_in_person(google, make_sign_in(google), root)
    # However often it is renewed.
    GrantStore(root=root).write("main", replace(grant, received_at=NOW + days * DAY))
    assert states(check(google, root, later=days * DAY, testing=True)) == [state]
    assert states(check(google, root, later=days * DAY)) == [S.working]


@pytest.mark.parametrize(
    ("days", "state"),
    [(31, S.working), (30, S.application_ends_soon), (0, S.application_ends_soon), (-1, S.application_ended)],
)
def test_the_applications_secret_is_warned_of_before_it_ends(
    microsoft: OAuthProvider, root: Path, days: int, state: SignInState
) -> None:
    oauth = {
        "grant": "client_credentials",
        "tenant": "example.org",
        "client_secret_file": str(write_secret(root)),
        "client_secret_expires": (NOW + days * DAY).date(),
    }
    assert states(check(microsoft, root, **oauth)) == [state]


def test_a_secret_that_is_not_there_is_named(microsoft: OAuthProvider, root: Path) -> None:
    oauth = {"grant": "client_credentials", "tenant": "example.org", "client_secret_file": "not-there"}
    (finding,) = check(microsoft, root, **oauth)
    assert finding.state is S.application_ended
    assert "not-there cannot be read" in finding.message
