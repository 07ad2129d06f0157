"""Several relays: weights, failover and recovery, quarantine, and running out of relays."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mailer.dispatch.relays import BackoffPolicy, ConnectionBackoff, Relay, Relays, open_relays
from mailer.errors import ConfigurationError
from mailer.settings import SenderSettings, Settings, SmtpSettings
from mailer.smtp.interfaces import Connection, MessageSource, Transport
from mailer.smtp.maildir import MaildirTransport
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict

LOST = Outcome(verdict=Verdict.give_back, stage=Stage.connect, text="connection refused", reconnect=True)
REFUSED = Outcome(verdict=Verdict.stop, stage=Stage.login, code=535, text="5.7.8 Bad login", reconnect=True)
POLICY = BackoffPolicy(max_failures=3, initial_delay=1, max_delay=8)
QUARANTINE_SECONDS = 600.0


class UnusedTransport:
    """A transport that is never connected: only the choice of relay is tested."""

    async def connect(self, source: MessageSource) -> Connection:
        raise NotImplementedError


@dataclass
class Time:
    """Both clocks of a machine, moved by hand. Whole seconds, so that sums are exact."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 10, 2, tzinfo=UTC) + timedelta(seconds=self.seconds)


@dataclass
class RelayHarness:
    """Relays with a clock that tests move by hand, and each relay by its name."""

    relays: Relays
    time: Time
    names: dict[str, Relay] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = {relay.name: relay for relay in self.relays}

    def __getitem__(self, name: str) -> Relay:
        return self.names[name]

    def chosen(self) -> str | None:
        relay = self.relays.choose()
        return relay.name if relay else None

    def fail(self, name: str, times: int = 1, outcome: Outcome = LOST) -> None:
        """Connections fail one after another, each opened after the last had failed."""
        for _ in range(times):
            self.relays.report_failure(self[name], self[name].backoff.epoch, outcome)


def make_harness(*relays: dict[str, Any], policy: BackoffPolicy = POLICY) -> RelayHarness:
    time = Time()
    made = []
    for values in relays:
        values = {"settings": SmtpSettings(), **values}
        made.append(
            Relay(transport=UnusedTransport(), backoff=ConnectionBackoff(policy, time.monotonic), **values)
        )
    return RelayHarness(
        Relays(made, monotonic=time.monotonic, now=time.now, quarantine_seconds=QUARANTINE_SECONDS), time
    )


def main_and_backup() -> RelayHarness:
    return make_harness({"name": "main"}, {"name": "backup", "priority": 2})


# --- which relay is chosen


def test_a_thousand_connections_are_shared_exactly_by_weight() -> None:
    harness = make_harness({"name": "a", "weight": 5}, {"name": "b", "weight": 3}, {"name": "c", "weight": 2})
    assert Counter(harness.chosen() for _ in range(1_000)) == {"a": 500, "b": 300, "c": 200}


def test_the_heaviest_relay_does_not_get_its_share_in_a_row() -> None:
    harness = make_harness({"name": "a", "weight": 5}, {"name": "b"}, {"name": "c"})
    assert [harness.chosen() for _ in range(7)] == ["a", "a", "b", "a", "c", "a", "a"]


def test_weights_apply_to_messages_where_connections_differ_in_length() -> None:
    short, long = SmtpSettings(messages_per_connection=50), SmtpSettings(messages_per_connection=150)
    harness = make_harness({"name": "short", "settings": short}, {"name": "long", "settings": long})
    counted = Counter(harness.chosen() for _ in range(1_000))
    assert counted["short"] * 50 == counted["long"] * 150


@given(weights=st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=5))
def test_every_round_matches_the_weights_exactly(weights: list[int]) -> None:
    harness = make_harness(*({"name": f"r{n}", "weight": weight} for n, weight in enumerate(weights)))
    for _ in range(3):
        counted = Counter(harness.chosen() for _ in range(sum(weights)))
        assert counted == {f"r{n}": weight for n, weight in enumerate(weights)}


