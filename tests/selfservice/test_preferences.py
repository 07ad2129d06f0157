"""The preferences page: what is saved, what is refused, and that nothing typed is lost."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.selfservice.preferences import (
    PreferenceOptions,
    PreferencesForm,
    load_form,
    parse_preferences,
    save_form,
)
from mailer.workspace import Keys
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import TokenError
from subscribers.models import ConsentEvent, ConsentRecord, Status, SubscriberSector
from subscribers.tokens import TokenSigner
from tests.web.site import NOW, add_reader, dump_tables, find_reader

KEYS = Keys(suppression=SuppressionKey(b"s" * 32), tokens=TokenSigner(keys={1: b"t" * 32}, current=1))
OFFER = PreferenceOptions(
    countries=frozenset({"MN", "CN"}),
    sectors=frozenset({"education", "culture"}),
    languages=frozenset({"en", "zh"}),
    today=NOW.date(),
)


def fill_form(**changes: object) -> PreferencesForm:
    usual: dict[str, object] = {
        "name": "Mei Lin",
        "country": "MN",
        "sectors": frozenset({"culture"}),
        "language": "zh",
        "frequency": "every",
        "until": "",
    }
    return PreferencesForm(**(usual | changes))  # type: ignore[arg-type]


def read_sectors(engine: Engine) -> set[str]:
    with Session(engine) as session:
        return set(session.exec(select(SubscriberSector.sector)))


def test_the_form_shows_what_is_kept(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org", name="Mei", country="CN", sectors=("education",))
    before = dump_tables(engine)
    choosing = load_form(engine, KEYS, token, today=OFFER.today)
    assert choosing.initial == "M"
    assert choosing.form == PreferencesForm(
        name="",
        country="CN",
        sectors=frozenset({"education"}),
        language="",
        frequency="every",
        until="",
    )
    assert dump_tables(engine) == before


def test_what_is_chosen_is_kept_with_a_record(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org", sectors=("education",))
    choosing = save_form(engine, KEYS, token, fill_form(), options=OFFER, now=NOW)
    assert (choosing.saved, choosing.errors) == (True, {})
    reader = find_reader(engine, "mei@example.org")
    assert (reader.name, reader.country, reader.language) == ("Mei Lin", "MN", "zh")
    assert read_sectors(engine) == {"culture"}
    with Session(engine) as session:
        record = session.exec(select(ConsentRecord)).one()
    assert (record.event, record.method, record.source) == (ConsentEvent.updated, "page", "campaign 7")


def test_a_rest_from_mail_begins_and_ends(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    rest = fill_form(frequency="pause", until="2026-06-01")
    choosing = save_form(engine, KEYS, token, rest, options=OFFER, now=NOW)
    assert choosing.paused_until == date(2026, 6, 1)
    assert find_reader(engine, "mei@example.org").status is Status.paused
    save_form(engine, KEYS, token, fill_form(until="2026-06-01"), options=OFFER, now=NOW)
    reader = find_reader(engine, "mei@example.org")
    assert (reader.status, reader.paused_until) == (Status.active, None)


def test_a_rest_that_is_over_is_not_shown(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org", status=Status.paused, paused_until=date(2026, 3, 1))
    choosing = load_form(engine, KEYS, token, today=OFFER.today)
    assert (choosing.form.frequency, choosing.form.until) == ("every", "")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": "x" * 301}),
        ("name", {"name": "Mei\x00Lin"}),
        ("name", {"name": "Mei\u202egnoL"}),
        ("country", {"country": "XX"}),
        ("country", {"country": "mn"}),
        ("sectors", {"sectors": frozenset({"alchemy"})}),
        ("language", {"language": "tlh"}),
        ("frequency", {"frequency": "hourly"}),
        ("until", {"frequency": "pause", "until": ""}),
        ("until", {"frequency": "pause", "until": "soon"}),
        ("until", {"frequency": "pause", "until": "2026-03-01"}),
        ("until", {"frequency": "pause", "until": "2030-01-01"}),
    ],
)
def test_a_choice_that_cannot_be_kept_is_named_and_nothing_is_saved(
    engine: Engine, field: str, changes: dict[str, object]
) -> None:
    token = add_reader(engine, KEYS, "mei@example.org", name="Mei")
    before = dump_tables(engine)
    form = fill_form(**changes)
    choosing = save_form(engine, KEYS, token, form, options=OFFER, now=NOW)
    assert list(choosing.errors) == [field]
    assert (choosing.saved, choosing.form) == (False, form)
    assert dump_tables(engine) == before


def test_all_complaints_come_at_once(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    form = fill_form(country="XX", language="tlh", frequency="pause", until="soon")
    choosing = save_form(engine, KEYS, token, form, options=OFFER, now=NOW)
    assert list(choosing.errors) == ["country", "language", "until"]


def test_what_a_reader_has_may_stay_though_it_is_no_longer_offered(engine: Engine) -> None:
    token = add_reader(
        engine, KEYS, "mei@example.org", country="JP", language="zh-Hans", sectors=("sciences", "culture")
    )
    form = fill_form(country="JP", language="zh-Hans", sectors=frozenset({"education"}))
    choosing = save_form(engine, KEYS, token, form, options=OFFER, now=NOW)
    assert choosing.saved
    # Not on the page, so not given up there.
    assert read_sectors(engine) == {"education", "sciences"}


def test_choosing_brings_nobody_back(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org", status=Status.unsubscribed)
    rest = fill_form(frequency="pause", until="2026-06-01")
    choosing = save_form(engine, KEYS, token, rest, options=OFFER, now=NOW)
    assert (choosing.saved, choosing.subscription.gets_mail) == (True, False)
    reader = find_reader(engine, "mei@example.org")
    assert (reader.status, reader.name) == (Status.unsubscribed, "Mei Lin")


def test_an_erased_reader_has_no_preferences(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "erased-1@invalid", status=Status.erased)
    with pytest.raises(TokenError):
        load_form(engine, KEYS, token, today=OFFER.today)
    with pytest.raises(TokenError):
        save_form(engine, KEYS, token, fill_form(), options=OFFER, now=NOW)


def test_fields_become_a_form_whatever_else_is_sent() -> None:
    form = parse_preferences([("name", "Mei"), ("sector", "a"), ("sector", "b"), ("status", "active")])
    assert form == PreferencesForm(
        name="Mei",
        country="",
        sectors=frozenset({"a", "b"}),
        language="",
        frequency="every",
        until="",
    )


def test_whatever_is_typed_is_saved_or_complained_about(sqlite_engine: Engine) -> None:
    token = add_reader(sqlite_engine, KEYS, "mei@example.org")

    @settings(max_examples=60, deadline=None)
    @given(name=st.text(max_size=320), until=st.text(max_size=12), country=st.text(max_size=3))
    def save(name: str, until: str, country: str) -> None:
        form = fill_form(name=name, until=until, country=country, frequency="pause")
        choosing = save_form(sqlite_engine, KEYS, token, form, options=OFFER, now=NOW)
        assert choosing.saved is not bool(choosing.errors)
        assert choosing.saved or choosing.form == form

    save()
