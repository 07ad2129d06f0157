"""Reports: reasons put together in the database, doubts by name, every delivery as CSV, on both databases."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, insert, update
from sqlmodel import Session, col

from mailer.campaigns.report.campaign_report import report_campaign
from mailer.campaigns.report.csv_export import CSV_COLUMNS, write_deliveries
from mailer.campaigns.report.reasons import ReasonGroup
from mailer.campaigns.report.summary import summarise_campaign
from mailer.cli import mailer
from mailer.database.engine import read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, Dispatcher
from mailer.workspace import Workspace
from subscribers.consent.status_changes import erase, resubscribe, suppress, unsubscribe
from subscribers.models import ConsentEvent, Subscriber
from tests.factories.deliveries import START, add_campaign, read_deliveries

S = DeliveryState


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database()
    yield engine
    engine.dispose()


def put(engine: Engine, number: int, state: DeliveryState, **values: object) -> None:
    """Put the delivery of the reader of this number in ``state``."""
    deliveries = read_deliveries(engine)
    reader = deliveries[f"reader{number}@example.org"].subscriber_id
    values |= {"state": state, "not_before": START if state is S.deferred else None}
    with engine.begin() as connection:
        connection.execute(update(Delivery).where(col(Delivery.subscriber_id) == reader).values(**values))


def group(engine: Engine, workspace: Workspace) -> list[ReasonGroup]:
    with Session(engine) as session:
        return list(report_campaign(session, 1, workspace).reasons)


def run(workspace: Workspace, *words: str) -> Result:
    environ = {"MAILER_DATABASE__URL": workspace.settings.database.url}
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), "campaigns", *words], env=environ)


def test_replies_that_differ_in_an_address_or_a_mark_are_one_group(
    either_workspace: Workspace, engine: Engine
) -> None:
    add_campaign(engine, 6)
    for number in range(3):
        words = f"5.1.1 <reader{number}@example.org>: no such user 98e67ed59e1d{number}-2a3b4c5d"
        put(engine, number, S.rejected, code=550, reason=words)
    put(engine, 3, S.rejected, code=550, reason="5.7.1 Client host [192.0.2.7] blocked")
    put(engine, 4, S.failed, reason="no name")
    assert group(engine, either_workspace) == [
        ReasonGroup(state=S.rejected, number=3, reason="550 5.1.1 <…>: no such user …", dead_address=True),
        ReasonGroup(state=S.failed, number=1, reason="no name"),
        ReasonGroup(state=S.rejected, number=1, reason="550 5.7.1 Client host [192.0.2.7] blocked"),
    ]


def test_what_was_in_doubt_and_is_settled_is_told_with_what_settled_it(
    either_workspace: Workspace, engine: Engine
) -> None:
    add_campaign(engine, 3)
    for number in range(2):
        words = f"proved by an unsubscribe through its link, 2026-11-24 1{number}:00 UTC"
        put(engine, number, S.sent, doubted=True, reason=words)
    put(engine, 2, S.sent, code=250, reason="2.0.0 queued")
    assert group(engine, either_workspace) == [
        ReasonGroup(state=S.sent, number=2, reason="proved by an unsubscribe through its link")
    ]


def test_whose_fault_each_group_is_stands_in_the_json_the_table_and_the_csv(
    either_workspace: Workspace, engine: Engine
) -> None:
    add_campaign(engine, 6)
    refused = (
        ("5.1.1 No such user", "reader", "the reader's side"),
        ("5.7.26 Unauthenticated mail is not accepted", "sender", "ours"),
        ("5.7.1 Relay access denied", "provider", "the provider, or on the way"),
        ("Because", "nobody", "nobody's"),
    )
    for number, (words, _, _) in enumerate(refused):
        put(engine, number, S.rejected, code=550, reason=words)
    # What no server said is nobody's fault either, but there is nothing to ask.
    put(engine, 4, S.failed, reason="no name")
    put(engine, 5, S.suppressed, reason="unsubscribed")
    found = json.loads(run(either_workspace, "report", "1", "--json").stdout)["reasons"]
    expected = {f"550 {words}": fault for words, fault, _ in refused} | {
        "no name": None,
        "unsubscribed": None,
    }
    assert {one["reason"]: one["fault"] for one in found} == expected
    table = run(either_workspace, "report", "1", "--csv", "-", "--table", "reasons").stdout
    told = {
        row["in their words"]: row["whose fault"] for row in csv.DictReader(io.StringIO(table, newline=""))
    }
    labels = {f"550 {words}": label for words, _, label in refused}
    assert told == labels | {"no name": "", "unsubscribed": ""}
    shown = run(either_workspace, "report", "1").stdout.splitlines()
    for words, label in labels.items():
        assert any(f" {label} " in line and words in line for line in shown)


def test_a_report_of_very_many_reasons_is_still_short(either_workspace: Workspace, engine: Engine) -> None:
    add_campaign(engine, 300)
    with engine.begin() as connection:
        for number in range(300):
            letters = "".join(chr(97 + int(digit)) for digit in str(number))
            this = col(Delivery.id) % 300 == number
            connection.execute(update(Delivery).where(this).values(state=S.failed, reason=letters))
    assert len(group(engine, either_workspace)) == 100


def test_the_first_doubts_are_named_and_the_csv_is_told_for_the_rest(
    either_workspace: Workspace, engine: Engine
) -> None:
    add_campaign(engine, 1500)
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(state=S.in_doubt))
    told = run(either_workspace, "report", "1").stdout
    assert told.count("@example.org>") == 20
    assert "… and 1,480 more" in told
    assert "--csv FILE --state in_doubt" in told
    assert len(json.loads(run(either_workspace, "report", "1", "--json").stdout)["in_doubt"]) == 1000


def read_csv(engine: Engine, workspace: Workspace, *states: DeliveryState) -> list[dict[str, str]]:
    stream = io.StringIO(newline="")
    with Session(engine) as session:
        number = write_deliveries(session, 1, workspace, stream, states=states)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue(), newline="")))
    assert len(rows) == number
    return rows


def test_the_csv_has_every_delivery_in_order_with_its_state_and_why(
    either_workspace: Workspace, engine: Engine
) -> None:
    add_campaign(engine, 3)
    put(engine, 1, S.in_doubt, doubted=True, attempts=2, reason="connection lost at dot")
    put(engine, 2, S.rejected, code=550, reason="5.1.1 No such user")
    rows = read_csv(engine, either_workspace)
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["email"] for row in rows] == [f"reader{n}@example.org" for n in range(3)]
    assert [row["state"] for row in rows] == ["queued", "in_doubt", "rejected"]
    assert (rows[1]["doubted"], rows[1]["attempts"], rows[0]["doubted"]) == ("yes", "2", "")
    assert (rows[2]["code"], rows[2]["reason"]) == ("550", "5.1.1 No such user")
    assert rows[0]["updated_at"] == "2026-03-01T09:00:00+00:00"
    assert rows[1]["message_id"] in run(either_workspace, "report", "1").stdout


def test_the_csv_is_of_the_states_asked_for_alone(either_workspace: Workspace, engine: Engine) -> None:
    add_campaign(engine, 3)
    put(engine, 1, S.in_doubt)
    put(engine, 2, S.rejected)
    assert [row["state"] for row in read_csv(engine, either_workspace, S.in_doubt)] == ["in_doubt"]
    assert len(read_csv(engine, either_workspace, S.in_doubt, S.rejected)) == 2


def test_no_cell_is_a_formula(either_workspace: Workspace, engine: Engine) -> None:
    add_campaign(engine, ["=a@example.org"])
    with engine.begin() as connection:
        connection.execute(update(Subscriber).values(name="=HYPERLINK(1)"))
        connection.execute(update(Delivery).values(reason="+1;=2"))
    (row,) = read_csv(engine, either_workspace)
    assert (row["email"], row["name"], row["reason"]) == ("'=a@example.org", "'=HYPERLINK(1)", "'+1;'=2")


def test_the_csv_goes_to_a_file_or_to_stdout(
    either_workspace: Workspace, engine: Engine, tmp_path: Path
) -> None:
    add_campaign(engine, 3)
    put(engine, 1, S.in_doubt)
    target = tmp_path / "doubts.csv"
    done = run(either_workspace, "report", "1", "--csv", str(target), "--state", "in_doubt")
    assert (done.exit_code, done.stdout) == (0, "")
    assert target.read_bytes().startswith(b"\xef\xbb\xbfemail,")
    piped = run(either_workspace, "report", "1", "--csv", "-", "--state", "in_doubt").stdout
    assert piped == target.read_text(encoding="utf-8-sig")
    assert len(piped.splitlines()) == 2


@pytest.mark.parametrize("words", [("--state", "sent"), ("--csv", "-", "--state", "lost")])
def test_an_invalid_state_or_one_without_csv_is_a_usage_error(
    either_workspace: Workspace, engine: Engine, words: tuple[str, ...]
) -> None:
    add_campaign(engine, 1)
    assert run(either_workspace, "report", "1", *words).exit_code == 2


def test_a_report_of_no_campaign_leaves_no_file(either_workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "none.csv"
    assert run(either_workspace, "report", "9", "--csv", str(target)).exit_code == 1
    assert list(tmp_path.glob("*none*")) == []


def test_show_tells_when_it_goes_on_how_fast_and_what_dispatchers_have_to_say(
    either_workspace: Workspace, engine: Engine
) -> None:
    later = START + timedelta(hours=3)
    add_campaign(engine, 2, rate=2.5, canary=200, canary_until=START)
    put(engine, 1, S.deferred)
    with engine.begin() as connection:
        connection.execute(update(Delivery).where(col(Delivery.state) == S.deferred).values(not_before=later))
        now = read_clock(connection)
        for name, age in (("alive", 0), ("dead", 3600)):
            at = now - timedelta(seconds=age)
            row = {"id": name, "host": "mars 1:2", "started_at": at, "heartbeat_at": at}
            connection.execute(insert(Dispatcher).values(**row, notice=f"{name}: relay b is set aside"))
    told = run(either_workspace, "show", "1").stdout
    assert "rate     at most 2.5 messages per second" in told
    assert "canary   200 readers first; the rest wait until 2026-03-01 09:00 UTC" in told
    assert "next try 2026-03-01 12:00 UTC" in told
    assert "notice   alive: relay b is set aside (mars)" in told
    assert "dead:" not in told
    shown = json.loads(run(either_workspace, "show", "1", "--json").stdout)
    assert (shown["rate"], shown["next_try"]) == (2.5, "2026-03-01T12:00:00+00:00")
    assert shown["notices"] == [{"host": "mars", "text": "alive: relay b is set aside"}]


def test_a_campaign_that_does_not_send_has_no_notices(either_workspace: Workspace, engine: Engine) -> None:
    add_campaign(engine, 1, state=CampaignState.finished)
    with Session(engine) as session:
        now = read_clock(session.connection())
        session.add(
            Dispatcher(id="a", host="mars", started_at=now, heartbeat_at=now, notice="busy elsewhere")
        )
        session.flush()
        assert summarise_campaign(session, 1).notices == ()


# --- who has left since


def leave(engine: Engine, number: int, *, hours: float, **context: str) -> None:
    """Unsubscribe the reader of this number some hours after the launch."""
    person = read_deliveries(engine)[f"reader{number}@example.org"].subscriber_id
    with Session(engine) as session:
        unsubscribe(session, person, method="page", now=START + timedelta(hours=hours), **context)
        session.commit()


def test_those_who_left_since_are_counted_with_how_and_nobody_else(
    either_workspace: Workspace, engine: Engine
) -> None:
    add_campaign(engine, 9, launched_at=START, subject="Spring in Ulaanbaatar")
    for number in range(7):
        put(engine, number, S.in_doubt if number == 1 else S.sent)
    put(engine, 7, S.suppressed)
    leave(engine, 0, hours=1, source="campaign 1")
    leave(engine, 1, hours=2, source="campaign 7")
    leave(engine, 2, hours=-1, source="campaign 1")  # before it
    leave(engine, 3, hours=1, source="campaign 1")  # and came back
    leave(engine, 7, hours=1, source="campaign 1")  # got nothing
    key = either_workspace.keys.suppression
    with Session(engine) as session:
        later = START + timedelta(hours=3)
        person = read_deliveries(engine)["reader3@example.org"].subscriber_id
        resubscribe(session, person, key=key, method="page", now=later)
        for number, reason in ((4, ConsentEvent.complained), (5, ConsentEvent.bounced)):
            address = f"reader{number}@example.org"
            suppress(session, address, key=key, reason=reason, method="import", now=later)
        session.commit()
    leave(engine, 6, hours=4)
    with Session(engine) as session:
        erase(session, "reader6@example.org", key=key, method="command line", now=START + timedelta(hours=5))
        session.commit()
    found = json.loads(run(either_workspace, "report", "1", "--json").stdout)
    assert found["left"] == {"total": 4, "unsubscribed": 3, "complained": 1, "through_mail": 1}
    shown = run(either_workspace, "report", "1").stdout
    assert "Left since: 3 unsubscribed and 1 reported spam; 1 of 4 through this mail.\n" in shown


def test_the_list_says_when_what_to_whom_and_how_many(either_workspace: Workspace, engine: Engine) -> None:
    number = add_campaign(
        engine, 2, launched_at=START, subject="Spring in Ulaanbaatar, and much else that is new this year"
    )
    with Session(engine) as session:
        session.add(
            Campaign(
                edition="2026-2", title="Summer", segment="country:MN", digest="d", created_at=START,
                state=CampaignState.scheduled, scheduled_at=START + timedelta(days=90),
            )
        )  # fmt: skip
        session.commit()
    head, later, first = run(either_workspace, "list").stdout.splitlines()
    assert [word for word in head.split("  ") if word.strip()][1].strip() == "date (UTC)"
    assert "2026-05-30 09:00  2026-2   Summer" in later
    assert "country:MN" in later
    assert f"{number}  2026-03-01 09:00  2026-1   Spring in Ulaanbaatar, and much else th…" in first
    assert " all " in first
    (_, listed) = json.loads(run(either_workspace, "list", "--json").stdout)
    assert listed["subject"].endswith("new this year")
    assert (listed["launched_at"], listed["audience"]) == ("2026-03-01T09:00:00+00:00", 2)
