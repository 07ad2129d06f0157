"""Which sign-ins the settings ask for, and what they ask the provider for."""

from typing import Any

import pytest
from pydantic import ValidationError

from mailer.errors import ConfigurationError
from mailer.oauth.provider import Protocol, find_provider
from mailer.oauth.sign_in import find_sign_in, list_sign_ins
from mailer.settings import OAuthSettings, Settings

SENDER = {
    "name": "News",
    "address": "news@example.org",
    "organisation": "Example",
    "postal_address": "1 Road",
    "list_id": "news.example.org",
}
MICROSOFT = {"provider": "microsoft", "client_id": "app"}
GOOGLE = {"provider": "google", "client_id": "app"}


def make_settings(**values: Any) -> Settings:
    return Settings.model_validate({"sender": SENDER, **values})


def names(settings: Settings) -> list[tuple[str, str, str]]:
    return [(found.name, found.user, found.settings.provider) for found in list_sign_ins(settings)]


def test_the_only_relay_is_called_main_and_the_mailbox_feedback() -> None:
    settings = make_settings(
        smtp={"url": "smtp://news%40example.org@smtp.office365.com:587", "oauth": MICROSOFT},
        feedback={"imap": "imaps://bounces%40example.org@imap.gmail.com/INBOX", "oauth": GOOGLE},
    )
    assert names(settings) == [
        ("main", "news@example.org", "microsoft"),
        ("feedback", "bounces@example.org", "google"),
    ]
    assert [found.protocol for found in list_sign_ins(settings)] == [Protocol.smtp, Protocol.imap]


def test_a_relay_signs_in_its_own_way_or_as_smtp_says_unless_it_has_a_secret() -> None:
    settings = make_settings(
        smtp={
            "oauth": MICROSOFT,
            "relays": [
                {"name": "a", "url": "smtp://a@x.org"},
                {"name": "b", "url": "smtp://b@x.org", "oauth": GOOGLE},
                {"name": "c", "url": "smtp://c@x.org", "password_file": "secret"},
                {"name": "d", "url": "smtp://d:secret@x.org"},
            ],
        }
    )
    assert names(settings) == [("a", "a", "microsoft"), ("b", "b", "google")]


def test_without_oauth_nobody_signs_in() -> None:
    assert list_sign_ins(make_settings()) == ()
    with pytest.raises(ConfigurationError, match=r"Set \[smtp.oauth\]"):
        find_sign_in(make_settings(), "main")


def test_an_unknown_name_is_answered_with_those_that_are_known() -> None:
    settings = make_settings(smtp={"url": "smtp://a@x.org", "oauth": MICROSOFT})
    assert find_sign_in(settings, "main").user == "a"
    with pytest.raises(ConfigurationError, match=r"There is no sign-in spare\. Choose from: main"):
        find_sign_in(settings, "spare")


@pytest.mark.parametrize(
    ("smtp", "words"),
    [
        ({"url": "smtp://x.org", "oauth": MICROSOFT}, "names no user"),
        ({"oauth": MICROSOFT, "relays": [{"name": "feedback", "url": "smtp://a@x.org"}]}, "another one"),
    ],
)
def test_a_relay_without_a_user_or_with_the_name_of_the_mailbox_is_refused(
    smtp: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        list_sign_ins(make_settings(smtp=smtp))


def test_microsoft_is_asked_at_the_tenant_for_sending_or_for_reading() -> None:
    provider = find_provider(OAuthSettings.model_validate(MICROSOFT | {"tenant": "example.org"}))
    assert provider.token_url == "https://login.microsoftonline.com/example.org/oauth2/v2.0/token"
    assert provider.device_url == "https://login.microsoftonline.com/example.org/oauth2/v2.0/devicecode"
    assert provider.scopes[Protocol.smtp][:2] == ("https://outlook.office.com/SMTP.Send", "offline_access")
    assert provider.scopes[Protocol.imap][0] == "https://outlook.office.com/IMAP.AccessAsUser.All"
    assert provider.application_scopes == ("https://outlook.office365.com/.default",)
    default = find_provider(OAuthSettings.model_validate(MICROSOFT))
    assert default.authorization_url == (
        "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize"
    )


def test_google_is_asked_for_mail_offline() -> None:
    provider = find_provider(OAuthSettings.model_validate(GOOGLE))
    assert provider.authorization_url == "https://accounts.google.com/o/oauth2/v2/auth"
    assert provider.token_url == "https://oauth2.googleapis.com/token"
    assert provider.scopes[Protocol.smtp][0] == "https://mail.google.com/"
    assert provider.extra == {"access_type": "offline", "prompt": "consent"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (GOOGLE | {"grant": "device_code"}, "its device flow refuses the scope"),
        (GOOGLE | {"grant": "client_credentials"}, "Google has no client_credentials"),
        (MICROSOFT | {"grant": "client_credentials"}, "needs tenant"),
        (MICROSOFT | {"grant": "client_credentials", "tenant": "common"}, "needs tenant"),
        (MICROSOFT | {"grant": "client_credentials", "tenant": "x.org"}, "needs client_secret_file"),
        (MICROSOFT | {"tenant": "x/../y"}, "neither the ID of a directory nor a domain"),
        (MICROSOFT | {"token_url": "http://id.example.org/token"}, "must begin with https://"),
        (MICROSOFT | {"token_url": "https://"}, "must begin with https://"),
        ({"provider": "other", "client_id": "x"}, "also needs authorization_url, token_url, scopes"),
        ({"provider": "other", "client_id": "x", "grant": "device_code"}, "also needs device_url"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_to_set(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        OAuthSettings.model_validate(values)


def test_another_provider_is_taken_as_it_is_described() -> None:
    provider = find_provider(
        OAuthSettings.model_validate(
            {
                "provider": "other",
                "client_id": "x",
                "authorization_url": "https://id.example.org/auth",
                "token_url": "https://id.example.org/token",
                "scopes": ["mail", "offline_access"],
            }
        )
    )
    assert (provider.name, provider.scopes[Protocol.imap]) == ("id.example.org", ("mail", "offline_access"))
