"""What the pages say of a campaign, against its ledger and what the mail server has got."""

import re
from collections import Counter

from sqlmodel import col, select

from mailer.database.engine import open_session
from mailer.database.models import Delivery, DeliveryState
from subscribers.models import Subscriber
from tests.acceptance.form_browser import ShownPage
from tests.acceptance.killed_team import PEOPLE, Team
from tests.servers.process import wait_until

_ADDRESS = re.compile(r"\w+@partner\.example")


def find_delivery(team: Team, address: str) -> int:
    """The number of the delivery to somebody."""
    with open_session(team.journey.engine, read_only=True) as session:
        person = session.exec(select(Subscriber).where(Subscriber.email == address)).one().id
        return session.exec(select(Delivery).where(Delivery.subscriber_id == person)).one().id or 0


def check_deliveries(team: Team) -> None:
    """What the mail server has got, the ledger has as sent or in doubt, and what it has as sent, that server
    has got; nobody has got it twice but who was to be sent it again."""
    got = _count_received(team)
    states = _read_states(team)
    got_since = _count_received(team)
    for address in got.keys() - team.sent_again:
        assert states[address] in {DeliveryState.sent, DeliveryState.in_doubt}, f"{address} has got it"
    for address, state in states.items():
        assert state is not DeliveryState.sent or got_since[address], f"{address} has not got it"
        assert got_since[address] <= 1 + (address in team.sent_again), f"{address} has got it twice"


def check_live(team: Team) -> None:
    """While it is sent, the first number of the page is the sum of the others, and as many are sent as the
    ledger said before it, a second later at the latest, and no more than it says after it."""
    check_deliveries(team)
    before = _count_sent(team)
    wait_until(
        lambda: read_numbers(team)["sent"] >= before, what=f"the page to show {before} sent", seconds=60
    )
    shown = read_numbers(team)
    assert shown["sent"] <= _count_sent(team), shown
    audience, *parts = shown.values()
    assert audience == len(PEOPLE)
    assert sum(parts) == audience, shown


def check_settled(team: Team) -> None:
    """Once nothing is being sent, the pages have exactly what the ledger has, and name all who are in
    doubt."""
    check_deliveries(team)
    states = _read_states(team)
    numbers = Counter(state.value for state in states.values())

    def is_shown() -> bool:
        shown = read_numbers(team)
        return {name: number for name, number in list(shown.items())[1:] if number} == dict(numbers)

    # The page is read from the ledger once a second.
    wait_until(is_shown, what=f"the page to show {numbers}", seconds=60)
    doubts = {address for address, state in states.items() if state is DeliveryState.in_doubt}
    assert list_named_doubts(team) == doubts


def check_all_settled(team: Team) -> None:
    """Once a campaign is finished, nobody is lost: each has it, was refused, or is named as in doubt."""
    check_settled(team)
    states = _read_states(team)
    assert len(states) == len(PEOPLE)
    settled = {DeliveryState.sent, DeliveryState.rejected, DeliveryState.in_doubt}
    assert set(states.values()) <= settled
    assert [one for one, state in states.items() if state is DeliveryState.rejected] == ["li@partner.example"]


def list_named_doubts(team: Team) -> set[str]:
    """The addresses that the page of doubts names."""
    return find_addresses(team.words(f"/campaigns/{team.campaign}/doubts"))


def find_addresses(words: str) -> set[str]:
    """The addresses of partners in the text of a page."""
    return set(_ADDRESS.findall(words))


def read_numbers(team: Team) -> dict[str, int]:
    """The terms of the sum on the page, by the name of their colour; the first is "" and the sum."""
    shown: list[ShownPage] = []

    def is_counted() -> bool:
        shown.append(team.mei.open(f"/studio/campaigns/{team.campaign}/live"))
        return bool(shown[-1].tree.xpath('//dl[@class="sum"]'))

    wait_until(is_counted, what="the numbers of the campaign", seconds=60)
    return {
        one.get("class", ""): int(re.sub(r"\D", "", one.xpath("string(.//dd)")))
        for one in shown[-1].tree.xpath('//dl[@class="sum"]/div')
    }


def _count_received(team: Team) -> Counter[str]:
    mails = list(team.journey.mails.received)
    return Counter(mail.recipient for mail in mails if mail.recipient.endswith("@partner.example"))


def _read_states(team: Team) -> dict[str, DeliveryState]:
    pairs = select(Subscriber.email, Delivery.state).where(col(Subscriber.id) == col(Delivery.subscriber_id))
    with open_session(team.journey.engine, read_only=True) as session:
        return dict(session.exec(pairs).all())


def _count_sent(team: Team) -> int:
    return Counter(_read_states(team).values())[DeliveryState.sent]
