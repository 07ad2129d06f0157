"""Keeping what a sign-in has brought, and ending one."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.oauth.access_tokens import AccessTokens
from mailer.oauth.grant_store import GrantStore
from mailer.oauth.login import end_sign_in, keep_sign_in
from mailer.oauth.provider import OAuthSignInRequiredError, SignInFailedError
from mailer.oauth.sign_in import SignIn
from mailer.oauth.token_client import TokenResponse
from tests.factories.oauth import make_keys, make_sign_in, sign_in_person
from tests.servers.oauth_provider import ACCOUNT, OAuthProvider

NOW = datetime.now(UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_keys(tmp_path)


def make_response(provider: OAuthProvider, sign_in: SignIn) -> TokenResponse:
    access_token, refresh_token = provider.make_grant()
    return TokenResponse(
        access_token=access_token,
        lifetime=3600,
        refresh_token=refresh_token,
        scopes=sign_in.scopes,
        account=ACCOUNT,
    )


def test_a_sign_in_is_kept_and_used_from_then_on(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    grant = keep_sign_in(sign_in, root, make_response(provider, sign_in), now=NOW)
    assert (grant.account, grant.signed_in_at) == (ACCOUNT, NOW)
    assert AccessTokens(sign_in, root).read() == grant.access_token


def test_a_new_sign_in_replaces_one_that_has_ended(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    store = GrantStore(root=root)
    store.write("main", sign_in_person(provider, sign_in, root).ended("revoked"))
    with pytest.raises(OAuthSignInRequiredError):
        AccessTokens(sign_in, root).read()
    keep_sign_in(sign_in, root, make_response(provider, sign_in), now=NOW)
    assert AccessTokens(sign_in, root).read() in provider.valid


def test_without_access_to_mail_nothing_is_kept(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    response = replace(make_response(provider, sign_in), scopes=("openid", "email"))
    with pytest.raises(SignInFailedError, match="tick every box"):
        keep_sign_in(sign_in, root, response, now=NOW)
    assert GrantStore(root=root).read("main") is None


def test_another_name_of_the_same_permission_is_known(microsoft: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(microsoft)
    scopes = ("https://outlook.office365.com/smtp.send", "profile")
    keep_sign_in(sign_in, root, replace(make_response(microsoft, sign_in), scopes=scopes), now=NOW)


def test_without_a_refresh_token_it_would_end_within_the_hour(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    with pytest.raises(SignInFailedError, match="offline_access"):
        keep_sign_in(sign_in, root, replace(make_response(provider, sign_in), refresh_token=""), now=NOW)


def test_a_disk_that_is_full_is_said(
    provider: OAuthProvider, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mailer.oauth.grant_store.write_atomically", fail)
    sign_in = make_sign_in(provider)
    with pytest.raises(SignInFailedError, match="No space left on device"):
        keep_sign_in(sign_in, root, make_response(provider, sign_in), now=NOW)


def test_ending_a_sign_in_revokes_and_forgets_it(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    token = sign_in_person(provider, sign_in, root).refresh_token
    done = end_sign_in(sign_in, root)
    assert (done.was_there, done.is_revoked, done.fault) == (True, True, "")
    assert provider.revoked == [token]
    assert not end_sign_in(sign_in, root).was_there
    with pytest.raises(OAuthSignInRequiredError, match="Nobody has signed in yet"):
        AccessTokens(sign_in, root).read()


def test_a_sign_in_is_forgotten_although_the_provider_is_down(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    sign_in_person(provider, sign_in, root)
    provider.page = (503, "busy")
    done = end_sign_in(sign_in, root)
    assert (done.was_there, done.is_revoked) == (True, False)
    assert "answers 503" in done.fault


def test_a_provider_without_a_place_to_revoke_is_not_asked(microsoft: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(microsoft, revocation_url="")
    sign_in_person(microsoft, sign_in, root)
    assert not end_sign_in(sign_in, root).is_revoked
    assert microsoft.requests == []


def test_a_sign_in_that_cannot_be_read_is_forgotten_too(microsoft: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(microsoft)
    sign_in_person(microsoft, sign_in, root)
    GrantStore(root=root).find_path("main").write_bytes(b"damaged")
    assert end_sign_in(sign_in, root).was_there