def test_a_lower_priority_is_not_used_while_a_higher_one_works() -> None:
    harness = make_harness({"name": "main"}, {"name": "backup", "priority": 2, "weight": 9})
    assert {harness.chosen() for _ in range(50)} == {"main"}


# --- failing over, and coming back


def test_while_one_relay_waits_the_next_priority_is_used() -> None:
    harness = main_and_backup()
    harness.fail("main")
    assert harness.chosen() == "backup"
    harness.time.seconds = 1
    assert harness.chosen() == "main"


def test_waits_double_up_to_the_maximum() -> None:
    harness = make_harness(
        {"name": "main"}, policy=BackoffPolicy(max_failures=9, initial_delay=1, max_delay=8)
    )
    waits = []
    for _ in range(6):
        harness.fail("main")
        waits.append(harness.relays.seconds_to_wait())
        harness.time.seconds += waits[-1]
    assert waits == [1, 2, 4, 8, 8, 8]


def test_connections_that_fail_together_count_as_one_failure() -> None:
    harness = main_and_backup()
    epoch = harness["main"].backoff.epoch
    for _ in range(20):
        harness.relays.report_failure(harness["main"], epoch, LOST)
    assert (harness["main"].backoff.failures, harness.relays.seconds_to_wait()) == (1, 0)
    harness.time.seconds = 1
    assert harness.chosen() == "main"


def test_a_success_between_failures_resets_the_count() -> None:
    harness = main_and_backup()
    for _ in range(10):
        harness.fail("main", POLICY.max_failures - 1)
        harness.relays.report_success(harness["main"])
    assert not any("set aside" in notice for notice in harness.relays.notices())


def test_after_too_many_failures_a_relay_is_quarantined() -> None:
    harness = main_and_backup()
    harness.fail("main", POLICY.max_failures)
    harness.time.seconds = QUARANTINE_SECONDS - 1
    assert {harness.chosen() for _ in range(20)} == {"backup"}


def test_a_relay_that_refuses_us_is_quarantined_at_once_with_its_words() -> None:
    harness = main_and_backup()
    harness.relays.report_refusal(harness["main"], REFUSED)
    assert harness.chosen() == "backup"
    assert harness.relays.notices() == (
        "relay main has been set aside since 10:02 UTC: 535 5.7.8 Bad login; next try 10:12 UTC",
    )


def test_a_login_refused_while_connecting_is_a_refusal_too() -> None:
    harness = main_and_backup()
    harness.fail("main", outcome=REFUSED)
    assert "535 5.7.8 Bad login" in harness.relays.notices()[0]


def test_one_connection_tries_a_relay_that_was_quarantined_and_the_others_stay_away() -> None:
    harness = main_and_backup()
    harness.relays.report_refusal(harness["main"], REFUSED)
    harness.time.seconds = QUARANTINE_SECONDS
    assert [harness.chosen() for _ in range(4)] == ["main", "backup", "backup", "backup"]
    assert harness.relays.notices() == (
        "relay main has been set aside since 10:02 UTC: 535 5.7.8 Bad login; "
        "one connection is testing it now",
    )


def test_a_relay_that_works_again_gets_the_new_connections() -> None:
    harness = main_and_backup()
    harness.fail("main", POLICY.max_failures)
    harness.time.seconds = QUARANTINE_SECONDS
    assert harness.chosen() == "main"
    harness.relays.report_success(harness["main"])
    assert {harness.chosen() for _ in range(10)} == {"main"}
    assert harness.relays.notices() == ()


