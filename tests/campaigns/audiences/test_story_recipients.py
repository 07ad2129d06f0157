"""Who was sent a story: exactly those in whose message its title stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, select, update
from sqlmodel import Session, col

from editions.model import Personalisation
from editions.reader import read_edition
from mailer.campaigns.delivery_history import find_story_campaigns, read_segment
from mailer.campaigns.recipients import is_in_audience
from mailer.campaigns.send import make_message_builder, make_story_finder, make_token_finder
from mailer.database.models import Campaign, CampaignContent, Delivery
from mailer.dispatch.ledger import Ledger
from mailer.rendering.body.variants import StoryFacts, choose_stories, decode_stories, encode_stories
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.mail_merge import interests_of
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict
from mailer.workspace import Workspace
from subscribers.models import Status, Subscriber, SubscriberCountry, SubscriberSector
from tests.factories.deliveries import START, register_dispatchers
from tests.factories.small_edition import SLUG, write_edition

SECTORS = ("education", "sciences", "culture")
COUNTRIES = ("MN", "CN", "KR")
STORIES = {
    "teachers": ("Teachers meet", "education", ("MN",)),
    "museum": ("Museum opens", "culture", ("CN", "MN")),
    "water": ("Water measured", "sciences", ()),
    "island": ("Island mapped", "", ("KR",)),
}
_STORY = "---\ntitle: {title}\n{sector}countries: [{countries}]\n---\n\nMore about this in the mail.\n"
LATER = START + timedelta(days=2)


@dataclass(frozen=True)
class Person:
    """What somebody follows, and whether they get mail."""

    country: str | None
    sectors: frozenset[str]
    countries: frozenset[str]
    status: Status = Status.active

    def chosen(self, content: CompiledEdition) -> tuple[str, ...]:
        interests = interests_of(self.country, self.sectors, self.countries)
        return choose_stories(content.stories, interests, content.personalise)


@dataclass(frozen=True)
class Sending:
    """One campaign: to whom, how personal, and how each message ended."""

    mode: Personalisation
    everyone: str
    outcomes: dict[int, Verdict]


persons = st.builds(
    Person,
    country=st.sampled_from([None, *COUNTRIES]),
    sectors=st.frozensets(st.sampled_from(SECTORS), max_size=2),
    countries=st.frozensets(st.sampled_from(COUNTRIES), max_size=1),
)
changed_persons = st.builds(
    replace,
    persons,
    status=st.sampled_from([Status.active, Status.active, Status.unsubscribed, Status.bounced]),
)
sendings = st.builds(
    Sending,
    mode=st.sampled_from([*Personalisation, Personalisation.filter]),
    everyone=st.sampled_from(["", "", *STORIES]),
    outcomes=st.dictionaries(
        st.integers(0, 4), st.sampled_from([Verdict.sent, Verdict.sent, Verdict.in_doubt, Verdict.rejected])
    ),
)


@pytest.fixture
def engine_of(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database()
    register_dispatchers(engine, "us")
    yield engine
    engine.dispose()


@pytest.fixture
def compiled(either_workspace: Workspace) -> CompiledEdition:
    """The edition with four stories, compiled once for all examples."""
    folder = write_edition(either_workspace.editions)
    for file in (folder / "stories").iterdir():
        file.unlink()
    (folder / "edition.zh.md").unlink()
    for number, (slug, (title, sector, countries)) in enumerate(STORIES.items(), start=1):
        text = _STORY.format(
            title=title, sector=f"sector: {sector}\n" if sector else "", countries=", ".join(countries)
        )
        (folder / "stories" / f"{number:03}-{slug}.md").write_text(text, encoding="utf-8")
    edition = read_edition(folder, sectors=SECTORS)
    return compile_edition(edition, either_workspace.settings)


def clear(connection: Connection) -> None:
    for table in (Delivery, CampaignContent, Campaign, SubscriberSector, SubscriberCountry, Subscriber):
        connection.execute(delete(table))


def write_person(session: Session, number: int, person: Person, now: datetime) -> None:
    """Add a subscriber with the id ``number``, or change what they follow and get."""
    for table in (SubscriberSector, SubscriberCountry):
        session.connection().execute(delete(table).where(col(table.subscriber_id) == number))
    address = f"p{number}@example.org"
    known = session.get(Subscriber, number)
    subscriber = known or Subscriber(
        id=number, email=address, envelope=address, created_at=now, updated_at=now
    )
    subscriber.country, subscriber.status, subscriber.updated_at = person.country, person.status, now
    session.add(subscriber)
    session.flush()
    session.add_all(SubscriberSector(subscriber_id=number, sector=sector) for sector in person.sectors)
    session.add_all(SubscriberCountry(subscriber_id=number, country=code) for code in person.countries)


def send(workspace: Workspace, engine: Engine, content: CompiledEdition, sending: Sending) -> dict[int, str]:
    """Send a campaign through the ledger; return the text of each message that arrived or may have."""
    with Session(engine) as session:
        campaign = Campaign(
            edition=SLUG,
            title="Spring",
            segment="all",
            state="sending",
            digest="d",
            language="en",
            created_at=START,
            launched_at=START,
        )
        session.add(campaign)
        session.flush()
        number = campaign.id or 0
        session.add(CampaignContent(campaign_id=number, language="en", body=content.to_bytes()))
        session.add_all(
            Delivery(campaign_id=number, subscriber_id=person + 1, updated_at=START)
            for person in sending.outcomes
        )
        session.commit()
    signer = workspace.keys.tokens
    find_token = make_token_finder(number, signer)
    build = make_message_builder([content], number, workspace.settings, signer, find_token)
    find = make_story_finder(content)
    ledger = Ledger(engine, number, "us", clock=lambda _: START)
    claims = ledger.claim(50)
    stories = {} if find is None else {claim.delivery_id: find(claim) for claim in claims}
    started = ledger.make_batch([], starting=[claim.delivery_id for claim in claims], stories=stories)
    ledger.record(started)
    texts = {}
    for claim in claims:
        verdict = sending.outcomes[claim.subscriber.id - 1]
        ledger.record(ledger.make_batch([(claim, Outcome(verdict, Stage.dot))]))
        if verdict is not Verdict.rejected:
            body = message_from_bytes(build(claim), policy=policy.default).get_body(("plain",))
            assert body is not None
            texts[claim.subscriber.id] = body.get_content()
    ledger.close()
    return texts


def find_audience(workspace: Workspace, engine: Engine, story: str) -> set[int]:
    with Session(engine) as session:
        segment = read_segment(f"got:{SLUG}/{story}", workspace.settings, session)
    # The segment is used after the connection that it was read with, as by a launch.
    audience = is_in_audience(segment, f"{SLUG}~correction-1", LATER.date(), again=False)
    with engine.connect() as connection:
        return set(connection.scalars(select(col(Subscriber.id)).where(audience)))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(persons, min_size=5, max_size=5),
    after=st.lists(changed_persons, min_size=5, max_size=5),
    campaigns=st.lists(sendings, min_size=1, max_size=3),
)
def test_the_audience_of_a_correction_is_exactly_those_whose_message_had_the_story(
    either_workspace: Workspace,
    engine_of: Engine,
    compiled: CompiledEdition,
    before: Sequence[Person],
    after: Sequence[Person],
    campaigns: Sequence[Sending],
) -> None:
    got: dict[str, set[int]] = {story: set() for story in STORIES}
    with Session(engine_of) as session:
        clear(session.connection())
        for number, person in enumerate(before, start=1):
            write_person(session, number, person, START)
        session.commit()
    sent: set[str] = set()
    for sending in campaigns:
        facts = tuple(replace(one, everyone=one.slug == sending.everyone) for one in compiled.stories)
        content = replace(compiled, personalise=sending.mode, stories=facts)
        for number, text in send(either_workspace, engine_of, content, sending).items():
            for story, (title, _, _) in STORIES.items():
                if title in text:
                    got[story].add(number)
        sent.update(STORIES)
    with Session(engine_of) as session:
        for number, person in enumerate(after, start=1):
            write_person(session, number, person, LATER)
        session.commit()
    mailable = {number for number, person in enumerate(after, start=1) if person.status is Status.active}
    for story in sent:
        assert find_audience(either_workspace, engine_of, story) == got[story] & mailable


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=st.lists(persons, min_size=5, max_size=5),
    everyone=st.sampled_from(["", *STORIES]),
    changed=st.sets(st.integers(1, 5), max_size=2),
)
def test_without_a_record_of_the_stories_the_same_is_computed_and_the_changed_are_included(
    either_workspace: Workspace,
    engine_of: Engine,
    compiled: CompiledEdition,
    people: Sequence[Person],
    everyone: str,
    changed: set[int],
) -> None:
    facts = tuple(replace(one, everyone=one.slug == everyone) for one in compiled.stories)
    content = replace(compiled, personalise=Personalisation.filter, stories=facts)
    with Session(engine_of) as session:
        clear(session.connection())
        for number, person in enumerate(people, start=1):
            write_person(session, number, person, START)
        session.commit()
    sending = Sending(Personalisation.filter, everyone, dict.fromkeys(range(5), Verdict.sent))
    send(either_workspace, engine_of, content, sending)
    with engine_of.begin() as connection:
        connection.execute(update(Delivery).values(stories=None))
        connection.execute(update(Subscriber).where(col(Subscriber.id).in_(changed)).values(updated_at=LATER))
    with engine_of.connect() as connection:
        assert all(one.has_unrecorded for one in find_story_campaigns(connection, SLUG, "water"))
    for story in STORIES:
        computed = {number for number, person in enumerate(people, 1) if story in person.chosen(content)}
        assert find_audience(either_workspace, engine_of, story) == computed | changed


@given(chosen=st.lists(st.sets(st.sampled_from(sorted(STORIES))), min_size=1, max_size=3))
def test_the_ledgers_word_for_the_stories_of_a_message_can_be_read_again(chosen: list[set[str]]) -> None:
    facts = [StoryFacts(slug=slug, section="", sector="", countries=(), everyone=False) for slug in STORIES]
    words = " ".join(encode_stories(facts, slugs) for slugs in chosen)
    assert decode_stories(facts, words) == frozenset().union(*chosen)
