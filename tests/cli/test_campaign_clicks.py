"""``mailer campaigns clicks``: the links of a campaign on the terminal, as JSON and as CSV."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.cli import mailer
from mailer.database.report_models import ANY_LINK, CampaignLink, ClickCount, Clicker
from mailer.feedback.clicks.click_recorder import VisitorHasher, write_clicks
from mailer.workspace import Workspace
from tests.factories.clicks import make_request
from tests.factories.deliveries import add_campaign


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    """Campaign 1, whose link was followed by 12 people in France and three in Mongolia; 2 has no links."""
    engine = workspace.open_database()
    add_campaign(engine, ["a@example.org"])
    add_campaign(engine, ["b@example.org"])
    with Session(engine) as session:
        label, url = "=HYPERLINK(1)", "https://example.org/a"
        session.add(CampaignLink(campaign_id=1, number=1, url=url, label=label, story="teachers"))
        for number in (ANY_LINK, 1):
            for country, people in (("FR", 12), ("KR", 7), ("MN", 3)):
                session.add(
                    ClickCount(
                        campaign_id=1,
                        link_number=number,
                        country=country,
                        sectors="culture",
                        clicker=Clicker.person,
                        clicks=people,
                    )
                )
        session.add(
            ClickCount(campaign_id=1, link_number=1, country="FR", clicker=Clicker.scanner, clicks=40)
        )
        session.commit()
    yield engine
    engine.dispose()


def run(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), "campaigns", "clicks", *arguments])


@pytest.mark.usefixtures("engine")
def test_people_and_programs_are_shown_apart_and_small_figures_are_not(workspace: Workspace) -> None:
    result = run(workspace, "1")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["1", "=HYPERLINK(1)", "22", "40"] in lines
    assert ["any", "link", "22", "0"] in lines
    assert ["FR", "all", "12", "0"] in lines
    assert ["MN", "all", "–", "0"] in lines
    assert ["KR", "all", "–", "0"] in lines
    assert "fewer than five people" in result.stdout


@pytest.mark.usefixtures("engine")
def test_the_json_has_null_where_a_figure_is_left_out(workspace: Workspace) -> None:
    values = json.loads(run(workspace, "1", "--json").stdout)
    assert (values["people"], values["waiting"]) == (22, 0)
    cells = {(cell["country"], cell["sector"]): cell["people"] for cell in values["links"][0]["cells"]}
    assert cells["FR", None] == 12
    assert cells["MN", None] is None
    assert cells["KR", None] is None


@pytest.mark.usefixtures("engine")
def test_the_csv_has_a_row_for_each_cell_and_no_formula(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    assert run(workspace, "1", "--csv", str(path)).exit_code == 0
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    [whole] = [row for row in rows if (row["link"], row["country"], row["sector"]) == ("1", "all", "all")]
    assert (whole["people"], whole["programs"], whole["story"]) == ("22", "40", "teachers")
    assert whole["label"] == "'=HYPERLINK(1)"
    assert {row["people"] for row in rows if row["country"] == "MN"} == {""}
    assert run(workspace, "1", "--csv", "-").stdout.splitlines()[0] == ",".join(rows[0])


def test_what_has_come_since_is_counted_first(workspace: Workspace, engine: Engine) -> None:
    before = datetime.now(UTC) - timedelta(hours=1)
    visitors = VisitorHasher(engine, workspace.keys.suppression)
    write_clicks(engine, visitors, [make_request(1, 1, at=before)])
    assert json.loads(run(workspace, "1", "--json").stdout)["people"] == 23


def test_who_was_just_here_is_said_to_be_waited_for(workspace: Workspace, engine: Engine) -> None:
    visitors = VisitorHasher(engine, workspace.keys.suppression)
    write_clicks(engine, visitors, [make_request(1, 1, at=datetime.now(UTC))])
    result = run(workspace, "1")
    assert "1 requests are not judged yet" in result.stderr


@pytest.mark.usefixtures("engine")
def test_a_campaign_that_counts_nothing_says_how_the_next_one_would(workspace: Workspace) -> None:
    result = run(workspace, "2")
    assert result.exit_code == 0
    assert "--count-clicks" in result.stderr
    assert run(workspace, "2", "--json").stdout == "null\n"


@pytest.mark.usefixtures("engine")
def test_a_campaign_that_does_not_exist_is_an_error(workspace: Workspace) -> None:
    assert run(workspace, "99").exit_code == 1
