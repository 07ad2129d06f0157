"""Signing in with a code that is typed in on another device."""

import pytest

from mailer.oauth.provider import ApplicationRefusedError, SignInFailedError
from mailer.oauth.token_client import DeviceCode, sign_in_by_device
from tests.factories.oauth import make_client
from tests.servers.oauth_provider import OAuthProvider

SCOPES = ("email", "offline_access")


class Waiting:
    """Time that passes only when somebody waits, and what happens meanwhile."""

    def __init__(self, *events: object) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.events = list(events)

    def __call__(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)
        if self.events and callable(event := self.events.pop(0)):
            event()

    def monotonic(self) -> float:
        return self.now


def test_the_person_is_shown_where_to_type_in_what_and_is_waited_for(provider: OAuthProvider) -> None:
    shown: list[DeviceCode] = []
    waiting = Waiting(None, None, provider.approve)
    response = sign_in_by_device(
        make_client(provider), SCOPES, show=shown.append, wait=waiting, monotonic=waiting.monotonic
    )
    assert response.access_token in provider.valid
    assert response.refresh_token in provider.refresh_tokens
    assert shown[0].url == f"{provider.url}/device"
    assert len(shown[0].user_code) == 8
    assert waiting.waits == [1.0, 1.0, 1.0]


def test_a_person_who_declines_is_believed(provider: OAuthProvider) -> None:
    waiting = Waiting(None, lambda: setattr(provider, "refusal", "declined"))
    with pytest.raises(SignInFailedError, match=r"declined\. Run the command again"):
        sign_in_by_device(
            make_client(provider), SCOPES, show=lambda _: None, wait=waiting, monotonic=waiting.monotonic
        )


def test_nobody_is_waited_for_longer_than_the_code_is_good(provider: OAuthProvider) -> None:
    provider.device_lifetime = 120
    waiting = Waiting()
    with pytest.raises(SignInFailedError, match="within 2 minutes"):
        sign_in_by_device(
            make_client(provider), SCOPES, show=lambda _: None, wait=waiting, monotonic=waiting.monotonic
        )
    assert 120 <= waiting.now < 130


def test_a_provider_that_is_down_for_a_while_is_asked_less_often(provider: OAuthProvider) -> None:
    def go_down() -> None:
        provider.page = (503, "busy")

    def come_back() -> None:
        provider.page = None
        provider.approve()

    waiting = Waiting(go_down, None, come_back)
    sign_in_by_device(
        make_client(provider), SCOPES, show=lambda _: None, wait=waiting, monotonic=waiting.monotonic
    )
    assert waiting.waits == [1.0, 2.0, 4.0]


def test_a_provider_that_asks_to_slow_down_is_obeyed(provider: OAuthProvider) -> None:
    provider.slows_down = 1
    waiting = Waiting(None, None, provider.approve)
    sign_in_by_device(
        make_client(provider), SCOPES, show=lambda _: None, wait=waiting, monotonic=waiting.monotonic
    )
    assert waiting.waits == [1.0, 6.0, 6.0]


def test_an_application_that_may_not_use_codes_is_told_so(provider: OAuthProvider) -> None:
    provider.page = (400, '{"error": "unauthorized_client", "error_description": "Not a public client."}')
    with pytest.raises(ApplicationRefusedError, match="may not sign in this way"):
        sign_in_by_device(make_client(provider), SCOPES, show=lambda _: None)
