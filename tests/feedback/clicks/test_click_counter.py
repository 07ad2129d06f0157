"""Clicks are counted once, whatever happens, and then forgotten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, func, select, update
from sqlmodel import Session, col

from mailer.database.models import DeliveryState
from mailer.database.report_models import ANY_LINK, CampaignLink, Click, ClickCount, Clicker, ClickKey
from mailer.feedback.clicks.click_counter import QUIET, count_clicks, delete_old_clicks
from mailer.feedback.clicks.click_recorder import VisitorHasher, write_clicks
from subscribers.consent.suppression import SuppressionKey
from subscribers.models import Status, Subscriber
from tests.factories.clicks import AT, make_request, read_clicks, read_reader_clicks
from tests.factories.deliveries import add_campaign
from tests.factories.feedback import set_deliveries

KEY = SuppressionKey(b"k" * 32)
LATER = AT + QUIET + timedelta(minutes=1)


@pytest.fixture(autouse=True)
def campaign(engine: Engine) -> int:
    """A campaign with ten links that was sent to two readers in France an hour before."""
    number = add_campaign(engine, 2)
    set_deliveries(engine, number, state=DeliveryState.sent, updated_at=AT - timedelta(hours=1))
    with Session(engine) as session:
        session.add_all(
            CampaignLink(campaign_id=number, number=link, url=f"https://example.org/{link}")
            for link in range(1, 11)
        )
        for reader in session.scalars(select(Subscriber)):
            reader.country = "FR"
        session.commit()
    return number


def click(engine: Engine, *links: int, **values: Any) -> None:
    requests = [make_request(1, link, **values) for link in links]
    write_clicks(engine, VisitorHasher(engine, KEY), requests)


def read_counts(engine: Engine) -> dict[tuple[int, str, str, str], int]:
    with Session(engine) as session:
        return {
            (one.link_number, one.country, one.sectors, one.clicker.value): one.clicks
            for one in session.scalars(select(ClickCount))
        }


def test_a_person_is_counted_for_the_link_and_for_the_campaign(engine: Engine) -> None:
    click(engine, 3)
    assert count_clicks(engine, now=LATER) == 1
    assert read_counts(engine) == {
        (ANY_LINK, "FR", "culture", "person"): 1,
        (3, "FR", "culture", "person"): 1,
    }


def test_a_program_is_counted_apart(engine: Engine) -> None:
    click(engine, 1, 2, 3, user_agent="python-requests/2.32", address="192.0.2.99")
    click(engine, 1)
    count_clicks(engine, now=LATER)
    counts = read_counts(engine)
    assert counts[1, "FR", "culture", "scanner"] == counts[2, "FR", "culture", "scanner"] == 1
    assert counts[1, "FR", "culture", "person"] == 1
    assert (2, "FR", "culture", "person") not in counts


def test_nobody_is_judged_before_they_have_gone_quiet(engine: Engine) -> None:
    click(engine, 1)
    click(engine, 2, at=AT + timedelta(seconds=50))
    assert count_clicks(engine, now=AT + QUIET + timedelta(seconds=10)) == 0
    assert count_clicks(engine, now=AT + QUIET + timedelta(seconds=50)) == 2


def test_a_visitor_who_never_goes_quiet_is_counted_all_the_same(engine: Engine) -> None:
    for minute in range(90):
        click(engine, 1 + minute % 2, at=AT + timedelta(minutes=minute))
    assert count_clicks(engine, now=AT + timedelta(minutes=90)) > 20


def test_the_same_visitor_and_link_count_once_in_a_day(engine: Engine) -> None:
    for hour in (0, 1, 5):
        click(engine, 1, at=AT + timedelta(hours=hour))
        count_clicks(engine, now=LATER + timedelta(hours=hour))
    assert read_counts(engine)[1, "FR", "culture", "person"] == 1
    click(engine, 1, at=AT + timedelta(days=1))
    count_clicks(engine, now=LATER + timedelta(days=1))
    assert read_counts(engine)[1, "FR", "culture", "person"] == 2


def test_colleagues_behind_one_address_count_apart_where_they_differ(engine: Engine) -> None:
    click(engine, 1)
    click(engine, 1, sectors=("sciences",))
    click(engine, 1, user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0")
    count_clicks(engine, now=LATER)
    counts = read_counts(engine)
    assert counts[1, "FR", "culture", "person"] == 2
    assert counts[1, "FR", "sciences", "person"] == 1


def test_counting_again_changes_nothing(engine: Engine) -> None:
    click(engine, 1, 2)
    count_clicks(engine, now=LATER)
    before = read_counts(engine)
    assert count_clicks(engine, now=LATER + timedelta(minutes=5)) == 0
    assert read_counts(engine) == before


def test_a_process_that_dies_while_counting_loses_nothing_and_counts_nothing_twice(engine: Engine) -> None:
    deaths = 0
    for statement in range(1, 30):
        with engine.begin() as connection:
            connection.execute(delete(Click))
            connection.execute(delete(ClickCount))
        click(engine, 1, 2)
        click(engine, 1, user_agent="curl/8", address="192.0.2.50")
        with _dying_at(engine, statement):
            try:
                count_clicks(engine, now=LATER)
            except _DeathError:
                deaths += 1
                assert read_counts(engine) == {}
                assert all(one.clicker is None for one in read_clicks(engine))
        count_clicks(engine, now=LATER)
        assert sum(read_counts(engine).values()) == 5
    assert deaths > 10


class _DeathError(Exception):
    """The process is killed here."""


class _dying_at:  # noqa: N801 - used as a verb, in a with
    def __init__(self, engine: Engine, statement: int) -> None:
        self._engine = engine
        self._left = statement

    def __enter__(self) -> None:
        event.listen(self._engine, "before_cursor_execute", self._count)

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._count)

    def _count(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            raise _DeathError


def test_a_click_before_the_first_mail_was_handed_over_is_a_program(engine: Engine, campaign: int) -> None:
    set_deliveries(engine, campaign, updated_at=AT + timedelta(seconds=2))
    click(engine, 1)
    click(engine, 2, country="MN")
    count_clicks(engine, now=LATER)
    counts = read_counts(engine)
    assert counts[1, "FR", "culture", "scanner"] == 1
    # Nothing is known of Mongolia.
    assert counts[2, "MN", "culture", "person"] == 1


def test_mail_in_doubt_counts_as_handed_over(engine: Engine, campaign: int) -> None:
    set_deliveries(engine, campaign, state=DeliveryState.in_doubt, updated_at=AT - timedelta(seconds=2))
    click(engine, 1)
    count_clicks(engine, now=LATER)
    assert read_counts(engine)[1, "FR", "culture", "scanner"] == 1


def set_consent(engine: Engine, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(update(Subscriber).where(col(Subscriber.id) == 1).values(**values))


def test_a_reader_who_agreed_is_recorded_with_the_first_time(engine: Engine) -> None:
    set_consent(engine, click_consent=True)
    click(engine, 4, subscriber_id=1)
    click(engine, 4, subscriber_id=1, at=AT + timedelta(minutes=2))
    count_clicks(engine, now=LATER + timedelta(minutes=2))
    [known] = read_reader_clicks(engine)
    assert (known.subscriber_id, known.link_number, known.clicked_at) == (1, 4, AT)


@pytest.mark.parametrize("values", [{"click_consent": False}, {"status": Status.erased}])
def test_a_reader_who_withdraws_or_leaves_before_it_is_counted_is_not_named(
    engine: Engine, values: dict[str, Any]
) -> None:
    set_consent(engine, click_consent=True)
    click(engine, 4, subscriber_id=1)
    set_consent(engine, **values)
    count_clicks(engine, now=LATER)
    assert read_reader_clicks(engine) == []
    assert read_counts(engine)[4, "FR", "culture", "person"] == 1


def test_what_a_filter_does_with_a_reader_s_mail_is_not_the_reader_s(engine: Engine) -> None:
    set_consent(engine, click_consent=True)
    click(engine, 1, 2, 3, subscriber_id=1)
    count_clicks(engine, now=LATER)
    assert read_reader_clicks(engine) == []


@pytest.fixture
def counted(engine: Engine) -> None:
    click(engine, 1)
    count_clicks(engine, now=LATER)


def count_rows(engine: Engine, table: type) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.mark.usefixtures("counted")
def test_old_clicks_go_with_the_key_of_their_day_and_their_number_stays(engine: Engine) -> None:
    assert delete_old_clicks(engine, before=AT) == 0
    assert count_rows(engine, ClickKey) == 1
    assert delete_old_clicks(engine, before=AT + timedelta(days=1)) == 1
    assert (count_rows(engine, Click), count_rows(engine, ClickKey)) == (0, 0)
    assert sum(read_counts(engine).values()) == 2


def test_a_click_that_was_never_counted_is_not_deleted(engine: Engine) -> None:
    click(engine, 1)
    assert delete_old_clicks(engine, before=AT + timedelta(days=9)) == 0
    assert (count_rows(engine, Click), count_rows(engine, ClickKey)) == (1, 1)


def test_many_clicks_are_counted_in_one_go(engine: Engine) -> None:
    requests = [
        make_request(
            1,
            1 + number % 10,
            address=f"10.0.{number // 250}.{number % 250}",
            at=AT + timedelta(seconds=number),
        )
        for number in range(1200)
    ]
    write_clicks(engine, VisitorHasher(engine, KEY), requests)
    assert count_clicks(engine, now=AT + timedelta(hours=1)) == 1200
    counts = read_counts(engine)
    assert counts[ANY_LINK, "FR", "culture", "person"] == 1200
    assert counts[7, "FR", "culture", "person"] == 120


def test_a_sign_that_is_not_known_any_more_is_passed_over(engine: Engine) -> None:
    click(engine, 1)
    with engine.begin() as connection:
        connection.execute(update(Click).values(signs="of_tomorrow,no_language"))
    count_clicks(engine, now=LATER)
    assert read_counts(engine)[1, "FR", "culture", "person"] == 1


def test_the_clock_of_the_page_may_be_ahead(engine: Engine) -> None:
    click(engine, 1, at=datetime(2027, 1, 1, tzinfo=UTC))
    assert count_clicks(engine, now=LATER) == 0


def test_each_campaign_is_counted_for_itself(engine: Engine) -> None:
    other = add_campaign(engine, ["other@example.org"])
    click(engine, 1)
    write_clicks(engine, VisitorHasher(engine, KEY), [make_request(other, 1)])
    assert count_clicks(engine, now=LATER) == 2
    with Session(engine) as session:
        found = session.scalars(select(ClickCount)).all()
    assert {(one.campaign_id, one.clicker) for one in found} == {(1, Clicker.person), (other, Clicker.person)}
