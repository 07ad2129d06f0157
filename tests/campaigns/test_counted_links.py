"""Campaigns that count clicks: what is frozen, what is approved, and what readers get."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from html import unescape

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.campaigns.approvals.approval import find_approval
from mailer.campaigns.approvals.settlement import approve
from mailer.campaigns.counted_links import (
    CountedLinks,
    NumberedLink,
    index_links,
    number_links,
    read_counted_links,
)
from mailer.campaigns.launch import launch, launch_or_continue
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.mail_to_test_readers import send_test
from mailer.campaigns.outbox import write_outbox
from mailer.campaigns.plan import Plan
from mailer.campaigns.report.summary import summarise_campaign
from mailer.campaigns.schedule import schedule_campaign, start_due_campaigns
from mailer.campaigns.send import send_campaign
from mailer.database.models import Campaign, CampaignState
from mailer.database.report_models import CampaignLink
from mailer.rendering.body.counted_links import LinkKey
from mailer.settings import CampaignSettings, WebSettings
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.click_tokens import ClickToken, read_click_token
from subscribers.models import Subscriber
from tests.factories.campaigns import make_plan, with_settings, with_smtp
from tests.factories.deliveries import FakeClock, read_campaign
from tests.factories.small_edition import SLUG, add_people, write_edition, write_links
from tests.servers.misbehaving_smtp import MisbehavingServer

LINKS = (
    NumberedLink(number=1, url="https://example.org/report?a=1&b=2", story="teachers", label="The report"),
    NumberedLink(number=2, url="https://example.org/teachers", story="teachers", label="for teachers"),
    NumberedLink(number=3, url="https://example.org/zh", story="teachers", label="中文"),
)
SECTORS = ("education", "sciences", "culture")
OTHER_KIND = "clicks on its links, which are (no longer )?counted"


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    write_links(write_edition(either_workspace.editions))
    return either_workspace


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database(durable=True)
    add_people(engine)
    yield engine
    engine.dispose()


def plan_counted(workspace: Workspace, engine: Engine, now: datetime, query: str = "all") -> Plan:
    return make_plan(workspace, engine, now, query, count_clicks=True)


def read_frozen(engine: Engine, number: int) -> CountedLinks | None:
    with Session(engine) as session:
        return read_counted_links(session, number)


def send_and_parse(workspace: Workspace, number: int) -> dict[str, tuple[str, str]]:
    """The text and the HTML of every message that arrives, by recipient."""
    found = {}
    with MisbehavingServer() as server:
        send_campaign(with_smtp(workspace, server.url), number)
    for mail in server.received:
        parts = message_from_bytes(mail.content, policy=policy.default).iter_parts()  # type: ignore[attr-defined]
        text, html = (part.get_content() for part in parts)
        found[mail.recipient] = text, html
    return found


def find_click_addresses(html: str) -> dict[int, str]:
    """The tokens of the counted links, by number."""
    found = re.findall(r'href="https://news\.example\.org/c/([\w-]+)/(\d+)"', html)
    return {int(number): token for token, number in found}


def with_public_address(workspace: Workspace) -> Workspace:
    return with_settings(workspace, web=WebSettings(base_url="https://news.example.org"))


def test_clicks_are_not_counted_unless_somebody_asks(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = make_plan(workspace, engine, now)
    number = launch(engine, workspace, plan, now=now)
    assert not plan.counts_clicks
    assert not read_campaign(engine, number).counts_clicks
    with Session(engine) as session:
        assert not session.exec(select(CampaignLink)).all()
    for _, html in send_and_parse(workspace, number).values():
        assert "/c/" not in html


def test_the_settings_can_ask_for_every_campaign_and_the_option_against_it(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    counting = with_settings(workspace, campaigns=CampaignSettings(count_clicks=True))
    assert make_plan(counting, engine, now).counts_clicks
    assert not make_plan(counting, engine, now, count_clicks=False).counts_clicks
    assert plan_counted(workspace, engine, now).counts_clicks


def test_the_links_are_frozen_with_the_campaign_each_place_of_a_story_once(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = plan_counted(workspace, engine, now)
    assert (plan.as_dict()["counts_clicks"], plan.as_dict()["counted_links"]) == (True, 3)
    number = launch(engine, workspace, plan, now=now)
    assert read_frozen(engine, number) == CountedLinks(links=LINKS, sectors=SECTORS)
    with Session(engine) as session:
        assert summarise_campaign(session, number).as_dict()["counts_clicks"] is True


def test_counting_changes_neither_the_content_nor_its_digest(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plain, counted = make_plan(workspace, engine, now), plan_counted(workspace, engine, now)
    assert plain.digest == counted.digest
    assert plain.compiled == counted.compiled


def test_readers_of_one_country_who_follow_the_same_get_the_same_links(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    workspace = with_public_address(workspace)
    number = launch(engine, workspace, plan_counted(workspace, engine, now), now=now)
    mails = send_and_parse(workspace, number)
    signer = workspace.keys.tokens
    expected = {
        "bat@example.org": ({1, 2}, ClickToken(campaign_id=number, country="MN", sectors=0b001)),
        "li@example.org": ({1, 3}, ClickToken(campaign_id=number, country="CN", sectors=0b101)),
        "kim@example.org": ({1, 2}, ClickToken(campaign_id=number, country="KR")),
        "sato@example.org": ({1, 2}, ClickToken(campaign_id=number, country="JP", sectors=0b100)),
    }
    for address, (numbers, token) in expected.items():
        text, html = mails[address]
        found = find_click_addresses(html)
        assert set(found) == numbers
        assert {read_click_token(signer, one) for one in found.values()} == {token}
        assert "https://example.org/report?a=1&b=2" in text.replace("\n", "")
        assert "/c/" not in text
        # The words are an address, so the link is what it says.
        if address != "li@example.org":
            assert 'href="https://example.org/all"' in html
        assert html.count(f"https://news.example.org/c/{found[1]}/") == (2 if 3 in numbers else 3)


def test_only_a_reader_who_has_agreed_is_named(workspace: Workspace, engine: Engine, now: datetime) -> None:
    workspace = with_public_address(workspace)
    with Session(engine) as session:
        bat = session.exec(select(Subscriber).where(Subscriber.email == "bat@example.org")).one()
        bat.click_consent, number_of_bat = True, bat.id
        session.commit()
    number = launch(engine, workspace, plan_counted(workspace, engine, now), now=now)
    named = {
        address: {
            read_click_token(workspace.keys.tokens, token).subscriber_id
            for token in find_click_addresses(html).values()
        }
        for address, (_, html) in send_and_parse(workspace, number).items()
    }
    assert named.pop("bat@example.org") == {number_of_bat}
    assert set(map(tuple, named.values())) == {(0,)}


def test_all_else_in_a_message_is_as_without_counting(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    workspace = with_public_address(workspace)
    counted = launch(engine, workspace, plan_counted(workspace, engine, now, "country:MN"), now=now)
    _, with_clicks = send_and_parse(workspace, counted)["bat@example.org"]
    plain = launch(engine, workspace, make_plan(workspace, engine, now, "country:MN", again=True), now=now)
    _, without = send_and_parse(workspace, plain)["bat@example.org"]
    urls = {link.number: link.url for link in LINKS}
    back = re.sub(
        r"https://news\.example\.org/c/[\w-]+/(\d+)", lambda found: urls[int(found[1])], with_clicks
    )
    # What names the campaign: the reader's own links, and the code at the foot.
    own = re.compile(r"(?<=/[up]/)[\w-]{39}|\b[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}\b")
    assert own.sub("", unescape(back)) == own.sub("", unescape(without))


def test_a_resumed_campaign_sends_the_same_links_whatever_the_edition_and_the_settings_say_now(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    workspace = with_public_address(workspace)
    number = launch(engine, workspace, plan_counted(workspace, engine, now), now=now)
    (workspace.editions / SLUG / "stories" / "010-teachers.md").write_text("gone", encoding="utf-8")
    changed = with_settings(workspace, sectors={"new": "New", **workspace.settings.sectors})
    _, html = send_and_parse(changed, number)["bat@example.org"]
    found = find_click_addresses(html)
    assert set(found) == {1, 2}
    assert read_click_token(workspace.keys.tokens, found[1]).sectors == 0b001


def test_sending_again_continues_a_campaign_only_if_it_counts_as_it_did(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    number = launch(engine, workspace, plan_counted(workspace, engine, now), now=now)
    with pytest.raises(
        LaunchRefusedError, match=r"counts clicks, which cannot change .* with --count-clicks"
    ):
        launch_or_continue(engine, workspace, make_plan(workspace, engine, now), now=now)
    found = launch_or_continue(engine, workspace, plan_counted(workspace, engine, now), now=now)
    assert (found.campaign_id, found.continued) == (number, True)


def test_a_scheduled_campaign_keeps_its_links_and_is_not_moved_into_one_without(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    clock, at = FakeClock(now), now + timedelta(hours=1)
    plan = plan_counted(workspace, engine, now)
    number = schedule_campaign(engine, workspace, plan, at=at, clock=clock).campaign_id
    with pytest.raises(LaunchRefusedError, match=r"counts clicks\. Cancel it"):
        schedule_campaign(engine, workspace, make_plan(workspace, engine, now), at=at, clock=clock)
    clock.now = at
    assert [one.state for one in start_due_campaigns(engine, workspace, clock=clock)] == [
        CampaignState.sending
    ]
    assert read_frozen(engine, number) == CountedLinks(links=LINKS, sectors=SECTORS)


@pytest.mark.parametrize("approved", [True, False])
def test_an_approval_is_void_where_clicks_are_counted_and_were_not_or_the_other_way_round(
    workspace: Workspace, engine: Engine, now: datetime, approved: bool
) -> None:
    workspace = with_settings(workspace, campaigns=CampaignSettings(approval="required"))
    first, other = (make_plan(workspace, engine, now, count_clicks=one) for one in (approved, not approved))
    given = approve(engine, workspace, first, by="Mei", now=now)
    with engine.connect() as connection:
        found = find_approval(connection, workspace, other)
        assert found is not None
        assert re.fullmatch(OTHER_KIND, found.changes_as_text)
        assert find_approval(connection, workspace, first) == given
    option = "" if approved else " --count-clicks"
    with pytest.raises(LaunchRefusedError, match=f"--segment all{option} --as NAME"):
        launch(engine, workspace, other, now=now)
    assert launch(engine, workspace, first, now=now) == given.campaign_id
    frozen = read_frozen(engine, given.campaign_id)
    assert frozen == (CountedLinks(links=LINKS, sectors=SECTORS) if approved else None)


def test_approving_again_with_counting_freezes_the_links(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    first = approve(engine, workspace, make_plan(workspace, engine, now), by="Mei", now=now)
    second = approve(engine, workspace, plan_counted(workspace, engine, now), by="Mei", now=now)
    assert first.campaign_id == second.campaign_id
    assert read_frozen(engine, second.campaign_id) == CountedLinks(links=LINKS, sectors=SECTORS)
    with engine.connect() as connection:
        plan = plan_counted(workspace, engine, now)
        assert (found := find_approval(connection, workspace, plan)) is not None
        assert found.holds


def test_changing_the_setting_voids_an_approval(workspace: Workspace, engine: Engine, now: datetime) -> None:
    approve(engine, workspace, make_plan(workspace, engine, now), by="Mei", now=now)
    counting = with_settings(workspace, campaigns=CampaignSettings(count_clicks=True, approval="required"))
    with pytest.raises(LaunchRefusedError, match="clicks on its links, which are counted"):
        launch(engine, counting, make_plan(counting, engine, now), now=now)


def test_a_test_and_a_preview_lead_straight_to_the_place(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    plan = plan_counted(workspace, engine, now)
    with MisbehavingServer() as server:
        send_test(
            engine,
            with_smtp(workspace, server.url),
            plan,
            [normalise_address("me@example.org")],
            shown_address="bat@example.org",
            by="Mei",
            now=now,
        )
    outbox = write_outbox(workspace, engine, plan, addresses=["bat@example.org"], now=now)
    pages = [path.with_suffix(".html") for path in outbox]
    contents = [server.received[0].content, *(path.read_bytes() for path in (*outbox, *pages))]
    assert len(contents) >= 5
    assert not [content for content in contents if b"/c/" in content]
    with Session(engine) as session:
        campaign = session.exec(select(Campaign)).one()
        assert (campaign.state, campaign.counts_clicks) == (CampaignState.tested, False)
    # The tested draft becomes the campaign, and counts.
    number = launch(engine, workspace, plan, now=now)
    assert number == campaign.id
    assert read_frozen(engine, number) == CountedLinks(links=LINKS, sectors=SECTORS)


def test_the_links_to_the_stories_of_a_digest_are_counted_with_the_version_that_opens_them(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    edition = workspace.editions / SLUG / "edition.md"
    edition.write_text(
        edition.read_text(encoding="utf-8").replace("language: en", "language: en\nform: digest")
    )
    plan = plan_counted(workspace, engine, now)
    assert not plan.errors
    assert plan.counted is not None
    english = plan.compiled[0]
    base = workspace.settings.web.base_url
    card = f"{base}/e/{SLUG}/en/teachers?v={english.digest[:16]}"
    assert card in {link.url for link in plan.counted.links}
    index = index_links(plan.counted, plan.compiled, base)
    number = next(link.number for link in plan.counted.links if link.url == card)
    assert index[LinkKey(f"{base}/e/{SLUG}/en/teachers@@version@@", "teachers")] == number


def test_an_edition_without_links_counts_nothing_and_is_sent(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    write_edition(workspace.editions)
    plan = plan_counted(workspace, engine, now)
    assert plan.counted == CountedLinks(links=(), sectors=SECTORS)
    number = launch(engine, workspace, plan, now=now)
    assert len(send_and_parse(workspace, number)) == 4


def test_a_very_long_address_is_kept_whole(workspace: Workspace, engine: Engine, now: datetime) -> None:
    long = "https://example.org/?q=" + "x" * 9000
    story = workspace.editions / SLUG / "stories" / "010-teachers.md"
    story.write_text(story.read_text(encoding="utf-8") + f"\n[Long]({long})\n", encoding="utf-8")
    number = launch(engine, workspace, plan_counted(workspace, engine, now), now=now)
    frozen = read_frozen(engine, number)
    assert frozen is not None
    assert long in {link.url for link in frozen.links}


def test_numbering_is_the_same_each_time(workspace: Workspace, engine: Engine, now: datetime) -> None:
    plan = plan_counted(workspace, engine, now)
    base = workspace.settings.web.base_url
    assert number_links(plan.compiled, base, SECTORS) == plan.counted


def test_a_mail_that_counting_makes_too_large_is_not_sent(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    story = workspace.editions / SLUG / "stories" / "010-teachers.md"
    text = story.read_text(encoding="utf-8")
    links = " ".join(f"[Story number {number}](https://a.io/{number})" for number in range(400))
    story.write_text(f"{text}\n{links}\n\n{'A long story. ' * 4200}\n", encoding="utf-8")
    plain, counted = make_plan(workspace, engine, now), plan_counted(workspace, engine, now)
    assert "mail-too-large" not in {problem.code for problem in plain.errors}
    assert "mail-too-large" in {problem.code for problem in counted.errors}
