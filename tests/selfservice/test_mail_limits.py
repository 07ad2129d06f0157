"""What strangers can have mailed, over all networks, on both databases, and who waits for it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select, update
from sqlmodel import Session, col

from mailer.database.models import QueuedTransactionalMail, Throttle, TransactionalMailKind
from mailer.dispatch.waiting_mails import QueueRun
from mailer.selfservice.mail_requests import Visitor, request_mail
from mailer.selfservice.mail_worker import READER_MAILS, forget_counts
from mailer.selfservice.rate_limit import (
    ALL_MAILS,
    ALL_REQUESTS,
    DOMAIN,
    LIMITS,
    MAIL_WINDOW,
    NETWORK,
    WIDER_NETWORK,
    MailLimiter,
    TooManyRequestsError,
    UsedFormError,
    count_attempt,
    make_key,
    make_network_key,
)
from mailer.workspace import Workspace, open_workspace
from subscribers.consent.suppression import SuppressionKey
from tests.servers.scripted_smtp import Act, ScriptedServer, answering
from tests.web.site import add_reader, opened_engine

KEY = SuppressionKey(b"k" * 32)
AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONFIRM = TransactionalMailKind.confirm


class Desk:
    """The requests of strangers and the worker, on a clock of the test's own."""

    def __init__(self, workspace: Workspace, engine: Engine) -> None:
        self.workspace, self.engine = workspace, engine
        self.now = AT
        self._forms = 0

    def clock(self, _: Connection) -> datetime:
        return self.now

    def ask(self, email: str, network: str = "192.0.2.1", kind: TransactionalMailKind = CONFIRM) -> None:
        self._forms += 1
        visitor = Visitor(address=network, evidence="", language="en")
        request_mail(
            *(self.engine, self.workspace.keys, kind, email, visitor),
            form_token=f"form {self._forms}",
            clock=self.clock,
        )

    def send(self) -> int:
        return READER_MAILS.send_due(self.make_run()).sent

    def make_run(self) -> QueueRun:
        return QueueRun(workspace=self.workspace, engine=self.engine, clock=self.clock)

    def claim(self) -> str:
        """The recipient of the next mail that is due, which is claimed; "" if it may not be sent now."""
        run = self.make_run()
        number = READER_MAILS.find_due(run)
        claimed = None if number is None else READER_MAILS.claim(run, number)
        return "" if claimed is None else claimed.mail.envelope

    def claim_all(self) -> list[str]:
        """The recipients whose mails may be sent now, in the order of the queue."""
        claimed = []
        for _ in range(self.count_queued()):
            if email := self.claim():
                claimed.append(email)
        return claimed

    def count_queued(self) -> int:
        with Session(self.engine) as session:
            return len(session.execute(select(QueuedTransactionalMail.id)).all())  # type: ignore[call-overload]


def open_desk(workspace: Workspace, engine: Engine, url: str = "smtp://127.0.0.1:9") -> Desk:
    environ = {"MAILER_SMTP__URL": url, "MAILER_DATABASE__URL": workspace.settings.database.url}
    return Desk(open_workspace(workspace.root, environ=environ), engine)


# --- one address --------------------------------------------------------------------------------------------


def test_a_relay_that_keeps_the_mail_and_drops_the_line_gets_one_of_a_kind_a_day(
    workspace: Workspace,
) -> None:
    """Thirty hours of requests from ever new networks: the second mail is the second day's."""
    with (
        ScriptedServer(script=answering((".", "", Act.abort))) as server,
        opened_engine(workspace) as engine,
    ):
        add_reader(engine, workspace.keys, "known@target.example")
        desk = open_desk(workspace, engine, server.url)
        began = desk.now
        while desk.now - began < timedelta(hours=30):
            network = f"2001:db8:{int((desk.now - began).total_seconds()) // 60:x}::1"
            desk.ask("victim@target.example", network)
            desk.ask("known@target.example", network, TransactionalMailKind.link)
            desk.send()
            assert desk.count_queued() == 0, "a mail in doubt ends"
            desk.now += HOUR
        assert len(set(server.message_ids())) == len(server.kept)
        assert Counter(server.recipients) == {"victim@target.example": 2, "known@target.example": 2}
        assert server.recipients[:2] == ["victim@target.example", "known@target.example"]


