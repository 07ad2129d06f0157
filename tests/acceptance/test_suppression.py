"""A suppressed address never becomes mailable, whatever happens and in whatever order.

An address is mailable if planning counts it, a launch inserts it, or a dispatcher starts to send to it. Who
may be mailed is computed here a second time, in plain Python and without reading the database.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete
from sqlmodel import Session, select

from mailer.campaigns.launch import insert_deliveries
from mailer.campaigns.recipients import is_in_audience, may_be_mailed
from mailer.database.models import Campaign, CampaignState, Delivery, Dispatcher
from mailer.dispatch.deliveries import Claim
from mailer.dispatch.ledger import Ledger
from mailer.privacy.erasure import erase_person
from mailer.privacy.retention import prune
from mailer.selfservice.unsubscribe import UnsubscribeBatcher, resubscribe_by_link
from mailer.settings import LawSettings, RetentionSettings
from mailer.workspace import Workspace
from subscribers.consent.preferences import Preferences, change_address, save_preferences
from subscribers.consent.sign_ups import confirm_opt_in, request_opt_in
from subscribers.consent.status_changes import suppress
from subscribers.consent.team_changes import unsuppress
from subscribers.errors import AddressError, StatusError, SubscriberError, TokenError
from subscribers.imports.importer import import_file
from subscribers.models import ConsentEvent, LiftedSuppression, Status, Subscriber, Suppression
from subscribers.one_time_links import issue_link, use_link
from subscribers.segments.segment import EVERYONE, parse_segment
from subscribers.tokens import LinkPurpose
from tests.factories.deliveries import FakeClock, begin, register_dispatchers

ADDRESSES = ("ann@example.org", "bob@example.org", "eve@ex\u00e4mple.org")
SPELLINGS = {
    "ann@example.org": "Ann@Example.ORG",
    "bob@example.org": "\uff22ob@example.org",
    "eve@ex\u00e4mple.org": "Eve@xn--exmple-cua.org",
}
TEAM = LawSettings(opt_in=())
RULES = RetentionSettings(pending_days=30, gone_months=1, reply_months=1)

whose = st.sampled_from(ADDRESSES)


class Newsletter(RuleBasedStateMachine):
    """People who join, leave and bounce, a team that imports, suppresses, takes that back and erases,
    campaigns that are launched and sent meanwhile."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        self.engine = workspace.open_database()
        with self.engine.begin() as connection:
            # Records go with their subscribers, which is the only way they go.
            for table in (Delivery, Campaign, Subscriber, Suppression, LiftedSuppression, Dispatcher):
                connection.execute(delete(table))
        self.clock = FakeClock()
        self.ledgers: list[Ledger] = []
        self.held: list[tuple[Ledger, Claim]] = []
        self.for_ever: set[str] = set()
        """Erased, or suppressed by the team: nothing brings them back before the team takes that back."""
        self.until_they_return: set[str] = set()
        """Bounced, complained or unsubscribed: only the reader's own action brings them back."""
        self.reasons: dict[str, ConsentEvent] = {}
        """Why an address is suppressed, for both sets above; the first reason stays."""
        self.links: dict[str, str] = {}
        """The newest confirmation link of an address, whoever requested it."""

    def teardown(self) -> None:
        for ledger in self.ledgers:
            ledger.close()
        self.engine.dispose()

    @property
    def now(self) -> datetime:
        return self.clock.now

    @property
    def barred(self) -> set[str]:
        return self.for_ever | self.until_they_return

    @property
    def suppressed(self) -> set[str]:
        """A sign-up does not bring these back either."""
        return set(self.reasons)

    def _do(self, act: Callable[[Session], object]) -> bool:
        """Run ``act`` in a transaction; return False if it was refused."""
        with Session(self.engine) as session:
            try:
                act(session)
            except SubscriberError:
                return False
            session.commit()
            return True

    def _find(self, address: str) -> Subscriber | None:
        with Session(self.engine) as session:
            return session.exec(select(Subscriber).where(Subscriber.email == address)).one_or_none()

    def _status(self, address: str) -> Status | None:
        person = self._find(address)
        return None if person is None else person.status

    def _token(self, address: str) -> str | None:
        """The link in a newsletter they got."""
        person = self._find(address)
        if person is None or person.id is None:
            return None
        signer = self.workspace.keys.tokens
        return signer.sign(LinkPurpose.subscription, subscriber_id=person.id, campaign_id=1)

    # --- what the team does

    @rule(addresses=st.sets(whose), basis=st.sampled_from(["", "partners"]), tag=st.sampled_from("ab"))
    def bring_in(self, addresses: set[str], basis: str, tag: str) -> None:
        people = self.workspace.root / "people.csv"
        rows = "".join(f'"{SPELLINGS[address]}",{tag}\n' for address in sorted(addresses))
        people.write_text(f"email,tags\n{rows}", encoding="utf-8")
        key = self.workspace.keys.suppression
        self._do(lambda to: import_file(to, people, sectors=(), key=key, now=self.now, basis=basis))
        people.unlink()

    @rule(
        address=whose,
        reason=st.sampled_from([ConsentEvent.suppressed, ConsentEvent.bounced, ConsentEvent.complained]),
    )
    def shut_out(self, address: str, reason: ConsentEvent) -> None:
        key = self.workspace.keys.suppression
        known = address in self.reasons
        assert self._do(
            lambda to: suppress(
                to, SPELLINGS[address], key=key, reason=reason, method="command line", now=self.now
            )
        )
        self.reasons.setdefault(address, reason)
        # The first reason stays: whom the team took off after a bounce has bounced, and may come back.
        (self.for_ever if reason is ConsentEvent.suppressed and not known else self.until_they_return).add(
            address
        )

    @rule(address=whose)
    def erase(self, address: str) -> None:
        try:
            erase_person(self.workspace, self.engine, SPELLINGS[address], method="command line", now=self.now)
        except SubscriberError:
            return
        self.for_ever.add(address)
        self.reasons.setdefault(address, ConsentEvent.erased)

    @rule(address=whose)
    def take_back(self, address: str) -> None:
        """Off the suppression list: who is gone stays gone, and what its owner wished is not taken back."""
        key, before = self.workspace.keys.suppression, self._status(address)
        act = partial(unsuppress, key=key, by="Bat", why="asked by letter", method="command line")
        done = self._do(lambda to: act(to, SPELLINGS[address], now=self.now))
        assert done is (
            self.reasons.get(address) in {ConsentEvent.suppressed, ConsentEvent.bounced, ConsentEvent.erased}
        )
        assert self._status(address) == before
        if done:
            del self.reasons[address]
            self.for_ever.discard(address)
            self.until_they_return.discard(address)
            if before is not None:
                self.until_they_return.add(address)

    @rule()
    def prune(self) -> None:
        kept = {address for address in ADDRESSES if self._find(address)}
        prune(self.workspace, self.engine, now=self.now)
        lost = {address for address in kept if not self._find(address)}
        # Who had left is erased by it; who had only asked is as unknown as before.
        erased = lost & self.barred
        self.for_ever |= erased
        self.reasons = dict.fromkeys(erased, ConsentEvent.erased) | self.reasons

    # --- what people do

    @rule(address=whose)
    def ask(self, address: str) -> None:
        key, signer = self.workspace.keys.suppression, self.workspace.keys.tokens

        def act(to: Session) -> None:
            asked = request_opt_in(to, SPELLINGS[address], key=key, method="page", now=self.now)
            assert (asked is None) is (address in self.suppressed)
            if asked is not None and asked.id is not None:
                number = asked.id
                self.links[address] = issue_link(
                    to, signer, LinkPurpose.confirm, subscriber_id=number, now=self.now
                )

        assert self._do(act)

    @rule(address=whose)
    def confirm(self, address: str) -> None:
        token = self.links.get(address, "")
        key, signer = self.workspace.keys.suppression, self.workspace.keys.tokens

        def act(to: Session) -> None:
            errand = use_link(to, signer, token, LinkPurpose.confirm, now=self.now)
            confirm_opt_in(to, errand.subscriber_id, key=key, method="page", now=self.now)

        if self._do(act):
            assert address not in self.suppressed
            self.until_they_return.discard(address)

    @rule(address=whose)
    def leave(self, address: str) -> None:
        if token := self._token(address):
            UnsubscribeBatcher(self.engine, self.workspace.keys).unsubscribe(token, now=self.now)
            self.until_they_return.add(address)

    @rule(address=whose)
    def come_back(self, address: str) -> None:
        if token := self._token(address):
            try:
                resubscribe_by_link(
                    self.engine, self.workspace.keys, token, wording="Subscribe again", now=self.now
                )
            except (StatusError, TokenError):
                return
            assert address not in self.for_ever
            self.until_they_return.discard(address)
            self.reasons.pop(address, None)

    @rule(address=whose, days=st.sampled_from([None, 1, 40]))
    def choose(self, address: str, days: int | None) -> None:
        person = self._find(address)
        if person is None:
            return
        until = None if days is None else self.now.date() + timedelta(days=days)
        wanted = Preferences(name="x", country="MN", sectors=frozenset(), language=None, paused_until=until)
        self._do(lambda to: save_preferences(to, person.id or 0, wanted, method="page", now=self.now))

    @rule(pair=st.permutations(ADDRESSES))
    def move(self, pair: list[str]) -> None:
        address, other, _ = pair
        person = self._find(address)
        if person is None:
            return
        key = self.workspace.keys.suppression
        change = partial(change_address, key=key, method="page", now=self.now)
        try:
            with Session(self.engine) as session:
                moved = change(session, person.id or 0, SPELLINGS[other])
                session.commit()
        except (AddressError, SubscriberError):
            return
        if moved:
            # They hold the other mailbox, and no suppressed reader has moved, or been moved to.
            assert address not in self.barred
            assert other not in self.suppressed
            self.until_they_return.discard(other)
            self.links.pop(address, None)

    @rule(days=st.integers(1, 45))
    def wait(self, days: int) -> None:
        self.clock.advance(days=days)

    # --- what goes out

    @rule()
    def launch(self) -> None:
        with self.engine.begin() as connection:
            campaign = Campaign(
                edition=f"e{len(self.ledgers)}",
                title="t",
                segment=EVERYONE,
                state=CampaignState.sending,
                digest="d",
                created_at=self.now,
            )
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                session.add(campaign)
                session.commit()
                number = campaign.id or 0
            everybody = parse_segment("")
            insert_deliveries(
                connection, number, everybody, edition=campaign.edition, again=True, now=self.now, law=TEAM
            )
        register_dispatchers(self.engine, f"life{number}")
        self.ledgers.append(Ledger(self.engine, number, f"life{number}", clock=self.clock))

    @rule(most=st.integers(1, 4))
    def claim(self, most: int) -> None:
        for ledger in self.ledgers[-2:]:
            claimed = ledger.claim(most)
            assert not {claim.subscriber.email for claim in claimed} & self.barred
            self.held += [(ledger, claim) for claim in claimed]

    @rule()
    def send(self) -> None:
        for ledger, claim in self.held:
            if begin(ledger, claim):
                # The body may be sent from this moment, however long ago the delivery was claimed.
                assert self._address_of(claim) not in self.barred
        self.held.clear()

    def _address_of(self, claim: Claim) -> str:
        with Session(self.engine) as session:
            return session.get_one(Subscriber, claim.subscriber.id).email

    # --- what always holds

    @invariant()
    def no_suppressed_reader_is_counted(self) -> None:
        audience = is_in_audience(parse_segment(""), "e", self.now.date(), again=True, law=TEAM)
        with Session(self.engine) as session:
            mailable = set(session.exec(select(Subscriber.email).where(audience, may_be_mailed(TEAM))))
            digests = set(session.exec(select(Suppression.digest)))
        assert not mailable & self.barred
        digest = self.workspace.keys.suppression.digest
        assert not {digest(address) for address in mailable} & digests
        assert {digest(address) for address in self.suppressed} == digests


@pytest.mark.spare
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_no_sequence_ever_makes_a_suppressed_address_mailable(
    request: pytest.FixtureRequest, workspace: Workspace, kind: str
) -> None:
    rules = {"retention": RULES, "law": TEAM}
    if kind == "postgres":
        database = workspace.settings.database.model_copy(
            update={"url": request.getfixturevalue("postgres_database")}
        )
        rules |= {"database": database}
    workspace = replace(workspace, settings=workspace.settings.model_copy(update=rules))
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        lambda: Newsletter(workspace),
        settings=settings(
            max_examples=60 if kind == "sqlite" else 20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=checks,
        ),
    )
