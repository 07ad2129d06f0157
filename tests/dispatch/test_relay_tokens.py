"""Campaigns over a relay that is signed in to: tokens end, sign-ins are revoked, providers are down."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from mailer.database.backup import backup
from mailer.database.models import CampaignState, Dispatcher
from mailer.dispatch.dispatcher import dispatch
from mailer.dispatch.event_log import EventLog, RunOutcome, RunResult
from mailer.dispatch.relays import BackoffPolicy, open_relays
from mailer.dispatch.sending_settings import make_smtp_options
from mailer.oauth.grant_store import GrantStore
from mailer.settings import CampaignSettings, LogSettings, SenderSettings, Settings, SmtpSettings
from mailer.smtp.transport import ProbeError, probe_server
from tests.factories.deliveries import add_campaign, build_plain, read_states, set_campaign_state
from tests.factories.oauth import make_keys, make_sign_in, sign_in_person, write_secret
from tests.servers.oauth_provider import ACCOUNT, Dialect, OAuthProvider, find_in_text, find_secrets
from tests.servers.scripted_smtp import EXTENSIONS, ScriptedServer

SENDER = SenderSettings(
    name="News", address="news@example.org", organisation="Office", postal_address="1 Street, Town"
)
FAST_BACKOFF = BackoffPolicy(initial_delay=0.01, max_delay=0.05)


@pytest.fixture
def provider() -> Iterator[OAuthProvider]:
    """A provider that replaces refresh tokens, as Microsoft does; tests/oauth tries both."""
    with OAuthProvider(dialect=Dialect.microsoft) as running:
        yield running


class Relay(ScriptedServer):
    """A relay that takes the tokens of a provider, each for so many messages."""

    def __init__(
        self, provider: OAuthProvider, *, mechanism: str = "XOAUTH2", per_token: int = 0, **options: object
    ) -> None:
        super().__init__(
            extensions=(*EXTENSIONS, f"AUTH {mechanism}"),
            accepts_token=lambda token: token in provider.valid,
            **options,  # type: ignore[arg-type]
        )
        self.provider = provider
        self.per_token = per_token
        self.count = 0
        self.script = self.count_message
        self.on_message: Callable[[int], None] = lambda _: None

    def count_message(self, verb: str, _: str) -> None:
        if verb == ".":
            self.count += 1
            if self.per_token and self.count % self.per_token == 0:
                self.provider.end_access_tokens()
            self.on_message(self.count)


def make_settings(relay: ScriptedServer, provider: OAuthProvider, **smtp: object) -> Settings:
    values = {
        "url": f"smtp://news%40example.org@127.0.0.1:{relay.port}",
        "connections": 3,
        "timeout": 5,
        "final_timeout": 5,
        "messages_per_connection": 7,
        "oauth": provider.settings,
        **smtp,
    }
    return Settings(sender=SENDER, smtp=SmtpSettings.model_validate(values), campaigns=CampaignSettings())


def send(engine: Engine, root: Path, settings: Settings, *, stop: threading.Event | None = None) -> RunResult:
    with EventLog(LogSettings(file=Path("log"), level="debug"), root) as log:
        return dispatch(
            engine,
            1,
            relays=open_relays(settings, root, backoff=FAST_BACKOFF),
            settings=settings,
            root=root,
            build_message=build_plain,
            event_log=log,
            stop=stop,
        )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_keys(tmp_path)


@pytest.mark.parametrize(("mechanism", "checks_sessions"), [("XOAUTH2", False), ("OAUTHBEARER", True)])
def test_a_token_that_ends_in_mid_campaign_is_replaced_and_nobody_is_lost(
    engine: Engine, root: Path, provider: OAuthProvider, mechanism: str, checks_sessions: bool
) -> None:
    add_campaign(engine, 60)
    sign_in_person(provider, make_sign_in(provider), root)
    with Relay(provider, mechanism=mechanism, per_token=20, checks_sessions=checks_sessions) as relay:
        ending = send(engine, root, make_settings(relay, provider))
        assert Counter(relay.acknowledged) == Counter(read_states(engine).keys())
    assert ending.outcome is RunOutcome.finished
    assert (ending.counts.sent, ending.counts.audience) == (60, 60)
    assert 2 <= provider.renewals <= 6
    assert {login[:2] for login in relay.logins} == {(mechanism, ACCOUNT)}
    assert find_secrets(provider, root) == []


@pytest.mark.soak
def test_ten_thousand_messages_are_sent_once_while_each_token_lasts_for_a_hundred(
    sqlite_engine: Engine, root: Path, figure: Callable[[str], None]
) -> None:
    add_campaign(sqlite_engine, 10_000)
    with (
        OAuthProvider() as provider,
        Relay(provider, per_token=100, checks_sessions=True) as relay,
    ):
        sign_in_person(provider, make_sign_in(provider), root)
        settings = make_settings(relay, provider, connections=10, messages_per_connection=50)
        ending = send(sqlite_engine, root, settings)
        assert Counter(relay.acknowledged) == Counter(read_states(sqlite_engine).keys())
        assert ending.counts.sent == 10_000
        assert provider.renewals >= 90
        assert find_secrets(provider, root) == []
        figure(
            f"A sign-in whose token ends every 100 messages of 10,000: {ending.counts.sent:,} sent once, 0 "
            f"lost, over {provider.renewals} renewals and {len(relay.logins):,} logins."
        )


def test_an_old_token_is_renewed_before_the_first_login(
    sqlite_engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(sqlite_engine, 3)
    sign_in_person(provider, make_sign_in(provider), root, age=timedelta(hours=2))
    provider.end_access_tokens()
    with Relay(provider) as relay:
        assert send(sqlite_engine, root, make_settings(relay, provider)).counts.sent == 3
        assert {token for *_, token in relay.logins} <= provider.valid


def test_a_token_near_its_end_is_renewed_while_the_campaign_goes_on(
    sqlite_engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(sqlite_engine, 40)
    first = sign_in_person(provider, make_sign_in(provider), root, age=timedelta(minutes=50)).access_token
    provider.released.clear()
    with Relay(provider) as relay:
        # The provider answers only after half of the campaign has been sent with the old token.
        relay.on_message = lambda count: provider.released.set() if count == 20 else None
        ending = send(sqlite_engine, root, make_settings(relay, provider))
    assert ending.counts.sent == 40
    assert relay.logins[0][2] == first
    assert provider.renewals == 1


def test_a_revoked_sign_in_pauses_the_campaign_with_what_to_do(
    engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(engine, 40)
    sign_in_person(provider, make_sign_in(provider), root)
    with Relay(provider) as relay:

        def revoke(count: int) -> None:
            if count == 15:
                provider.end_sign_in()
                provider.end_access_tokens()

        relay.on_message = revoke
        ending = send(engine, root, make_settings(relay, provider))
        assert ending.outcome is RunOutcome.paused
        assert "has ended the sign-in" in (ending.reason or "")
        assert "Run `mailer login main`." in (ending.reason or "")
        assert 15 <= ending.counts.sent < 40
        assert ending.counts.sent + ending.counts.queued == 40
        # Somebody signs in, and resumes it.
        sign_in_person(provider, make_sign_in(provider), root)
        set_campaign_state(engine, 1, CampaignState.sending)
        relay.on_message = lambda _: None
        assert send(engine, root, make_settings(relay, provider)).outcome is RunOutcome.finished
        assert Counter(relay.acknowledged) == Counter(read_states(engine).keys())
    assert find_secrets(provider, root) == []


def test_while_the_provider_is_down_the_campaign_waits_and_says_why(
    engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(engine, 10)
    sign_in_person(provider, make_sign_in(provider), root, age=timedelta(hours=2))
    provider.page = (503, "<h1>Service unavailable</h1>")
    endings: list[RunResult] = []
    with Relay(provider) as relay:
        settings = make_settings(relay, provider)
        thread = threading.Thread(target=lambda: endings.append(send(engine, root, settings)), daemon=True)
        thread.start()
        # More often in a row than a relay may fail before it is set aside.
        while provider.pages_sent < 12 or not any(list_notices(engine)):
            assert thread.is_alive()
        (notice,) = list_notices(engine)
        assert "answers 503" in notice
        assert relay.logins == []
        provider.page = None
        thread.join(30)
    assert endings[0].outcome is RunOutcome.finished
    assert endings[0].counts.sent == 10


def list_notices(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [notice for notice in connection.scalars(select(col(Dispatcher.notice))) if notice]


def test_another_relay_goes_on_while_one_cannot_sign_in(
    sqlite_engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(sqlite_engine, 12)
    with Relay(provider) as closed, ScriptedServer() as open_:
        relays = [
            {"name": "a", "url": f"smtp://news@127.0.0.1:{closed.port}", "oauth": provider.settings},
            {"name": "b", "url": open_.url, "priority": 2},
        ]
        smtp = SmtpSettings.model_validate({"relays": relays, "timeout": 5, "final_timeout": 5})
        ending = send(sqlite_engine, root, Settings(sender=SENDER, smtp=smtp))
        assert ending.outcome is RunOutcome.finished
        assert len(open_.acknowledged) == 12


def test_a_relay_that_refuses_every_token_pauses_with_its_words(
    sqlite_engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(sqlite_engine, 5)
    sign_in_person(provider, make_sign_in(provider), root)
    with Relay(provider) as relay:
        relay.accepts_token = lambda _: False
        ending = send(sqlite_engine, root, make_settings(relay, provider, connections=1))
    assert ending.outcome is RunOutcome.paused
    assert "535 5.7.3 Authentication unsuccessful" in (ending.reason or "")
    # One renewal, and no more: a new token is no better.
    assert provider.renewals == 1
    assert len(relay.logins) == 2


def test_tokens_that_end_faster_than_we_log_in_do_not_stop_the_campaign(
    sqlite_engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(sqlite_engine, 4)
    sign_in_person(provider, make_sign_in(provider), root)
    with Relay(provider) as relay:
        # The first login, then all that one connection tries and half of what the next does.
        answers = iter([True, False, False, False, False, True])
        relay.accepts_token = lambda _: next(answers, True)
        settings = make_settings(relay, provider, connections=1, messages_per_connection=1)
        ending = send(sqlite_engine, root, settings)
    assert ending.outcome is RunOutcome.finished
    assert ending.counts.sent == 4


def test_a_relay_that_quotes_the_login_does_not_put_the_token_into_log_or_campaign(
    sqlite_engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(sqlite_engine, 2)
    sign_in_person(provider, make_sign_in(provider), root)
    with Relay(provider) as relay:
        seen: list[str] = []

        def quote(verb: str, argument: str) -> str | None:
            if verb != "AUTH":
                return None
            seen.append(argument)
            return f"554 5.5.2 Cannot parse: AUTH {argument}"

        relay.script = quote  # type: ignore[assignment]
        ending = send(sqlite_engine, root, make_settings(relay, provider))
    assert find_in_text(provider, seen[0])
    assert "554 5.5.2 Cannot parse: AUTH XOAUTH2 …" in (ending.reason or "")
    assert find_in_text(provider, ending.reason or "") == []
    assert find_secrets(provider, root) == []


def test_no_backup_has_a_token_in_the_clear(
    sqlite_engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(sqlite_engine, 5)
    sign_in_person(provider, make_sign_in(provider), root, age=timedelta(hours=2))
    with Relay(provider) as relay:
        send(sqlite_engine, root, make_settings(relay, provider))
    backup(sqlite_engine, root / "copy.db")
    assert len(provider.issued) >= 2
    assert find_secrets(provider, root) == []


def test_an_application_sends_without_a_person(sqlite_engine: Engine, root: Path) -> None:
    add_campaign(sqlite_engine, 20)
    with OAuthProvider() as provider, Relay(provider, per_token=8) as relay:
        oauth = provider.settings | {
            "grant": "client_credentials",
            "tenant": "example.org",
            "client_secret_file": str(write_secret(root)),
        }
        ending = send(sqlite_engine, root, make_settings(relay, provider, oauth=oauth))
        assert ending.outcome is RunOutcome.finished
        (root / "client-secret").unlink()
        assert find_secrets(provider, root) == []


def test_the_probe_logs_in_and_says_who_must_sign_in(root: Path, provider: OAuthProvider) -> None:
    with Relay(provider) as relay:
        settings = make_settings(relay, provider).smtp
        with pytest.raises(ProbeError, match=r"Nobody has signed in yet\. Run `mailer login main`"):
            probe_server(make_smtp_options(settings, root))
        sign_in_person(provider, make_sign_in(provider), root)
        assert probe_server(make_smtp_options(settings, root)).mechanism is not None


def test_the_file_of_the_sign_in_is_read_again_by_a_program_that_runs(
    sqlite_engine: Engine, root: Path, provider: OAuthProvider
) -> None:
    add_campaign(sqlite_engine, 30)
    sign_in = make_sign_in(provider)
    sign_in_person(provider, sign_in, root)
    with Relay(provider) as relay:

        def sign_in_again(count: int) -> None:
            if count == 10:
                provider.end_sign_in()
                provider.end_access_tokens()
                sign_in_person(provider, sign_in, root)

        relay.on_message = sign_in_again
        assert send(sqlite_engine, root, make_settings(relay, provider)).counts.sent == 30
    assert provider.renewals == 0
    assert GrantStore(root=root).read("main") is not None