def test_a_mail_put_off_for_hours_takes_the_day_of_its_last_attempt(workspace: Workspace) -> None:
    said = ["451 4.3.0 Not now"]
    script = lambda verb, _: said[0] if verb == "." else None  # noqa: E731
    with ScriptedServer(script=script) as server, opened_engine(workspace) as engine:
        desk = open_desk(workspace, engine, server.url)
        desk.ask("victim@target.example")
        desk.send()
        desk.now += timedelta(hours=23)
        said[0] = "250 2.0.0 Ok"
        assert desk.send() == 1
        for _ in range(23):
            desk.ask("victim@target.example", f"192.0.{len(server.mails)}.9")
            desk.send()
            desk.now += HOUR
        assert len(server.kept) == 1


def test_a_mail_whose_senders_keep_dying_is_tried_twice(workspace: Workspace) -> None:
    with opened_engine(workspace) as engine:
        desk = open_desk(workspace, engine)
        desk.ask("victim@target.example")
        claimed = 0
        for _ in range(40):
            claimed += desk.claim() != ""
            desk.now += timedelta(minutes=31)
        assert (claimed, desk.count_queued()) == (2, 0)


# --- networks, domains, all together ------------------------------------------------------------------------


@pytest.fixture
def limiter(engine: Engine) -> MailLimiter:
    connection = engine.connect()
    return MailLimiter(connection=connection, key=KEY, now=AT)


def set_count(connection: Connection, key: str, used: int) -> None:
    connection.execute(insert(Throttle).values(key=key, since=AT, used=used))


def count_accepted(limiter: MailLimiter, networks: list[str]) -> int:
    accepted = 0
    for network in networks:
        try:
            limiter.count_request(network)
        except TooManyRequestsError:
            continue
        accepted += 1
    return accepted


@pytest.mark.parametrize(
    ("networks", "accepted"),
    [
        (["192.0.2.1"] * 30, NETWORK.maximum),
        (["::ffff:192.0.2.1", "192.0.2.1"] * 15, NETWORK.maximum),
        ([f"2001:db8:1:1::{n:x}" for n in range(30)], NETWORK.maximum),
        ([f"2001:db8:1:{n:x}::1" for n in range(300)], WIDER_NETWORK.maximum),
        ([f"192.0.2.{n}" for n in range(100)], WIDER_NETWORK.maximum),
        ([f"192.0.{n}.1" for n in range(100)], 100),
        ([f"2001:db8:{n:x}::1" for n in range(100)], 100),
        (["nonsense", "", "fe80::1%eth0", "fe80::2%eth1"] * 20, 2 * NETWORK.maximum),
    ],
)
def test_a_network_asks_so_often_and_its_wider_network_not_much_more(
    limiter: MailLimiter, networks: list[str], accepted: int
) -> None:
    with limiter.connection:
        assert count_accepted(limiter, networks) == accepted


def test_all_together_ask_so_often(limiter: MailLimiter) -> None:
    with limiter.connection as connection:
        set_count(connection, make_key(KEY, ALL_REQUESTS, ""), ALL_REQUESTS.maximum - 3)
        assert count_accepted(limiter, [f"2001:db8:{n:x}::1" for n in range(9)]) == 3


def test_what_a_network_is_refused_is_not_taken_from_its_neighbours(limiter: MailLimiter) -> None:
    with limiter.connection:
        count_accepted(limiter, ["192.0.2.1"] * 200)
        assert count_accepted(limiter, ["192.0.2.2"] * 5) == 5


def test_a_domain_gets_its_mails_by_the_hour_and_none_is_lost(either_workspace: Workspace) -> None:
    with opened_engine(either_workspace) as engine:
        desk = open_desk(either_workspace, engine)
        sent = DOMAIN.maximum - 3
        with engine.begin() as connection:
            set_count(connection, make_key(desk.workspace.keys.suppression, DOMAIN, "victim.example"), sent)
        asked = [f"v{number}@victim.example" for number in range(7)]
        for number, email in enumerate(asked):
            desk.ask(email, f"2001:db8:{number:x}::1")
        assert desk.claim_all() == asked[:3]
        desk.ask("mei@example.org")
        desk.now += timedelta(minutes=6)
        assert desk.claim_all() == ["mei@example.org"]
        desk.now += timedelta(minutes=56)
        assert set(asked[3:]) <= set(desk.claim_all())


