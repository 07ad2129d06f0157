"""Sign-ins that wait for a person: kept whole and encrypted, and finished by whoever asks next."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailer.oauth.grant_store import GrantStore
from mailer.oauth.login import PendingSignIns, SignInWay, choose_way
from mailer.oauth.provider import SignInFailedError
from tests.factories.oauth import make_keys, make_sign_in, write_secret
from tests.servers.oauth_provider import Dialect, OAuthProvider, find_secrets

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def waiting(tmp_path: Path) -> PendingSignIns:
    return PendingSignIns(root=make_keys(tmp_path))


def test_a_code_waits_for_whoever_asks_and_is_asked_for_no_more_often_than_allowed(
    microsoft: OAuthProvider, waiting: PendingSignIns
) -> None:
    sign_in = make_sign_in(microsoft, grant="device_code")
    assert waiting.begin(sign_in, now=NOW) is None
    pending = PendingSignIns(root=waiting.root).find(sign_in, now=NOW)
    assert pending is not None
    assert waiting.finish(pending, now=NOW) is None
    asked = len(microsoft.requests)
    again = waiting.find(sign_in, now=NOW)
    assert again is not None
    microsoft.approve()
    assert waiting.finish(again, now=NOW) is None
    assert len(microsoft.requests) == asked
    grant = waiting.finish(again, now=NOW + timedelta(seconds=60))
    assert grant is not None
    assert GrantStore(root=waiting.root).read("main") == grant
    assert waiting.find(sign_in, now=NOW) is None


def test_it_ends_with_its_code_and_is_not_for_another_application(
    microsoft: OAuthProvider, waiting: PendingSignIns
) -> None:
    sign_in = make_sign_in(microsoft, grant="device_code")
    waiting.begin(sign_in, now=NOW)
    assert waiting.find(sign_in, now=NOW + timedelta(hours=1)) is None
    assert waiting.find(make_sign_in(microsoft, grant="device_code", client_id="other"), now=NOW) is None
    assert find_secrets(microsoft, *waiting.root.rglob("*")) == []
    (waiting.root / "grants" / "main.pending").write_bytes(b"nothing of ours\n")
    assert waiting.find(sign_in, now=NOW) is None


def test_who_declines_has_to_begin_again(microsoft: OAuthProvider, waiting: PendingSignIns) -> None:
    sign_in = make_sign_in(microsoft, grant="device_code")
    waiting.begin(sign_in, now=NOW)
    pending = waiting.find(sign_in, now=NOW)
    assert pending is not None
    microsoft.refusal = "declined"
    with pytest.raises(SignInFailedError, match="declined"):
        waiting.finish(pending, now=NOW)
    assert waiting.find(sign_in, now=NOW) is None


def test_the_way_is_that_of_the_provider(microsoft: OAuthProvider, waiting: PendingSignIns) -> None:
    assert choose_way(make_sign_in(microsoft)) is SignInWay.code
    with OAuthProvider(dialect=Dialect.google) as google:
        assert choose_way(make_sign_in(google, device_url="")) is SignInWay.address
    own = make_sign_in(
        microsoft,
        grant="client_credentials",
        tenant="ours.example",
        client_secret_file=write_secret(waiting.root),
    )
    assert choose_way(own) is SignInWay.application
    assert waiting.begin(own, now=NOW) is not None