@pytest.mark.parametrize("outcome", [LOST, REFUSED])
def test_a_relay_that_fails_its_trial_is_quarantined_again(outcome: Outcome) -> None:
    harness = main_and_backup()
    harness.relays.report_refusal(harness["main"], REFUSED)
    harness.time.seconds = QUARANTINE_SECONDS
    assert harness.chosen() == "main"
    harness.fail("main", outcome=outcome)
    harness.time.seconds = 2 * QUARANTINE_SECONDS - 1
    assert harness.chosen() == "backup"
    (notice,) = harness.relays.notices()
    assert "since 10:02 UTC" in notice
    assert outcome.reason in notice


def test_a_trial_without_a_result_is_followed_by_another() -> None:
    harness = main_and_backup()
    harness.relays.report_refusal(harness["main"], REFUSED)
    harness.time.seconds = QUARANTINE_SECONDS
    assert harness.chosen() == "main"
    harness.time.seconds = 2 * QUARANTINE_SECONDS
    assert harness.chosen() == "main"


def test_an_old_connection_that_still_works_does_not_bring_a_relay_back() -> None:
    harness = main_and_backup()
    harness.relays.report_refusal(harness["main"], REFUSED)
    harness.relays.report_success(harness["main"])
    assert harness.chosen() == "backup"


def test_a_relay_at_its_daily_limit_is_paused() -> None:
    harness = main_and_backup()
    harness.relays.pause(harness["main"], 3_600, "200 messages of today are sent")
    assert harness.chosen() == "backup"
    assert harness.relays.notices() == (
        "relay main is paused until 11:02 UTC: 200 messages of today are sent",
    )
    harness.time.seconds = 3_600
    assert (harness.chosen(), harness.relays.notices()) == ("main", ())


def test_a_waiting_relay_says_why() -> None:
    harness = main_and_backup()
    harness.fail("main", 2)
    assert harness.relays.notices() == (
        "relay main failed 2 times in a row: connection refused; next try 10:02 UTC",
    )


# --- when none is left


def test_a_single_relay_that_fails_too_often_ends_the_run_with_its_error() -> None:
    harness = make_harness({"name": "main"})
    harness.fail("main", POLICY.max_failures - 1)
    assert harness.relays.explain_exhaustion() is None
    harness.fail("main")
    assert (
        harness.relays.explain_exhaustion() == "The mail server failed 3 times in a row: connection refused"
    )
    assert harness.chosen() is None


def test_a_single_relay_that_refuses_us_ends_the_run_with_its_refusal() -> None:
    harness = make_harness({"name": "main"})
    harness.relays.report_refusal(harness["main"], REFUSED)
    assert harness.relays.explain_exhaustion() == "The mail server refuses the login: 535 5.7.8 Bad login"


def test_when_all_are_quarantined_each_is_named_with_its_reason() -> None:
    harness = main_and_backup()
    harness.relays.report_refusal(harness["main"], REFUSED)
    assert harness.relays.explain_exhaustion() is None
    harness.fail("backup", POLICY.max_failures)
    assert harness.relays.explain_exhaustion() == (
        "No relay can be used. main: The mail server refuses the login: 535 5.7.8 Bad login. "
        "backup: The mail server failed 3 times in a row: connection refused."
    )


def test_relays_are_not_exhausted_while_one_is_due_or_on_trial() -> None:
    harness = main_and_backup()
    harness.relays.report_refusal(harness["main"], REFUSED)
    harness.time.seconds = QUARANTINE_SECONDS
    harness.relays.report_refusal(harness["backup"], REFUSED)
    assert harness.relays.explain_exhaustion() is None
    assert harness.chosen() == "main"
    assert harness.relays.explain_exhaustion() is None
    harness.relays.report_refusal(harness["main"], REFUSED)
    assert harness.relays.explain_exhaustion() is not None


def test_relays_are_not_exhausted_while_one_is_paused() -> None:
    harness = main_and_backup()
    harness.relays.report_refusal(harness["main"], REFUSED)
    harness.relays.pause(harness["backup"], 60, "enough for today")
    assert (harness.relays.explain_exhaustion(), harness.chosen(), harness.relays.seconds_to_wait()) == (
        None,
        None,
        60,
    )


