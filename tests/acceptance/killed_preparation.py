"""The steps of a journey through Studio until a campaign is tested; its server is killed at each."""

from http import HTTPStatus

from sqlmodel import Session, col, select

from mailer.activity.acts import Act
from mailer.database.engine import open_session
from mailer.database.import_models import ImportFile
from mailer.database.launch_models import CampaignPreparation
from mailer.database.models import SentTest
from mailer.database.team_models import TeamMember, TeamSession
from mailer.team.sign_in_links import create_first_link
from mailer.web.dependencies import utc_now
from subscribers.models import ImportBatch, SavedSegment, Subscriber
from tests.acceptance.killed_journey import Step
from tests.acceptance.killed_team import EDITION, LIST, PEOPLE, STORY, TEXT, TITLE, Team
from tests.servers.process import wait_until


def found_team(team: Team) -> None:
    journey = team.journey
    with Session(journey.engine) as session:
        secret = create_first_link(session, now=utc_now())
        session.commit()
    values = {"name": "Mei Manager", "email": "mei@example.org"}
    journey.walk(
        Step(
            name="the first account",
            fill=team.form(f"/first/{secret}", "Open Studio", values),
            count=lambda: journey.number(TeamMember),
            says=lambda: team.visitor().open(f"/studio/first/{secret}").status == HTTPStatus.GONE,
            act=Act.joined_team,
        )
    )


def sign_in(team: Team) -> None:
    journey = team.journey
    team.mei.cookies.clear()
    journey.walk(
        Step(
            name="asking for a link",
            fill=team.form("/sign-in", "Send me a link", {"email": "mei@example.org"}),
            count=lambda: min(1, len(team.mails_to("mei@example.org"))),
            says=lambda: bool(team.mails_to("mei@example.org")),
            again=False,
        )
    )
    link = team.await_link("mei@example.org", "link")
    if not team.mei.open(f"/studio{link}").has_button("Sign in"):
        # The answer was lost, and with it the cookie of the browser that the link is for.
        link = _ask_once_more(team)
    journey.walk(
        Step(
            name="signing in",
            fill=team.form(link, "Sign in"),
            count=lambda: journey.number(TeamSession),
            # The same browser may use it again for a minute, because an answer can get lost; no other may.
            says=lambda: team.visitor().open(f"/studio{link}").status == HTTPStatus.GONE,
            again=False,
        )
    )
    team.sign_in_again(team.mei, link)


def _ask_once_more(team: Team) -> str:
    """The path of another link to sign in."""
    number = len(team.mails_to("mei@example.org"))
    team.mei.send(team.form("/sign-in", "Send me a link", {"email": "mei@example.org"})()[1])
    wait_until(lambda: len(team.mails_to("mei@example.org")) > number, what="another link", seconds=60)
    return team.await_link("mei@example.org", "link")


def import_partners(team: Team) -> None:
    _upload(team)
    _import(team)
    journey = team.journey
    number = journey.number(ImportBatch)
    journey.walk(
        Step(
            name="undoing an import",
            fill=team.form(f"/imports/{number}/undo", "Remove 30 partners"),
            count=lambda: journey.number(ImportBatch, col(ImportBatch.rolled_back_at).is_not(None)),
            says=lambda: "This import was undone" in team.words(f"/imports/{number}"),
            act=Act.rolled_back_import,
        )
    )
    assert journey.number(Subscriber) == 0
    _upload(team)
    _import(team)
    assert journey.number(Subscriber) == len(PEOPLE)


def _upload(team: Team) -> None:
    journey, before = team.journey, team.journey.number(ImportFile)
    journey.walk(
        Step(
            name="uploading a list",
            fill=team.form("/imports/new", "Show what it would change", files={"file": LIST.encode()}),
            count=lambda: journey.number(ImportFile),
            says=lambda: f"/imports/new/{before + 1}" in team.mei.open("/studio/imports/new").source,
            again=False,
        )
    )


