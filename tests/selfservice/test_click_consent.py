"""A reader agrees, or not, that the links they open are recorded with their name, and can take it back."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.database.models import Campaign
from mailer.database.report_models import CampaignLink, Click, ReaderClick
from mailer.privacy.erasure import erase_person
from mailer.selfservice.preferences import (
    CLICK_WORDING,
    PreferencesForm,
    load_form,
    parse_preferences,
    save_form,
)
from mailer.workspace import Workspace
from subscribers.consent.preferences import set_click_consent
from subscribers.errors import UnknownSubscriberError
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber
from subscribers.queries import read_subscriber_details
from tests.selfservice.test_preferences import KEYS, OFFER
from tests.web.site import NOW, add_reader, find_reader

ADDRESS = "mei@example.org"


@pytest.fixture
def token(engine: Engine) -> str:
    """A reader of campaign 7, which counts clicks."""
    token = add_reader(engine, KEYS, ADDRESS)
    with Session(engine) as session:
        session.add(
            Campaign(id=7, edition="2026-1", title="Spring", segment="all", digest="d", created_at=NOW)
        )
        session.flush()
        session.add(CampaignLink(campaign_id=7, number=1, url="https://example.org/"))
        session.commit()
    return token


def answer(engine: Engine, token: str, *fields: tuple[str, str]) -> PreferencesForm:
    form = parse_preferences([("frequency", "every"), *fields])
    return save_form(engine, KEYS, token, form, options=OFFER, now=NOW, language="fr").form


def agree(engine: Engine, token: str) -> PreferencesForm:
    return answer(engine, token, ("clicks-asked", "yes"), ("clicks", "yes"))


def read_records(engine: Engine) -> Sequence[ConsentRecord]:
    with Session(engine) as session:
        return session.exec(select(ConsentRecord).order_by(col(ConsentRecord.id))).all()


def add_clicks(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(ReaderClick(campaign_id=7, subscriber_id=1, link_number=1, clicked_at=NOW))
        session.add(Click(campaign_id=7, link_number=1, subscriber_id=1, clicked_at=NOW, visitor=bytes(16)))
        session.commit()


def count_named(engine: Engine) -> int:
    with Session(engine) as session:
        named = session.exec(select(Click).where(col(Click.subscriber_id).is_not(None))).all()
        return len(session.exec(select(ReaderClick)).all()) + len(named)


def test_nobody_has_agreed_unless_they_say_so(engine: Engine, token: str) -> None:
    assert load_form(engine, KEYS, token, today=OFFER.today).form.click_consent is False
    answer(engine, token, ("clicks-asked", "yes"))
    assert find_reader(engine, ADDRESS).click_consent is False
    assert not [record for record in read_records(engine) if record.wording == CLICK_WORDING]


def test_a_yes_is_kept_with_the_sentences_that_were_shown(engine: Engine, token: str) -> None:
    assert agree(engine, token).click_consent is True
    assert find_reader(engine, ADDRESS).click_consent is True
    record = read_records(engine)[-1]
    assert (record.event, record.method, record.source) == (ConsentEvent.updated, "page", "campaign 7")
    assert (record.wording, record.wording_version, record.language) == (CLICK_WORDING, "1", "fr")
    assert record.evidence == "consent to record the links they follow: given"


def test_saving_again_adds_no_second_record(engine: Engine, token: str) -> None:
    agree(engine, token)
    before = len(read_records(engine))
    agree(engine, token)
    assert len(read_records(engine)) == before


def test_who_takes_it_back_takes_what_was_recorded_with_it(engine: Engine, token: str) -> None:
    agree(engine, token)
    add_clicks(engine)
    answer(engine, token, ("clicks-asked", "yes"))
    assert find_reader(engine, ADDRESS).click_consent is False
    assert count_named(engine) == 0
    assert read_records(engine)[-1].evidence.endswith("withdrawn")
    with Session(engine) as session:
        assert len(session.exec(select(Click)).all()) == 1


def test_a_form_that_did_not_ask_changes_nothing(engine: Engine, token: str) -> None:
    agree(engine, token)
    add_clicks(engine)
    answer(engine, token, ("clicks", ""))
    assert find_reader(engine, ADDRESS).click_consent is True
    assert count_named(engine) == 2


def test_the_question_is_not_asked_where_no_campaign_counts(engine: Engine) -> None:
    token = add_reader(engine, KEYS, ADDRESS)
    assert load_form(engine, KEYS, token, today=OFFER.today).form.click_consent is None


def test_an_erased_reader_agrees_to_nothing(engine: Engine) -> None:
    add_reader(engine, KEYS, ADDRESS, status=Status.erased)
    with Session(engine) as session, pytest.raises(UnknownSubscriberError):
        set_click_consent(session, 1, True, method="page", now=NOW)


def test_the_team_sees_whether_a_reader_has_agreed(engine: Engine, token: str) -> None:
    with Session(engine) as session:
        assert read_subscriber_details(session, ADDRESS)["click_consent"] is False
    agree(engine, token)
    with Session(engine) as session:
        assert read_subscriber_details(session, ADDRESS)["click_consent"] is True


def test_erasing_takes_the_answer_and_what_was_recorded(either_workspace: Workspace) -> None:
    engine = either_workspace.open_database()
    add_reader(engine, either_workspace.keys, ADDRESS, click_consent=True)
    with Session(engine) as session:
        session.add(
            Campaign(id=7, edition="2026-1", title="Spring", segment="all", digest="d", created_at=NOW)
        )
        session.commit()
    add_clicks(engine)
    erase_person(either_workspace, engine, ADDRESS, method="page", now=datetime.now(UTC))
    assert count_named(engine) == 0
    with Session(engine) as session:
        assert session.exec(select(Subscriber)).one().click_consent is False
    engine.dispose()
