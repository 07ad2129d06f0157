"""Asking a provider for tokens: what it gives, and what its refusals mean."""

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.oauth.provider import (
    ApplicationRefusedError,
    GrantRefusedError,
    OAuthError,
    ProviderUnavailableError,
)
from mailer.oauth.token_client import DeviceEndedError, DevicePendingError
from tests.factories.oauth import make_client, make_sign_in
from tests.servers.oauth_provider import ACCOUNT, CLIENT_SECRET, OAuthProvider, find_in_text

SCOPES = ("https://mail.example.org/send", "offline_access")


def test_a_renewal_brings_a_token_and_says_how_long_it_lasts(provider: OAuthProvider) -> None:
    _, refresh_token = provider.make_grant()
    response = make_client(provider).renew(refresh_token, SCOPES)
    assert response.access_token in provider.valid
    assert (response.lifetime, response.account, response.scopes) == (3600, ACCOUNT, SCOPES)
    assert (response.refresh_token != "") is provider.rotates


def test_an_application_signs_in_by_itself(microsoft: OAuthProvider) -> None:
    client = make_client(microsoft, client_secret=CLIENT_SECRET)
    response = client.request_application_token(("https://outlook.office365.com/.default",))
    assert response.access_token in microsoft.valid
    assert response.refresh_token == ""


def test_a_device_code_waits_for_the_person(microsoft: OAuthProvider) -> None:
    client = make_client(microsoft)
    code = client.request_device_code(SCOPES)
    assert code.url == f"{microsoft.url}/device"
    with pytest.raises(DevicePendingError):
        client.redeem_device_code(code)
    microsoft.approve(code.user_code)
    assert client.redeem_device_code(code).access_token in microsoft.valid


def test_google_does_not_give_mail_to_a_device(provider: OAuthProvider) -> None:
    if provider.dialect.value != "google":
        assert make_client(provider).request_device_code(SCOPES).user_code
        return
    with pytest.raises(ApplicationRefusedError, match="Invalid device flow scope"):
        make_client(provider).request_device_code(make_sign_in(provider).scopes)


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        ("declined", DeviceEndedError, "declined"),
        ("code expired", DeviceEndedError, "expired"),
    ],
)
def test_a_person_who_declines_or_is_too_late_is_told_apart(
    provider: OAuthProvider, refusal: str, kind: type[OAuthError], words: str
) -> None:
    client = make_client(provider)
    code = client.request_device_code(("email",))
    provider.refusal = refusal
    with pytest.raises(kind, match=words):
        client.redeem_device_code(code)


@pytest.mark.parametrize("refusal", ["revoked", "unused"])
def test_an_ended_sign_in_is_told_with_its_reason(provider: OAuthProvider, refusal: str) -> None:
    provider.refusal = refusal
    with pytest.raises(GrantRefusedError) as refused:
        make_client(provider).renew("refresh-x", SCOPES)
    words = str(refused.value)
    if provider.dialect.value == "google":
        assert "Token has been expired or revoked" in words
    elif refusal == "unused":
        assert "it was not used for 90 days (AADSTS700082)" in words
    else:
        assert "the password was changed, or an administrator ended all sign-ins (AADSTS50173)" in words
    assert "Trace" not in words


@pytest.mark.parametrize(
    ("refusal", "microsoft_advice"),
    [("secret expired", "Make a new one at Microsoft"), ("wrong secret", "Put its value, not its ID")],
)
def test_a_refused_application_says_what_to_change(
    provider: OAuthProvider, refusal: str, microsoft_advice: str
) -> None:
    provider.refusal = refusal
    with pytest.raises(ApplicationRefusedError) as refused:
        make_client(provider, client_secret=CLIENT_SECRET).renew("refresh-x", SCOPES)
    is_google = provider.dialect.value == "google"
    assert ("Check client_id" if is_google else microsoft_advice) in str(refused.value)


@pytest.mark.parametrize(
    "page",
    [
        (502, "<h1>Bad gateway</h1>"),
        (403, "<h1>Blocked by the proxy</h1>"),
        (200, "[]"),
        (302, ""),
        (429, "{}"),
    ],
)
def test_a_page_that_is_no_answer_says_nothing_about_the_sign_in(
    provider: OAuthProvider, page: tuple[int, str]
) -> None:
    provider.page = page
    with pytest.raises(ProviderUnavailableError):
        make_client(provider).renew("refresh-x", SCOPES)


def test_a_provider_in_trouble_is_waited_for(provider: OAuthProvider) -> None:
    provider.refusal = "busy"
    with pytest.raises(ProviderUnavailableError):
        make_client(provider).renew("refresh-x", SCOPES)


def test_a_provider_that_is_not_there_or_silent_is_waited_for(microsoft: OAuthProvider) -> None:
    client = make_client(microsoft, timeout=0.2)
    microsoft.released.clear()
    with pytest.raises(ProviderUnavailableError, match=r"does not answer at 127\.0\.0\.1"):
        client.renew("refresh-x", SCOPES)
    microsoft.released.set()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/token"
    gone = make_client(microsoft)
    object.__setattr__(gone.provider, "token_url", url)
    with pytest.raises(ProviderUnavailableError):
        gone.renew("refresh-x", SCOPES)


@settings(max_examples=40)
@given(
    page=st.one_of(
        st.text(), st.sampled_from(["[" * 100_000, '{"access_token": 1}', '{"access_token": "a b"}'])
    )
)
def test_no_answer_breaks_the_client(page: str) -> None:
    with OAuthProvider(page=(200, page)) as provider, pytest.raises(OAuthError):
        make_client(provider).renew("refresh-x", SCOPES)


def test_a_provider_that_quotes_a_secret_does_not_put_it_into_the_error(provider: OAuthProvider) -> None:
    _, refresh_token = provider.make_grant()
    provider.quotes_secrets = True
    for refusal in ("revoked", "wrong secret"):
        provider.refusal = refusal
        with pytest.raises(OAuthError) as refused:
            make_client(provider, client_secret=CLIENT_SECRET).renew(refresh_token, SCOPES)
        assert not find_in_text(provider, str(refused.value))


def test_no_repr_shows_a_secret(provider: OAuthProvider) -> None:
    _, refresh_token = provider.make_grant()
    client = make_client(provider, client_secret=CLIENT_SECRET)
    response = client.renew(refresh_token, SCOPES)
    code = client.request_device_code(("email",))
    assert not find_in_text(provider, repr((client, response, code)))


def test_a_revoked_sign_in_cannot_be_renewed(provider: OAuthProvider) -> None:
    client = make_client(provider)
    _, refresh_token = provider.make_grant()
    client.revoke(refresh_token)
    assert provider.revoked == [refresh_token]
    # Once more changes nothing.
    client.revoke(refresh_token)
    with pytest.raises(GrantRefusedError):
        client.renew(refresh_token, SCOPES)