# --- against a model


@dataclass
class Model:
    """One relay, modelled as simply as possible."""

    priority: int
    failures: int = 0
    epoch: int = 0
    waits_until: float = 0
    rests_until: float = 0
    quarantined_until: float | None = None
    is_probed: bool = False

    def free_at(self) -> float:
        return max(self.waits_until, self.rests_until, self.quarantined_until or 0)

    def quarantine(self, now: float) -> None:
        self.quarantined_until, self.is_probed = now + QUARANTINE_SECONDS, False


class RelayMachine(RuleBasedStateMachine):
    """Any events in any order: which relay may be chosen, how long to wait, and when none is left."""

    @initialize(priorities=st.lists(st.integers(min_value=0, max_value=2), min_size=1, max_size=4))
    def start(self, priorities: list[int]) -> None:
        relays = [{"name": f"r{n}", "priority": priority} for n, priority in enumerate(priorities)]
        self.harness = make_harness(*relays)
        self.models = {f"r{n}": Model(priority) for n, priority in enumerate(priorities)}

    def pick(self, number: int) -> tuple[Relay, Model]:
        name = f"r{number % len(self.models)}"
        return self.harness[name], self.models[name]

    @property
    def now(self) -> float:
        return self.harness.time.seconds

    @rule(seconds=st.sampled_from([1, 2, 7, 60, 599, 600, 700]))
    def time_passes(self, seconds: int) -> None:
        self.harness.time.seconds += seconds

    @rule(number=st.integers(min_value=0, max_value=3), age=st.integers(min_value=0, max_value=2))
    def fails(self, number: int, age: int) -> None:
        relay, model = self.pick(number)
        self.harness.relays.report_failure(relay, relay.backoff.epoch - age, LOST)
        if age:
            return
        model.failures += 1
        model.waits_until = self.now + min(2 ** (model.failures - 1), POLICY.max_delay)
        is_trial_lost = model.quarantined_until is not None and model.is_probed
        if is_trial_lost or (model.quarantined_until is None and model.failures >= POLICY.max_failures):
            model.quarantine(self.now)

    @rule(number=st.integers(min_value=0, max_value=3), by_connecting=st.booleans())
    def refuses(self, number: int, by_connecting: bool) -> None:
        relay, model = self.pick(number)
        if by_connecting:
            self.harness.relays.report_failure(relay, relay.backoff.epoch, REFUSED)
        else:
            self.harness.relays.report_refusal(relay, REFUSED)
        model.quarantine(self.now)

    @rule(number=st.integers(min_value=0, max_value=3))
    def serves(self, number: int) -> None:
        relay, model = self.pick(number)
        self.harness.relays.report_success(relay)
        if model.quarantined_until is None or model.is_probed:
            model.failures, model.quarantined_until, model.is_probed = 0, None, False

    @rule(number=st.integers(min_value=0, max_value=3), seconds=st.sampled_from([5, 1_000]))
    def rests(self, number: int, seconds: int) -> None:
        relay, model = self.pick(number)
        self.harness.relays.pause(relay, seconds, "enough")
        model.rests_until = self.now + seconds

    @rule()
    def connects(self) -> None:
        free = {name for name, model in self.models.items() if model.free_at() <= self.now}
        first = min((self.models[name].priority for name in free), default=None)
        chosen = self.harness.chosen()
        assert chosen in {name for name in free if self.models[name].priority == first} or not free
        assert (chosen is None) == (not free)
        if chosen is not None and (model := self.models[chosen]).quarantined_until is not None:
            model.is_probed, model.quarantined_until = True, self.now + QUARANTINE_SECONDS

    @invariant()
    def the_wait_lasts_until_a_relay_is_free(self) -> None:
        free_at = min(model.free_at() for model in self.models.values())
        assert self.harness.relays.seconds_to_wait() == max(0, free_at - self.now)

    @invariant()
    def relays_are_exhausted_when_none_could_work(self) -> None:
        is_over = all(
            model.quarantined_until is not None and not model.is_probed and model.quarantined_until > self.now
            for model in self.models.values()
        )
        assert (self.harness.relays.explain_exhaustion() is not None) == is_over

    @invariant()
    def relays_set_aside_are_in_the_notices(self) -> None:
        told = {line.split()[1] for line in self.harness.relays.notices() if "has been set aside" in line}
        assert told == {name for name, model in self.models.items() if model.quarantined_until is not None}


