"""What is known of mail domains: kept for all machines, asked for again in time, and forgotten."""

from datetime import timedelta

from sqlalchemy import Engine, event
from sqlmodel import Session, select

from mailer.database.feedback_models import MailDomain
from mailer.providers.domain_lookup import (
    MxAnswer,
    count_domains,
    forget_domain,
    is_reserved,
    list_unknown_domains,
    read_known_providers,
    save_answers,
)
from mailer.providers.provider_directory import ProviderDirectory
from mailer.providers.provider_table import load_providers
from subscribers.models import Status
from tests.factories.deliveries import FakeClock, add_subscribers

_TABLE = load_providers()
_DAY = timedelta(days=1)


def answer(domain: str, provider: str, *, lasts: timedelta = _DAY, is_answered: bool = True) -> MxAnswer:
    return MxAnswer(domain=domain, provider=provider, lasts=lasts, is_answered=is_answered)


def list_unknown(engine: Engine, clock: FakeClock) -> list[str]:
    with engine.connect() as connection:
        return list_unknown_domains(connection, _TABLE, limit=100, clock=clock)


def read_known(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        return read_known_providers(connection)


def test_domains_are_counted_in_any_case_with_most_people_first(engine: Engine) -> None:
    add_subscribers(engine, ["a@two.org", "b@Two.ORG", "c@one.org", '"x@y"@odd.org'])
    add_subscribers(engine, ["d@gone.org"], status=Status.unsubscribed)
    with engine.connect() as connection:
        counted = count_domains(connection)
    assert next(iter(counted.items())) == ("two.org", 2)
    assert counted["one.org"] == 1
    assert "gone.org" not in counted


def test_what_is_known_reserved_or_a_provider_s_own_is_not_asked_for(engine: Engine) -> None:
    clock = FakeClock()
    add_subscribers(
        engine,
        ["a@partner.org", "b@qq.com", "c@example.org", "d@news.example.com", "e@known.org", '"x@y"@odd.org'],
    )
    save_answers(engine, [answer("known.org", "")], clock=clock)
    assert list_unknown(engine, clock) == ["partner.org"]
    clock.advance(hours=25)
    assert sorted(list_unknown(engine, clock)) == ["known.org", "partner.org"]


def test_a_new_answer_replaces_the_old_one_and_no_answer_leaves_it(engine: Engine) -> None:
    clock = FakeClock()
    save_answers(engine, [answer("partner.org", "google"), answer("silent.org", "")], clock=clock)
    save_answers(engine, [answer("partner.org", "qq")], clock=clock)
    clock.advance(days=2)
    save_answers(
        engine,
        [
            answer(each, "", lasts=timedelta(hours=1), is_answered=False)
            for each in ("partner.org", "new.org")
        ],
        clock=clock,
    )
    assert read_known(engine) == {"partner.org": "qq", "silent.org": "", "new.org": ""}
    with Session(engine) as session:
        row = session.exec(select(MailDomain).where(MailDomain.domain == "partner.org")).one()
    assert row.expires_at == clock.now + timedelta(hours=1)


def test_a_domain_that_was_not_asked_for_in_months_is_forgotten(engine: Engine) -> None:
    clock = FakeClock()
    save_answers(engine, [answer("old.org", "google")], clock=clock)
    clock.advance(days=92)
    save_answers(engine, [answer("new.org", "google")], clock=clock)
    assert list(read_known(engine)) == ["new.org"]


def test_one_domain_can_be_forgotten(engine: Engine) -> None:
    save_answers(engine, [answer("anna.org", "google"), answer("b.org", "")])
    with engine.begin() as connection:
        forget_domain(connection, "anna.org")
    assert list(read_known(engine)) == ["b.org"]


def test_names_of_examples_are_reserved() -> None:
    assert is_reserved("example.org")
    assert is_reserved("mail.example.com")
    assert is_reserved("partner.test")
    assert not is_reserved("myexample.org")
    assert not is_reserved("example.edu")


def test_a_directory_knows_what_others_found_ten_seconds_later(engine: Engine) -> None:
    clock, monotonic = FakeClock(), [0.0]
    save_answers(engine, [answer("partner.org", "google"), answer("own.org", "")], clock=clock)
    directory = ProviderDirectory(engine, clock=clock, monotonic=lambda: monotonic[0])
    assert directory.find_provider("partner.org") is None
    assert directory.refresh()
    found = directory.find_provider("partner.org")
    assert found is not None
    assert found.key == "google"
    assert directory.find_provider("own.org") is None
    clock.advance(seconds=10)
    save_answers(engine, [answer("late.org", "qq"), answer("partner.org", "orange")], clock=clock)
    assert not directory.refresh()
    monotonic[0] = 10.0
    assert directory.refresh()
    keys = [found.key for each in ("late.org", "partner.org") if (found := directory.find_provider(each))]
    assert keys == ["qq", "orange"]


def test_a_directory_of_some_providers_leaves_out_the_others_and_sees_a_domain_move_to_one(
    engine: Engine,
) -> None:
    clock, monotonic = FakeClock(), [0.0]
    save_answers(engine, [answer("a.org", "qq"), answer("b.org", "google"), answer("c.org", "")], clock=clock)
    directory = ProviderDirectory(engine, only=["qq"], clock=clock, monotonic=lambda: monotonic[0])
    assert directory.refresh()
    found = directory.find_provider("a.org")
    assert found is not None
    assert found.key == "qq"
    assert directory.find_provider("b.org") is None
    clock.advance(minutes=1)
    monotonic[0] += 10
    save_answers(engine, [answer("a.org", "google"), answer("b.org", "qq")], clock=clock)
    assert directory.refresh()
    keys = {each: found.key for each in ("a.org", "b.org") if (found := directory.find_provider(each))}
    assert keys == {"a.org": "google", "b.org": "qq"}


def test_a_list_whose_domains_are_all_known_is_compared_in_the_database(engine: Engine) -> None:
    clock = FakeClock()
    domains = [f"partner{each}.org" for each in range(300)]
    add_subscribers(engine, [f"a@{each}" for each in domains])
    save_answers(engine, [answer(each, "") for each in domains], clock=clock)
    read = []

    @event.listens_for(engine, "after_cursor_execute")
    def _count(connection: object, cursor: object, statement: str, *_: object) -> None:
        read.append(statement)

    assert list_unknown(engine, clock) == []
    assert len([each for each in read if "mail_domain" in each or "subscriber" in each]) == 1


def test_without_look_ups_only_a_provider_s_own_domains_are_known(engine: Engine) -> None:
    save_answers(engine, [answer("partner.org", "google")])
    directory = ProviderDirectory(engine, uses_cache=False)
    assert not directory.refresh()
    assert directory.find_provider("partner.org") is None
    assert directory.find_provider("qq.com") is _TABLE.by_key["qq"]


def test_a_provider_that_this_program_does_not_know_is_none(engine: Engine) -> None:
    save_answers(engine, [answer("partner.org", "a_provider_of_tomorrow")])
    directory = ProviderDirectory(engine)
    directory.refresh()
    assert directory.find_provider("partner.org") is None