def _import(team: Team) -> None:
    journey = team.journey
    number, before = journey.number(ImportFile), journey.number(ImportBatch)

    def says() -> bool:
        path = f"/studio/imports/new/{number}"
        wait_until(
            lambda: (
                "import_progress" not in (page := team.mei.open(path)).source
                and (page.path != path or page.has_button("Import 30"))
            ),
            what="the import to be over",
            seconds=120,
        )
        is_there = team.mei.open(path).path != path
        assert journey.number(Subscriber) == (len(PEOPLE) if is_there else 0)
        assert ("partner.example" in team.words("/partners")) == is_there
        return is_there

    journey.walk(
        Step(
            name="importing",
            fill=team.form(f"/imports/new/{number}", "Import 30 partners", {"basis": "partners"}),
            count=lambda: journey.number(ImportBatch) - before,
            says=says,
            act=Act.imported_subscribers,
            kills=8,
        )
    )


def make_segment(team: Team) -> None:
    team.journey.walk(
        Step(
            name="saving a segment",
            fill=team.form("/segments/new", "Save segment", {"q": "country:MN", "name": "east"}),
            count=lambda: team.journey.number(SavedSegment),
            says=lambda: "east" in team.words("/segments"),
            act=Act.saved_segment,
        )
    )


def write(team: Team) -> None:
    folder = team.journey.workspace.editions / EDITION
    team.journey.walk(
        Step(
            name="making an edition",
            fill=team.form("/editions/new/empty", "Make edition", {"slug": EDITION, "title": "News"}),
            count=lambda: int((folder / "edition.md").is_file()),
            says=lambda: EDITION in team.words("/editions"),
            act=Act.created_edition,
        )
    )
    values = {"subject": "What we did", "preheader": "Teachers: what we did this spring."}
    team.journey.walk(
        Step(
            name="saving the details",
            fill=team.form(f"/editions/{EDITION}/details", "Save details", values),
            count=lambda: int("What we did" in (folder / "edition.md").read_text("utf-8")),
            says=lambda: "What we did" in team.mei.open(f"/studio/editions/{EDITION}/details").source,
            act=Act.changed_details,
        )
    )
    values = {"title": TITLE, "sector": "education"}
    team.journey.walk(
        Step(
            name="adding a story",
            fill=team.form(f"/editions/{EDITION}/new-story", "Add story", values),
            count=lambda: int(bool(team.read_story())),
            says=lambda: TITLE in team.words(f"/editions/{EDITION}"),
            act=Act.added_story,
        )
    )
    save_story(team, TEXT)


def save_story(team: Team, text: str) -> None:
    path = f"/editions/{EDITION}/stories/{STORY}"
    team.journey.walk(
        Step(
            name="saving a story",
            fill=team.form(path, "Save", {"body": text}),
            count=lambda: int(text in team.read_story()),
            says=lambda: text in team.mei.open(f"/studio{path}").source,
            act=Act.wrote_text,
            kills=6,
        )
    )


def prepare(team: Team) -> None:
    journey = team.journey
    journey.walk(
        Step(
            name="beginning a campaign",
            fill=team.form("/campaigns/new", "Prepare a campaign of it", {"edition": EDITION}),
            count=lambda: journey.number(CampaignPreparation),
            says=lambda: "There is no campaign yet." not in team.words("/campaigns"),
            act=Act.prepared_campaign,
        )
    )
    with open_session(journey.engine, read_only=True) as session:
        team.campaign = session.exec(select(CampaignPreparation.campaign_id)).one()
    path = f"/campaigns/{team.campaign}/segment"
    journey.walk(
        Step(
            name="choosing who gets it",
            fill=team.form(f"{path}?q=segment:east", "Save who gets it"),
            count=lambda: journey.number(CampaignPreparation, col(CampaignPreparation.segment).is_not(None)),
            says=lambda: 'value="country:MN"' in team.mei.open(f"/studio{path}").source,
            act=Act.changed_campaign,
        )
    )


def send_test(team: Team) -> None:
    journey, path = team.journey, f"/campaigns/{team.campaign}/tests"

    def says() -> bool:
        shown, got = team.words(path), len(team.mails_to("desk@office.example"))
        assert shown.count("desk@office.example") >= got, "a test has arrived that the page does not name"
        return "As it would be sent now" in shown

    journey.walk(
        Step(
            name="sending a test",
            fill=team.form(path, "Send the test", {"addresses": "desk@office.example"}),
            count=lambda: min(1, journey.number(SentTest, ~col(SentTest.is_in_doubt))),
            says=says,
            again=False,
            kills=8,
        )
    )


STEPS = (found_team, sign_in, import_partners, make_segment, write, prepare, send_test)