TestRelayMachine = RelayMachine.TestCase
TestRelayMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


# --- from the settings


def make_settings(smtp: dict[str, Any]) -> Settings:
    sender = SenderSettings(
        name="News", address="news@example.org", organisation="Office", postal_address="1 Street, Town"
    )
    return Settings(sender=sender, smtp=SmtpSettings.model_validate(smtp))


def test_a_single_url_is_one_relay_called_main(tmp_path: Path) -> None:
    relays = open_relays(make_settings({"url": "smtp://mx.example.org", "rate": 14}), tmp_path)
    (relay,) = relays
    assert (len(relays), relay.name, relay.settings.rate, relays.choose()) == (1, "main", 14, relay)


def test_a_folder_works_as_the_only_relay(tmp_path: Path) -> None:
    (relay,) = open_relays(make_settings({"url": "maildir:received"}), tmp_path)
    assert isinstance(relay.transport, MaildirTransport)


def test_every_relay_inherits_the_settings_it_leaves_out(tmp_path: Path) -> None:
    smtp = {
        "rate": 14,
        "timeout": 7,
        "messages_per_connection": 20,
        "relays": [
            {"name": "own", "url": "smtp://a.example.org", "rate": 2, "priority": 0, "weight": 3},
            {"name": "inheriting", "url": "smtp://b.example.org", "messages_per_connection": 5},
        ],
    }
    seen: list[SmtpSettings] = []

    def make(values: SmtpSettings, root: Path) -> Transport:
        seen.append(values)
        return UnusedTransport()

    own, inheriting = open_relays(make_settings(smtp), tmp_path, factory=make)
    assert (own.priority, own.weight, inheriting.priority, inheriting.weight) == (0, 3, 1, 1)
    chosen = [(relay.settings.rate, relay.settings.messages_per_connection) for relay in (own, inheriting)]
    assert chosen == [(2, 20), (14, 5)]
    assert [(values.url, values.timeout) for values in seen] == [
        ("smtp://a.example.org", 7),
        ("smtp://b.example.org", 7),
    ]


@pytest.mark.parametrize(
    ("relays", "words"),
    [
        ([("a", "smtp://x"), ("a", "smtp://y")], "two relays are named 'a'"),
        ([("a", "smtp://x"), ("b", "maildir:out")], "b: a folder cannot be one of several relays"),
        ([("a", "smtp://x"), ("b", "smtp://news@y")], r"^\[\[smtp.relays\]\] b: url names a user but no"),
        ([("a", "http://x")], r"^\[\[smtp.relays\]\] a: url = "),
    ],
)
def test_an_unusable_relay_is_named(tmp_path: Path, relays: list[tuple[str, str]], words: str) -> None:
    smtp = {"relays": [{"name": name, "url": url} for name, url in relays]}
    with pytest.raises(ConfigurationError, match=words):
        open_relays(make_settings(smtp), tmp_path)


def test_two_dispatchers_choose_the_same_relays(tmp_path: Path) -> None:
    smtp = {"relays": [{"name": name, "url": f"smtp://{name}", "weight": 3} for name in ("a", "b", "c")]}
    first, second = (open_relays(make_settings(smtp), tmp_path) for _ in range(2))
    for _ in range(20):
        one, other = first.choose(), second.choose()
        assert one is not None
        assert other is not None
        assert one.name == other.name