def test_all_mails_together_have_an_hourly_limit(limiter: MailLimiter) -> None:
    with limiter.connection:
        limiter.count_mail("a@example.org")
        for used, busy, quiet in ((ALL_MAILS.maximum // 2, True, False), (ALL_MAILS.maximum, True, True)):
            limiter.connection.execute(
                update(Throttle).values(used=used).where(col(Throttle.key) == make_key(KEY, ALL_MAILS, ""))
            )
            assert (limiter.find_delay("a@new.example", 3) == AT + HOUR) is busy
            assert (limiter.find_delay("a@new.example", 1) == AT + HOUR) is quiet


def test_a_reader_does_not_wait_behind_a_flood(either_workspace: Workspace) -> None:
    """A wider network asks again and again; the mail of the reader who asks last is the second to go."""
    with opened_engine(either_workspace) as engine:
        desk = open_desk(either_workspace, engine)
        for number in range(12):
            desk.ask(f"v{number}@victim{number % 9}.example", f"2001:db8:1:{number:x}::1")
        desk.ask("mei@example.org", "198.51.100.7")
        assert [desk.claim(), desk.claim()] == ["v0@victim0.example", "mei@example.org"]


def test_a_flood_to_a_domain_leaves_half_of_it_to_its_readers(workspace: Workspace) -> None:
    with opened_engine(workspace) as engine:
        desk = open_desk(workspace, engine)
        with engine.begin() as connection:
            key = make_key(desk.workspace.keys.suppression, DOMAIN, "victim.example")
            set_count(connection, key, DOMAIN.maximum // 2 - 4)
        for number in range(9):
            desk.ask(f"v{number}@victim.example", f"2001:db8:1:{number:x}::1")
        assert len(desk.claim_all()) == 4
        desk.ask("mei@victim.example", "198.51.100.7")
        assert desk.claim_all() == ["mei@victim.example"]


# --- what is kept -------------------------------------------------------------------------------------------


def test_nothing_is_kept_longer_than_it_has_an_effect(either_workspace: Workspace) -> None:
    with opened_engine(either_workspace) as engine:
        desk = open_desk(either_workspace, engine)
        desk.ask("mei@example.org", "192.0.2.1")
        desk.claim_all()
        names = read_names(engine)
        assert names == {"network", "wider-network", "requests", "domain", "mails", "form", "join"}
        desk.now += HOUR
        forget_counts(engine, desk.clock)
        assert read_names(engine) == {"form", "join"}
        desk.now += MAIL_WINDOW
        forget_counts(engine, desk.clock)
        assert read_names(engine) == set()


def read_names(engine: Engine) -> set[str]:
    with Session(engine) as session:
        keys = session.execute(select(Throttle.key)).scalars().all()  # type: ignore[call-overload]
    assert not any("192.0.2" in key or "example" in key for key in keys)
    return {key.partition(":")[0] for key in keys}


def test_no_limit_s_counters_are_taken_for_another_s() -> None:
    assert len({limit.name for limit in LIMITS}) == len(LIMITS)
    assert not any(":" in limit.name for limit in LIMITS)
    assert len({make_key(KEY, limit, "") for limit in LIMITS}) == len(LIMITS)


@given(st.ip_addresses(), st.ip_addresses())
@example(IPv4Address("0.0.0.0"), IPv6Address("::ffff:0:0"))
@example(IPv6Address("::1"), IPv6Address("::ffff:0:0"))
@settings(max_examples=200, deadline=None)
def test_two_addresses_share_a_counter_if_and_only_if_they_share_a_network(
    one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address
) -> None:
    names = [
        make_network_key(KEY, WIDER_NETWORK, str(address), ipv4_bits=24, ipv6_bits=48)
        for address in (one, other)
    ]
    # An IPv4 address may arrive as an IPv6 one (RFC 4291, section 2.5.5.2), and it is the same network.
    plain = [getattr(address, "ipv4_mapped", None) or address for address in (one, other)]
    networks = [(address.version, int(address) >> (8 if address.version == 4 else 80)) for address in plain]
    assert (names[0] == names[1]) == (networks[0] == networks[1])


def test_a_window_counts_from_its_first_attempt(limiter: MailLimiter) -> None:
    with limiter.connection as connection:
        name = make_key(KEY, NETWORK, "x")
        moments = [AT, AT + HOUR / 2, AT + HOUR - timedelta(seconds=1), AT + HOUR, AT + HOUR * 3 / 2]
        assert [count_attempt(connection, name, NETWORK, now=at) for at in moments] == [1, 2, 3, 1, 2]


def test_a_form_used_for_one_request_is_used(limiter: MailLimiter) -> None:
    with limiter.connection:
        assert limiter.use_form("f", CONFIRM, "a@example.org")
        assert not limiter.use_form("f", CONFIRM, "a@example.org")
        for kind, email in ((CONFIRM, "b@example.org"), (TransactionalMailKind.link, "a@example.org")):
            with pytest.raises(UsedFormError):
                limiter.use_form("f", kind, email)
