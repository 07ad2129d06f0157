"""What the law of a reader's country asks, before a launch and again at the hour of a schedule."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine
from sqlmodel import Session, select

import templates
from mailer.campaigns.launch import launch
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.outbox import NotInAudienceError, write_outbox
from mailer.campaigns.recipients import RULES, Enforcement, LegalRequirement, find_rule, list_countries
from mailer.campaigns.schedule import schedule_campaign, start_due_campaigns
from mailer.campaigns.send import send_campaign
from mailer.database.models import CampaignState
from mailer.settings import LawSettings, Settings, SmtpSettings
from mailer.workspace import Workspace
from subscribers.consent.sign_ups import confirm_opt_in, request_opt_in
from subscribers.consent.status_changes import add_consent_record, unsubscribe
from subscribers.imports.importer import import_file
from subscribers.models import ConsentEvent, Subscriber
from tests.factories.campaigns import make_plan, with_sender, with_settings
from tests.factories.deliveries import FakeClock, add_subscribers, read_campaign, read_states
from tests.factories.json_output import to_json
from tests.factories.small_edition import SLUG
from tests.paths import ROOT
from tests.servers.misbehaving_smtp import MisbehavingServer

REASON = "in JP without consent on record"

EXAMPLE_POSTAL_ADDRESS = tomllib.loads((templates.ROOT / "workspace" / "example.toml").read_text("utf-8"))[
    "sender"
]["postal_address"]


@pytest.fixture
def engine(campaign_workspace: Workspace) -> Iterator[Engine]:
    engine = campaign_workspace.open_database(durable=True)
    add_subscribers(engine, ["bat@example.org"], country="MN")
    add_subscribers(engine, ["nobody@example.org"])
    yield engine
    engine.dispose()


def bring_in(workspace: Workspace, engine: Engine, address: str, country: str, basis: str) -> None:
    people = workspace.root / "people.csv"
    people.write_text(f"email,country\n{address},{country}\n")
    with Session(engine) as session:
        key = workspace.keys.suppression
        now = datetime.fromisoformat("2026-02-01T00:00Z")
        assert import_file(session, people, sectors=(), key=key, now=now, basis=basis).added == 1
        session.commit()


def with_law(workspace: Workspace, **law: object) -> Workspace:
    return with_settings(workspace, law=LawSettings.model_validate(law))


def test_a_reader_in_japan_without_consent_on_record_is_held_back_and_the_others_are_not(
    campaign_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    bring_in(campaign_workspace, engine, "sato@example.org", "JP", basis="")
    plan = make_plan(campaign_workspace, engine, now)
    assert (plan.audience, plan.left_out) == (2, {REASON: 1})
    (held,) = plan.held_back
    assert str(held) == (
        f"1 {REASON} (Act on Regulation of Transmission of Specified Electronic Mail, as amended 2008, "
        "Art. 3): sato@example.org"
    )
    assert to_json(plan)["held_back"] == [held.as_dict()]
    assert held.as_dict()["source"] == "Act No. 26 of 2002; also for mail to Japan from abroad"
    launch(engine, campaign_workspace, plan, now=now)
    assert set(read_states(engine)) == {"bat@example.org", "nobody@example.org"}
    with pytest.raises(NotInAudienceError, match="held back by the law of their country"):
        write_outbox(campaign_workspace, engine, plan, addresses=["sato@example.org"], now=now)


def test_a_declared_basis_is_consent_on_record(
    campaign_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    bring_in(campaign_workspace, engine, "sato@example.org", "JP", basis="cards exchanged at the 2025 forum")
    plan = make_plan(campaign_workspace, engine, now)
    assert (plan.audience, plan.left_out, plan.held_back) == (3, {}, ())


def test_a_readers_own_sign_up_is_consent_on_record(
    campaign_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    key = campaign_workspace.keys.suppression
    with Session(engine) as session:
        asked = request_opt_in(session, "sato@example.org", key=key, method="page", now=now)
        assert asked is not None
        confirm_opt_in(session, asked.id or 0, key=key, method="page", now=now)
        session.exec(select(Subscriber).where(Subscriber.email == "sato@example.org")).one().country = "JP"
        session.commit()
    assert make_plan(campaign_workspace, engine, now).audience == 3


@pytest.mark.parametrize("happened", [ConsentEvent.updated, ConsentEvent.requested, ConsentEvent.resumed])
def test_nothing_else_is(
    campaign_workspace: Workspace, engine: Engine, now: datetime, happened: ConsentEvent
) -> None:
    bring_in(campaign_workspace, engine, "sato@example.org", "JP", basis="")
    with Session(engine) as session:
        person = session.exec(select(Subscriber).where(Subscriber.email == "sato@example.org")).one()
        add_consent_record(session, person, happened, method="page", now=now, basis="said so")
        session.commit()
    assert make_plan(campaign_workspace, engine, now).left_out == {REASON: 1}


def test_consent_on_record_does_not_bring_back_an_unsubscribed_reader(
    campaign_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    bring_in(campaign_workspace, engine, "sato@example.org", "JP", basis="partners")
    with Session(engine) as session:
        person = session.exec(select(Subscriber).where(Subscriber.email == "sato@example.org")).one()
        unsubscribe(session, person.id or 0, method="one-click", now=now)
        session.commit()
    assert make_plan(campaign_workspace, engine, now).left_out == {"unsubscribed": 1}


def test_the_countries_are_a_setting(campaign_workspace: Workspace, engine: Engine, now: datetime) -> None:
    bring_in(campaign_workspace, engine, "sato@example.org", "JP", basis="")
    bring_in(campaign_workspace, engine, "li@example.org", "CN", basis="")
    plan = make_plan(with_law(campaign_workspace, opt_in=["CN"]), engine, now)
    assert plan.left_out == {"in CN without consent on record": 1}
    assert "Personal Information Protection Law" in str(plan.held_back[0])
    assert make_plan(with_law(campaign_workspace, opt_in=[]), engine, now).audience == 4
    unlisted = make_plan(with_law(campaign_workspace, opt_in=["MN"]), engine, now).held_back[0]
    assert str(unlisted) == "1 in MN without consent on record: bat@example.org"


def test_the_law_is_asked_again_at_the_hour_of_a_schedule(
    campaign_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    clock = FakeClock(now)
    plan = make_plan(campaign_workspace, engine, now)
    number = schedule_campaign(
        engine, campaign_workspace, plan, at=now + timedelta(hours=1), clock=clock
    ).campaign_id
    bring_in(campaign_workspace, engine, "sato@example.org", "JP", basis="")
    bring_in(campaign_workspace, engine, "mori@example.org", "JP", basis="partners")
    clock.advance(hours=2)
    (started,) = start_due_campaigns(engine, campaign_workspace, clock=clock)
    assert (started.campaign_id, started.state, started.audience) == (number, CampaignState.sending, 3)
    assert set(read_states(engine)) == {"bat@example.org", "nobody@example.org", "mori@example.org"}


@pytest.mark.parametrize(
    ("sender", "fault"),
    [
        ({"organisation": " "}, "missing"),
        ({"postal_address": "-----"}, "missing"),
        ({"name": "unesco beijing  office"}, "is still that of the sample"),
        ({"address": "newsletter@beijing.example.org"}, "is still that of the sample"),
        ({"postal_address": EXAMPLE_POSTAL_ADDRESS}, "is still that of the sample"),
    ],
)
def test_nothing_goes_out_from_a_sender_who_does_not_say_who_and_where_or_is_another_body(
    campaign_workspace: Workspace, engine: Engine, now: datetime, sender: dict[str, str], fault: str
) -> None:
    nameless = with_sender(campaign_workspace, **sender)
    with pytest.raises(LaunchRefusedError, match=rf"\[sender\] {next(iter(sender))} {fault}"):
        launch(engine, nameless, make_plan(nameless, engine, now), now=now)
    assert read_states(engine) == {}

    clock = FakeClock(now)
    plan = make_plan(campaign_workspace, engine, now)
    number = schedule_campaign(
        engine, campaign_workspace, plan, at=now + timedelta(hours=1), clock=clock
    ).campaign_id
    clock.advance(hours=2)
    (started,) = start_due_campaigns(engine, nameless, clock=clock)
    assert started.state is CampaignState.paused
    assert f"mailer campaigns resume {number}" in read_campaign(engine, number).state_reason


def test_the_body_that_the_sample_shows_may_write_in_its_own_name(
    campaign_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    own = {"name": "UNESCO Beijing Office", "postal_address": EXAMPLE_POSTAL_ADDRESS}
    unconfirmed = with_sender(campaign_workspace, **own)
    plan = make_plan(unconfirmed, engine, now)
    with pytest.raises(LaunchRefusedError, match="add is_sample_body = true"):
        launch(engine, unconfirmed, plan, now=now)
    confirmed = with_sender(campaign_workspace, **own, is_sample_body=True)
    launch(engine, confirmed, make_plan(confirmed, engine, now), now=now)
    assert read_states(engine) != {}


def test_a_mail_that_does_not_say_who_sends_it_from_where_is_never_launched(
    campaign_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    # The check is essential: an edition that switches it off has an error of its own.
    edition = campaign_workspace.editions / SLUG / "edition.md"
    text = edition.read_text().replace(
        "language: en", "language: en\nchecks:\n  no-postal-address: we like it"
    )
    edition.write_text(text)
    with pytest.raises(LaunchRefusedError, match="has errors, so it was not sent"):
        launch(engine, campaign_workspace, make_plan(campaign_workspace, engine, now), now=now)


def test_a_label_precedes_the_subject_only_for_readers_in_its_country(
    campaign_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    bring_in(campaign_workspace, engine, "li@example.org", "CN", basis="")
    labels = {"CN": "广告", "KR": "(광고)"}
    labelled = replace(
        campaign_workspace, settings=campaign_workspace.settings.model_copy(update={"subject_labels": labels})
    )
    plan = make_plan(labelled, engine, now)
    number = launch(engine, labelled, plan, now=now)
    with MisbehavingServer() as server:
        smtp = SmtpSettings(url=server.url, timeout=5, final_timeout=5)
        settings = labelled.settings.model_copy(update={"smtp": smtp})
        send_campaign(replace(labelled, settings=settings), number)
    subjects = {
        mail.recipient: message_from_bytes(mail.content, policy=policy.default)["Subject"]
        for mail in server.received
    }
    assert subjects == {
        "bat@example.org": "News from the field",
        "nobody@example.org": "News from the field",
        "li@example.org": "广告 News from the field",
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"law": {"opt_in": ["Japan"]}},
        {"subject_labels": {"cn": "AD"}},
        {"subject_labels": {"CN": "A\nBcc: x@example.org"}},
    ],
)
def test_an_invalid_country_or_label_is_refused(
    campaign_workspace: Workspace, settings: dict[str, object]
) -> None:
    sender = campaign_workspace.settings.sender.model_dump()
    with pytest.raises(ValidationError):
        Settings.model_validate({"sender": sender, **settings})


def test_every_rule_names_its_law_and_its_source() -> None:
    assert all(rule.law and rule.source for rule in RULES)
    assert {rule.requirement for rule in RULES} == set(LegalRequirement)
    assert LawSettings().opt_in == list_countries(LegalRequirement.opt_in, [Enforcement.hold_back]) == ("JP",)
    assert find_rule(LegalRequirement.label, "CN") is not None
    assert find_rule(LegalRequirement.label, "JP") is None


def test_the_page_on_consent_tells_of_every_rule() -> None:
    page = (ROOT / "docs" / "consent.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert rule.law in page, rule.law
        assert rule.source in page, rule.source
