"""Countries somebody follows, and the last edition as their choices would have had it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from editions.model import Personalisation
from mailer.campaigns.recipients import list_cohorts, load_reader
from mailer.database.models import Delivery, DeliveryState
from mailer.rendering.body.variants import StoryFacts
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.selfservice.preferences import (
    PreferenceOptions,
    PreferencesForm,
    find_last_edition,
    has_last_edition,
    save_form,
)
from mailer.workspace import Workspace
from subscribers.models import Subscriber, SubscriberCountry
from subscribers.segments.segment import parse_segment
from tests.factories.correction_notes import add_correction
from tests.web.site import NOW, add_reader, add_sent, dump_tables

FORM = PreferencesForm(name="", country="MN", sectors=frozenset(), language="", frequency="every", until="")
OFFER = PreferenceOptions(
    countries=frozenset({"MN", "CN"}),
    sectors=frozenset(),
    languages=frozenset(),
    today=NOW.date(),
    followable_countries=frozenset({"CN", "JP"}),
)


def story(slug: str, country: str) -> StoryFacts:
    return StoryFacts(slug=slug, section="news", sector="", countries=(country,), everyone=False)


MAIL = CompiledEdition(
    slug="2021-1",
    language="en",
    title="News",
    subject="Spring",
    preheader="",
    sender_name="Office",
    greeting="",
    one_story="",
    many_stories="",
    html="",
    text="",
    stories=(story("china", "CN"), story("mongolia", "MN"), story("japan", "JP")),
    personalise=Personalisation.filter,
    digest="0" * 64,
)


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database()
    yield engine
    engine.dispose()


def test_the_choices_in_the_form_decide_what_is_shown_and_are_not_saved(
    either_workspace: Workspace, engine: Engine
) -> None:
    token = add_reader(engine, either_workspace.keys, "mei@example.org", country="CN")
    add_sent(engine, [MAIL])
    before = dump_tables(engine)
    for form, stories in (
        (FORM, ("mongolia",)),
        (replace(FORM, countries=frozenset({"JP"})), ("mongolia", "japan")),
        (replace(FORM, country=""), ("china", "mongolia", "japan")),
    ):
        look = find_last_edition(engine, either_workspace.keys, token, form)
        assert look is not None
        assert look[1].stories == stories
    assert dump_tables(engine) == before


def test_an_edition_that_somebody_did_not_get_and_nobody_may_read_is_not_shown(
    either_workspace: Workspace, engine: Engine
) -> None:
    token = add_reader(engine, either_workspace.keys, "mei@example.org")
    assert not has_last_edition(engine, either_workspace.keys, token)
    add_sent(engine, [MAIL], archived=False)
    assert not has_last_edition(engine, either_workspace.keys, token)
    assert find_last_edition(engine, either_workspace.keys, token, FORM) is None
    add_sent(engine, [MAIL])
    assert has_last_edition(engine, either_workspace.keys, token)


def test_a_correction_is_not_taken_for_the_last_edition(either_workspace: Workspace, engine: Engine) -> None:
    token = add_reader(engine, either_workspace.keys, "mei@example.org")
    campaign = add_correction(engine, "china", edition=MAIL.slug)
    with Session(engine) as session:
        reader = session.exec(select(Subscriber)).one()
        session.add(
            Delivery(campaign_id=campaign, subscriber_id=reader.id, state=DeliveryState.sent, updated_at=NOW)
        )
        session.commit()
    assert not has_last_edition(engine, either_workspace.keys, token)
    add_sent(engine, [MAIL])
    assert has_last_edition(engine, either_workspace.keys, token)


def test_countries_followed_count_for_the_mail_as_one_s_own_does(
    either_workspace: Workspace, engine: Engine
) -> None:
    keys = either_workspace.keys
    token = add_reader(engine, keys, "mei@example.org", country="MN")
    form = replace(FORM, countries=frozenset({"JP"}))
    saved = save_form(engine, keys, token, form, options=OFFER, now=NOW)
    assert (saved.saved, saved.form.countries) == (True, {"JP"})
    with Session(engine) as session:
        assert session.exec(select(SubscriberCountry.country)).all() == ["JP"]
        reader = load_reader(session, session.exec(select(Subscriber)).one(), either_workspace)
        assert reader.interests.countries == {"MN", "JP"}
        (circle,) = list_cohorts(session, parse_segment("all").where())
    assert circle.interests == reader.interests
    assert MAIL.variant_for(circle.interests).stories == ("mongolia", "japan")


def test_a_country_that_is_not_offered_is_refused(either_workspace: Workspace, engine: Engine) -> None:
    token = add_reader(engine, either_workspace.keys, "mei@example.org")
    form = replace(FORM, countries=frozenset({"FR"}))
    saved = save_form(engine, either_workspace.keys, token, form, options=OFFER, now=NOW)
    assert list(saved.errors) == ["follow"]
