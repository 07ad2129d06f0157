"""Signing in with a browser that comes back to this machine, or whose last address is pasted."""

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from mailer.oauth.browser_sign_in import (
    RedirectListener,
    make_authorization_request,
    sign_in_by_browser,
    sign_in_by_paste,
)
from mailer.oauth.provider import SignInFailedError
from tests.factories.oauth import make_client
from tests.servers.oauth_provider import ACCOUNT, OAuthProvider, find_in_text

SCOPES = ("mail", "offline_access")


class Browser:
    """What a person does in a browser, in a thread of its own, and the page that they see at the end."""

    def __init__(self, act: Callable[[str], str]) -> None:
        self.page = ""
        self._act = act
        self._thread: threading.Thread | None = None

    def __call__(self, url: str) -> None:
        self._thread = threading.Thread(target=self._visit, args=(url,), daemon=True)
        self._thread.start()

    def _visit(self, url: str) -> None:
        self.page = self._act(url)

    def close(self) -> str:
        assert self._thread is not None
        self._thread.join(10)
        return self.page


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def follow(provider: OAuthProvider, url: str) -> str:
    """The address that a browser ends at which cannot open it."""
    values = {name: found[0] for name, found in parse_qs(urlsplit(url).query).items()}
    return provider.redirect(values)


def test_the_browser_comes_back_with_a_code_and_says_that_all_is_done(provider: OAuthProvider) -> None:
    browser = Browser(provider.visit)
    response = sign_in_by_browser(make_client(provider), SCOPES, user=ACCOUNT, show=browser)
    assert response.access_token in provider.valid
    assert response.account == ACCOUNT
    assert "You have signed in" in browser.close()
    assert find_in_text(provider, browser.page) == []


def test_the_request_has_what_the_providers_need(provider: OAuthProvider) -> None:
    request = make_authorization_request(make_client(provider), SCOPES, user=ACCOUNT, port=4321)
    values = {name: found[0] for name, found in parse_qs(urlsplit(request.url).query).items()}
    is_google = provider.dialect.value == "google"
    assert values["redirect_uri"] == f"http://{'127.0.0.1' if is_google else 'localhost'}:4321"
    assert (values["response_type"], values["code_challenge_method"]) == ("code", "S256")
    assert values["login_hint"] == ACCOUNT
    assert values["prompt"] == ("consent" if is_google else "select_account")
    assert ("access_type" in values) is is_google
    assert request.verifier not in request.url
    assert request.verifier not in repr(request)


def test_a_person_who_declines_is_told_in_both_places(provider: OAuthProvider) -> None:
    provider.refusal = "declined"
    browser = Browser(provider.visit)
    with pytest.raises(SignInFailedError, match="The sign-in was declined"):
        sign_in_by_browser(make_client(provider), SCOPES, user=ACCOUNT, show=browser)
    assert "You have not signed in" in browser.close()


def test_nobody_is_waited_for_for_ever(provider: OAuthProvider) -> None:
    with pytest.raises(SignInFailedError, match="Nobody has signed in within"):
        sign_in_by_browser(make_client(provider), SCOPES, user=ACCOUNT, show=lambda _: None, seconds=0.01)


def test_strangers_and_a_silent_connection_do_not_end_the_waiting(provider: OAuthProvider) -> None:
    pages: list[tuple[int, str]] = []

    def act(url: str) -> str:
        back = urlsplit(parse_qs(urlsplit(url).query)["redirect_uri"][0])
        place = f"http://127.0.0.1:{back.port}"
        for query in ("", "?code=stolen", "?code=stolen&state=guess", "?error=access_denied&state="):
            pages.append(fetch(f"{place}/{query}"))
        silent = socket.create_connection(("127.0.0.1", back.port or 0))
        silent.close()
        return provider.visit(url)

    browser = Browser(act)
    response = sign_in_by_browser(make_client(provider), SCOPES, user=ACCOUNT, show=browser)
    assert response.access_token in provider.valid
    browser.close()
    assert [status for status, _ in pages] == [404] * 4


def test_a_code_of_another_sign_in_is_not_taken(provider: OAuthProvider) -> None:
    client = make_client(provider)
    other = make_authorization_request(client, SCOPES, user=ACCOUNT)
    stolen = parse_qs(urlsplit(follow(provider, other.url)).query)["code"][0]

    def ask(url: str) -> str:
        state = parse_qs(urlsplit(url).query)["state"][0]
        return f"http://127.0.0.1:8400?{urlencode({'code': stolen, 'state': state})}"

    # PKCE: the code was made for another verifier.
    with pytest.raises(SignInFailedError, match="does not take the code"):
        sign_in_by_paste(client, SCOPES, user=ACCOUNT, ask=ask)


def test_the_last_address_of_a_browser_elsewhere_can_be_pasted(provider: OAuthProvider) -> None:
    response = sign_in_by_paste(
        make_client(provider), SCOPES, user=ACCOUNT, ask=lambda url: f" {follow(provider, url)}\n"
    )
    assert response.access_token in provider.valid


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: "https://example.org", "does not belong to this sign-in"),
        (lambda _: "", "does not belong to this sign-in"),
        (lambda url: url.replace("state=", "state=x"), "does not belong to this sign-in"),
        (lambda url: url.replace("code=", "other="), "has no code in it"),
        (lambda url: url + "&error=server_error&error_description=AADSTS65001%3A+No", "must grant it"),
    ],
)
def test_another_address_is_refused_with_a_reason(
    microsoft: OAuthProvider, change: Callable[[str], str], words: str
) -> None:
    with pytest.raises(SignInFailedError, match=words):
        sign_in_by_paste(
            make_client(microsoft), SCOPES, user=ACCOUNT, ask=lambda url: change(follow(microsoft, url))
        )


def test_the_page_loads_nothing_and_stays_in_no_cache(microsoft: OAuthProvider) -> None:
    request = make_authorization_request(make_client(microsoft), SCOPES, user=ACCOUNT, port=1)
    with RedirectListener() as listener:
        thread = threading.Thread(target=lambda: listener.wait(request, seconds=30), daemon=True)
        thread.start()
        query = urlencode({"code": "c", "state": request.state})
        with urllib.request.urlopen(f"http://127.0.0.1:{listener.port}/?{query}", timeout=10) as response:
            headers = dict(response.headers)
        thread.join(10)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Referrer-Policy"] == "no-referrer"
