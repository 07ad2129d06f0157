"""The access tokens of a sign-in: renewed in time, once, and by whoever comes first."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailer.errors import ConfigurationError
from mailer.oauth.access_tokens import AccessTokens
from mailer.oauth.grant_store import GrantStore
from mailer.oauth.provider import ApplicationRefusedError, OAuthSignInRequiredError, ProviderUnavailableError
from mailer.oauth.sign_in import SignIn
from tests.factories.oauth import make_keys, make_sign_in, sign_in_person, write_secret
from tests.servers.oauth_provider import OAuthProvider, find_secrets

HOUR = timedelta(hours=1)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_keys(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_token_that_lasts_is_used_without_asking_anybody(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    grant = sign_in_person(provider, sign_in, root)
    tokens = AccessTokens(sign_in, root)
    assert tokens.read() == grant.access_token
    assert tokens.peek() == (grant.access_token, False)
    assert provider.requests == []


def test_a_token_is_renewed_before_it_ends(provider: OAuthProvider, root: Path, clock: Clock) -> None:
    sign_in = make_sign_in(provider)
    first = sign_in_person(provider, sign_in, root).access_token
    tokens = AccessTokens(sign_in, root, clock=clock)
    clock.now += timedelta(minutes=50)
    assert tokens.peek() == (first, True)  # still good, and time to renew
    tokens.renew_early()
    second = tokens.read()
    assert second != first
    assert second in provider.valid
    clock.now += timedelta(minutes=56)  # four minutes are left: a slow clock may have none
    assert tokens.peek() == ("", True)
    assert tokens.read() not in {first, second}
    assert provider.renewals == 2


def test_a_token_of_seconds_is_usable_too(microsoft: OAuthProvider, root: Path, clock: Clock) -> None:
    microsoft.lifetime = 20
    sign_in = make_sign_in(microsoft)
    sign_in_person(microsoft, sign_in, root)
    tokens = AccessTokens(sign_in, root, clock=clock)
    first = tokens.read()
    assert tokens.read() == first
    clock.now += timedelta(seconds=19)
    assert tokens.read() != first


def test_a_clock_that_was_set_back_does_not_make_a_token_last_longer(
    microsoft: OAuthProvider, root: Path, clock: Clock
) -> None:
    sign_in = make_sign_in(microsoft)
    first = sign_in_person(microsoft, sign_in, root).access_token
    tokens = AccessTokens(sign_in, root, clock=clock)
    clock.now -= timedelta(days=1)
    assert tokens.read() != first


def test_a_refused_token_is_renewed_once_for_all_who_were_refused(
    provider: OAuthProvider, root: Path
) -> None:
    sign_in = make_sign_in(provider)
    refused = sign_in_person(provider, sign_in, root).access_token
    tokens = AccessTokens(sign_in, root)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: tokens.replace(refused), range(16)))
    assert len(found) == 1
    assert refused not in found
    assert provider.renewals == 1


def test_processes_renew_one_at_a_time(microsoft: OAuthProvider, root: Path) -> None:
    microsoft.takes_once = True
    sign_in = make_sign_in(microsoft)
    sign_in_person(microsoft, sign_in, root, age=2 * HOUR)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(read_in_process, [(sign_in, root)] * 4, chunksize=1)
    assert len(set(found)) == 1
    assert microsoft.renewals == 1


def read_in_process(sign_in: SignIn, root: Path) -> str:
    return AccessTokens(sign_in, root).read()


def test_another_machine_that_was_faster_is_believed(microsoft: OAuthProvider, root: Path) -> None:
    # Its lock does not reach us: it renews while our own request is on its way, with the same refresh token.
    microsoft.takes_once = True
    sign_in = make_sign_in(microsoft)
    sign_in_person(microsoft, sign_in, root, age=2 * HOUR)
    ours, theirs = AccessTokens(sign_in, root), AccessTokens(sign_in, root)
    stale = GrantStore(root=root).read("main")
    token = theirs.read()
    ours._grant = stale
    ours._stamp = GrantStore(root=root).read_stamp("main")
    assert ours.read() == token


def test_an_older_renewal_does_not_replace_a_newer_one(
    microsoft: OAuthProvider, root: Path, clock: Clock
) -> None:
    sign_in = make_sign_in(microsoft)
    sign_in_person(microsoft, sign_in, root, age=2 * HOUR)
    store = GrantStore(root=root)
    tokens = AccessTokens(sign_in, root, clock=clock)
    microsoft.released.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(tokens.read)
        newer = store.read("main")
        assert newer is not None
        newer = replace(
            newer, access_token="newer", received_at=clock.now + HOUR, expires_at=clock.now + 2 * HOUR
        )
        assert microsoft.asked.wait(20)
        store.write("main", newer)
        microsoft.released.set()
        waiting.result(10)
    assert store.read("main") == newer


def test_a_new_refresh_token_replaces_the_old_one_and_an_old_one_stays(
    provider: OAuthProvider, root: Path
) -> None:
    sign_in = make_sign_in(provider)
    before = sign_in_person(provider, sign_in, root, age=2 * HOUR)
    AccessTokens(sign_in, root).read()
    after = GrantStore(root=root).read("main")
    assert after is not None
    assert (after.refresh_token == before.refresh_token) is not provider.rotates
    assert after.signed_in_at == before.signed_in_at


def test_nobody_has_signed_in_yet(provider: OAuthProvider, root: Path) -> None:
    with pytest.raises(OAuthSignInRequiredError, match=r"Nobody has signed in yet\. Run `mailer login main`"):
        AccessTokens(make_sign_in(provider), root).read()


def test_an_ended_sign_in_is_not_asked_for_again(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    sign_in_person(provider, sign_in, root, age=2 * HOUR)
    provider.end_sign_in()
    for _ in range(3):
        with pytest.raises(
            OAuthSignInRequiredError, match=r"has ended the sign-in: .*\. Run `mailer login main`"
        ):
            AccessTokens(sign_in, root).read()
    assert provider.renewals == 1
    # Until somebody signs in.
    grant = sign_in_person(provider, sign_in, root)
    assert AccessTokens(sign_in, root).read() == grant.access_token


def test_a_provider_that_is_down_ends_nothing(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    sign_in_person(provider, sign_in, root, age=2 * HOUR)
    tokens = AccessTokens(sign_in, root)
    provider.page = (503, "<h1>Maintenance</h1>")
    with pytest.raises(ProviderUnavailableError):
        tokens.read()
    provider.page = None
    assert tokens.read() in provider.valid


def test_looking_at_a_token_does_not_wait_for_its_renewal(microsoft: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(microsoft)
    token = sign_in_person(microsoft, sign_in, root, age=timedelta(minutes=50)).access_token
    tokens = AccessTokens(sign_in, root)
    microsoft.released.clear()
    renewing = threading.Thread(target=tokens.renew_early)
    renewing.start()
    try:
        assert microsoft.asked.wait(20)
        assert tokens.peek() == (token, True)
    finally:
        microsoft.released.set()
        renewing.join(10)
    assert tokens.read() != token


def test_a_full_disk_loses_no_refresh_token(
    microsoft: OAuthProvider, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    microsoft.takes_once = True
    sign_in = make_sign_in(microsoft)
    sign_in_person(microsoft, sign_in, root, age=2 * HOUR)
    tokens = AccessTokens(sign_in, root)
    with monkeypatch.context() as full:
        full.setattr("mailer.oauth.grant_store.write_atomically", _fail)
        token = tokens.read()
        assert tokens.read() == token
    # The disk has room again: what was kept in memory is written, and anybody can go on with it.
    assert tokens.replace("another") == token
    assert AccessTokens(sign_in, root).read() == token
    microsoft.end_access_tokens()
    assert AccessTokens(sign_in, root).replace(token) in microsoft.valid


def _fail(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_grant_of_another_application_is_not_shown_to_this_one(provider: OAuthProvider, root: Path) -> None:
    sign_in_person(provider, make_sign_in(provider), root, age=2 * HOUR)
    for changes in ({"client_id": "another"}, {"token_url": f"{provider.url}/elsewhere"}):
        with pytest.raises(OAuthSignInRequiredError, match="Nobody has signed in"):
            AccessTokens(make_sign_in(provider, **changes), root).read()
    assert provider.requests == []


def test_an_application_needs_no_person(microsoft: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(
        microsoft, grant="client_credentials", tenant="example.org", client_secret_file=write_secret(root)
    )
    tokens = AccessTokens(sign_in, root)
    first = tokens.read()
    assert first in microsoft.valid
    assert tokens.read() == first
    assert tokens.replace(first) != first
    microsoft.refusal = "secret expired"
    with pytest.raises(ApplicationRefusedError, match="has expired"):
        tokens.replace(tokens.read())
    (root / "client-secret").unlink()
    with pytest.raises(ConfigurationError, match="client-secret cannot be read"):
        tokens.replace(tokens.read())


def test_no_file_of_the_workspace_has_a_token_in_the_clear(provider: OAuthProvider, root: Path) -> None:
    sign_in = make_sign_in(provider)
    sign_in_person(provider, sign_in, root, age=2 * HOUR)
    AccessTokens(sign_in, root).read()
    assert len(provider.issued) == 2
    assert find_secrets(provider, root) == []


def test_a_grant_says_nothing_of_its_tokens(provider: OAuthProvider, root: Path) -> None:
    grant = sign_in_person(provider, make_sign_in(provider), root)
    assert grant.access_token not in repr(grant)
    assert grant.refresh_token not in repr(grant)
