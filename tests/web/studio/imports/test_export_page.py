"""Taking the list away: whole or a segment, without formulas, written down, and only by a manager."""

import csv
import io
from datetime import timedelta

from sqlmodel import Session, update

from mailer.activity.acts import Act
from mailer.database.team_models import Role, TeamSession
from subscribers.models import Status, Subscriber
from tests.web.studio.conftest import Studio
from tests.web.studio.imports.conftest import Importer


def fill(studio: Studio) -> None:
    now = studio.clock()
    with Session(studio.engine) as session:
        for address, name, country, status in (
            ("ann@example.org", "=cmd()", "MN", Status.active),
            ("bob@example.org", "Bob", "CN", Status.active),
            ("gone@example.org", "Gone", "MN", Status.unsubscribed),
        ):
            session.add(
                Subscriber(
                    email=address,
                    envelope=address,
                    name=name,
                    country=country,
                    status=status,
                    created_at=now,
                    updated_at=now,
                )
            )
        session.commit()


def read_rows(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))


def test_the_file_has_who_is_on_the_list_and_taking_it_is_written_down(served: Studio) -> None:
    fill(served)
    mei = Importer(served, Role.manager)
    answer = mei.post("/exports", {"q": "", "format": "csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="partners-csv.csv"'
    rows = read_rows(answer.body)
    assert {row["email"] for row in rows} == {"ann@example.org", "bob@example.org"}
    assert rows[0]["name"] == "'=cmd()"
    segment = read_rows(mei.post("/exports", {"q": "country:MN", "format": "csv"}).body)
    assert [row["email"] for row in segment] == ["ann@example.org"]
    assert mei.post("/exports", {"q": "", "format": "mailchimp"}).body.startswith(b"Email Address,")
    assert [act for act, _ in mei.log()] == [Act.exported_subscribers] * 3
    assert 'href="/studio/exports?q=country%3AMN"' in mei.get("/partners?query=country:MN").text
    assert 'value="country:MN"' in mei.get("/exports?q=country:MN").text
    refused = mei.post("/exports", {"q": "country:", "format": "csv"})
    assert refused.status == 422
    assert "^</pre>" in refused.text
    with Session(served.engine) as session:
        session.exec(update(TeamSession).values(confirmed_at=served.clock() - timedelta(hours=1)))
        session.commit()
    assert mei.post("/exports", {"q": ""}).status == 403
