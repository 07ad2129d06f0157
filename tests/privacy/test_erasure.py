"""Erasing a person: after it no file of the workspace holds their address, name or mailbox in plain."""

import codecs
import csv
import gzip
import json
import random
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, event, text
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.campaigns.launch import launch
from mailer.campaigns.outbox import write_outbox
from mailer.campaigns.plan import plan_campaign
from mailer.campaigns.send import send_campaign
from mailer.cli import mailer
from mailer.comments.thread_list import Anchor
from mailer.comments.threads import begin_thread
from mailer.database import secure_delete
from mailer.database.feedback_models import (
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
    MailDomain,
    ProposedSuccessor,
    QueuedReply,
)
from mailer.database.models import (
    Campaign,
    Delivery,
    QueuedTransactionalMail,
    SentTest,
    TransactionalMailKind,
)
from mailer.database.secure_delete import EXEMPT_TABLES, IncompleteErasureError, list_text_columns
from mailer.database.team_models import ActivityRecord, Role
from mailer.privacy import erasure as erasure_module
from mailer.privacy.address_search import FileAction, file_contains, make_address_matcher, scan_files
from mailer.privacy.erasure import ErasureError, erase_person, plan_erasure
from mailer.providers.domain_lookup import MxAnswer, save_answers
from mailer.settings import LogSettings, SmtpSettings
from mailer.team.members import add_member
from mailer.workspace import Workspace
from subscribers.consent.status_changes import suppress
from subscribers.consent.suppression import add_suppression
from subscribers.errors import UnknownSubscriberError
from subscribers.export import ExportFormat, export_subscribers
from subscribers.imports.importer import import_file
from subscribers.models import ConsentEvent, ConsentRecord, MailedLink, Status, Subscriber
from subscribers.one_time_links import issue_link
from subscribers.segments.segment import parse_segment
from subscribers.tokens import LinkPurpose
from tests.factories.damaged_zip import METHODS, pack_by_unknown_method, pack_damaged, pack_encrypted
from tests.factories.deliveries import add_campaign
from tests.factories.small_edition import SLUG, write_edition
from tests.servers.misbehaving_smtp import MisbehavingServer, Stage
from tests.servers.scripted_smtp import ScriptedServer

ADDRESS = "Very.Secret-Desk@Geheim.example.org"
EMAIL = ADDRESS.lower()
NAME = "Zolzaya Unforgettable"
TRACES = (EMAIL, "very.secret-desk", NAME.lower())
OTHER = "bat@example.org"
PARTNERS = (
    "email,name,organisation,country,sectors,language,tags\n"
    f'{OTHER},Bat,"Ministry, of\nLearning",MN,education,en,\n'
    f"{ADDRESS},{NAME},Secret Institute,MN,education,en,press\n"
    "kim@example.org,Kim,,KR,,en,\n"
)
BOUNCE = f"552 5.2.2 <{ADDRESS}>: mailbox very.secret-desk of {NAME} is full"


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    write_edition(either_workspace.editions)
    settings = either_workspace.settings.model_copy(update={"log": LogSettings(file=Path("mailer.log"))})
    return replace(either_workspace, settings=settings)


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database()
    yield engine
    engine.dispose()


def to(workspace: Workspace, url: str) -> Workspace:
    smtp = SmtpSettings(url=url, timeout=5, final_timeout=5)
    return replace(workspace, settings=workspace.settings.model_copy(update={"smtp": smtp}))


def live(workspace: Workspace, engine: Engine) -> None:
    """A year of a newsletter: an import, a preview, a rehearsal, a campaign with a bounce, exports, a log."""
    now = datetime.now(UTC)
    people = workspace.root / "partners.csv"
    people.write_text(PARTNERS, encoding="utf-8")
    with Session(engine) as opened:
        sectors = workspace.settings.sectors
        import_file(
            opened, people, sectors=sectors, key=workspace.keys.suppression, now=now, basis="our network"
        )
        opened.commit()
        person = opened.exec(select(Subscriber).where(Subscriber.email == EMAIL)).one()
        issue_link(opened, workspace.keys.tokens, LinkPurpose.export, subscriber_id=person.id or 0, now=now)
        opened.commit()
    plan = plan_campaign(workspace, engine, SLUG, parse_segment("all"), now=now)
    write_outbox(workspace, engine, plan, addresses=[ADDRESS], now=now)
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, BOUNCE, only=ADDRESS.split("@")[0])
        send_campaign(to(workspace, server.url), launch(engine, workspace, plan, now=now))
    plan = plan_campaign(workspace, engine, SLUG, parse_segment("all"), again=True, now=now)
    send_campaign(to(workspace, "maildir:rehearsal"), launch(engine, workspace, plan, now=now))
    with Session(engine) as opened:
        mei = Actor.from_command_line("mei")
        record_activity(
            opened, mei, Deed(act=Act.edited_subscriber, subject=EMAIL, detail=f"was {ADDRESS}"), now=now
        )
        member = add_member(opened, "ann@example.org", "Ann", Role.author, now=now)
        place = {"edition": SLUG, "story": "teachers", "title": f"About {ADDRESS}"}
        anchor = Anchor(quote=f"Write to {EMAIL}", block_digest="", block=0)
        begin_thread(opened, member, f"Is {ADDRESS} right?", **place, anchor=anchor, request="1", now=now)
        opened.execute(text("UPDATE campaign SET state_reason = :words"), {"words": f"{ADDRESS} was refused"})
        opened.commit()
        with (workspace.root / "export.csv").open("wb") as stream:
            stream.write(codecs.BOM_UTF8)
            export_subscribers(opened, parse_segment("all"), ExportFormat.csv, stream)
    (workspace.root / "utf16.csv").write_bytes(PARTNERS.encode("utf-16"))
    with (workspace.root / "mailer.log").open("a") as log:
        log.write(f'event=old words="{ADDRESS} and j{EMAIL}"\n')
    shutil.copy(workspace.root / "mailer.log", workspace.root / "mailer.log.1")


def hold(path: Path) -> list[str]:
    """Those of the traces that stand in a file or its name, in UTF-8 or UTF-16."""
    content = path.read_bytes().replace(b"\0", b"").lower() + path.name.encode().lower()
    # A longer address is somebody else's.
    content = content.replace(f"j{EMAIL}".encode(), b"")
    return [trace for trace in TRACES if trace.encode() in content]


def list_holders(root: Path) -> dict[str, list[str]]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): found for path in files if (found := hold(path))}


def erase(workspace: Workspace, engine: Engine, address: str = ADDRESS) -> erasure_module.ErasureReport:
    return erase_person(workspace, engine, address, method="command line", now=datetime.now(UTC))


def dump(engine: Engine) -> str:
    """Every row of every table, as words."""
    with engine.connect() as connection:
        tables = secure_delete.SQLModel.metadata.sorted_tables
        return repr([[tuple(row) for row in connection.execute(table.select())] for table in tables]).lower()


def test_after_erasure_a_byte_search_finds_nothing(workspace: Workspace, engine: Engine) -> None:
    live(workspace, engine)
    before = list_holders(workspace.root)
    expected = {"partners.csv", "export.csv", "utf16.csv", "mailer.log", "mailer.log.1"}
    assert expected <= set(before)
    assert {Path(name).suffix for name in before if name.startswith("outbox/")} == {".eml", ".html"}
    assert sum(name.startswith("rehearsal/") for name in before) == 1
    assert any(name.startswith("mailer.db") for name in before) is (engine.dialect.name == "sqlite")
    assert all(trace in dump(engine) for trace in TRACES)

    erasure = erase(workspace, engine)

    assert erasure.remaining_files == ()
    assert not erasure.resumed
    assert not any(trace in dump(engine) for trace in TRACES)
    assert list_holders(workspace.root) == {}
    engine.dispose()
    assert list_holders(workspace.root) == {}


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        ("250 2.1.5 <{}> delivered to {}", "sent", ""),
        # Due again some time, and then suppressed.
        ("450 4.2.0 <{}>: mailbox of {} is busy", "deferred", ""),
        ("552 5.2.2 <{}>: mailbox of {} is full", "deferred", ""),
        ("550 5.1.1 <{}>: {} is unknown", "rejected", ""),
        ("554 5.7.1 <{}>: {} may not get this", "rejected", ""),
    ],
)
def test_a_message_on_the_wire_does_not_undo_the_erasure_and_its_outcome_is_kept(
    workspace: Workspace, engine: Engine, answer: str, state: str, reason: str
) -> None:
    live(workspace, engine)
    plan = plan_campaign(workspace, engine, SLUG, parse_segment("all"), again=True, now=datetime.now(UTC))
    number = launch(engine, workspace, plan, now=datetime.now(UTC))
    # Read before anybody is erased.
    everybody = text("SELECT id FROM subscriber WHERE email = :email")
    with engine.connect() as connection:
        person = connection.execute(everybody, {"email": EMAIL}).scalar_one()

    def reply(verb: str, argument: str) -> str | None:
        if verb != "." or argument.lower() != EMAIL:
            return None
        erase(workspace, engine)
        return answer.format(ADDRESS, NAME)

    with ScriptedServer(reply) as server:
        result = send_campaign(to(workspace, server.url), number)
    assert not any(trace in dump(engine) for trace in TRACES)
    assert list_holders(workspace.root) == {}
    theirs = text(
        "SELECT state, owner, reason FROM delivery WHERE campaign_id = :number AND subscriber_id = :id"
    )
    with engine.connect() as connection:
        found = connection.execute(theirs, {"number": number, "id": person}).one()
    assert tuple(found) == (state, None, reason)
    assert result.counts.balances
    assert result.counts.in_doubt == 0


def test_what_was_claimed_when_a_person_was_erased_is_not_sent(workspace: Workspace, engine: Engine) -> None:
    live(workspace, engine)
    plan = plan_campaign(workspace, engine, SLUG, parse_segment("all"), again=True, now=datetime.now(UTC))
    number = launch(engine, workspace, plan, now=datetime.now(UTC))

    def reply(verb: str, argument: str) -> str | None:
        if verb == "RCPT" and EMAIL in argument.lower():
            erase(workspace, engine)
            return f"550 5.7.1 <{ADDRESS}> is unknown to {NAME}"
        return None

    with ScriptedServer(reply) as server:
        result = send_campaign(to(workspace, server.url), number)
        assert EMAIL not in [address.lower() for address in server.recipients]
    assert (result.counts.suppressed, result.counts.sent) == (1, result.counts.audience - 1)
    assert not any(trace in dump(engine) for trace in TRACES)
    assert list_holders(workspace.root) == {}


def test_everybody_else_and_every_count_stays(workspace: Workspace, engine: Engine) -> None:
    live(workspace, engine)
    with Session(engine) as opened:
        counted = len(opened.exec(select(Delivery)).all())
        number = opened.exec(select(Subscriber.id).where(Subscriber.email == EMAIL)).one()
    erase(workspace, engine)
    rest = PARTNERS.replace(f"{ADDRESS},{NAME},Secret Institute,MN,education,en,press\n", "")
    assert (workspace.root / "partners.csv").read_text(encoding="utf-8") == rest
    assert (workspace.root / "utf16.csv").read_bytes().decode("utf-16") == rest
    with (workspace.root / "export.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert [row[0] for row in csv.reader(stream)] == ["email", OTHER, "kim@example.org"]
    masked = "x" * len(EMAIL)
    assert f'words="{masked} and j{EMAIL}"' in (workspace.root / "mailer.log").read_text()
    with Session(engine) as opened:
        assert len(opened.exec(select(Delivery)).all()) == counted == 6
        assert {person.email for person in opened.exec(select(Subscriber))} >= {OTHER, "kim@example.org"}
        assert {row.state_reason for row in opened.exec(select(Campaign))} == {"<…> was refused"}
        assert opened.exec(select(MailedLink)).all() == []
        events = opened.exec(select(ConsentRecord.event).where(ConsentRecord.subscriber_id == number)).all()
    assert sorted(events) == [ConsentEvent.erased, ConsentEvent.imported]


def test_what_was_still_to_be_mailed_to_them_is_not(workspace: Workspace, engine: Engine) -> None:
    live(workspace, engine)
    now = datetime.now(UTC)
    with Session(engine) as opened:
        numbers = {one.email: one.id for one in opened.exec(select(Subscriber))}
        asked: list[dict[str, Any]] = [
            {"kind": TransactionalMailKind.export, "subscriber_id": numbers[EMAIL]},
            {"kind": TransactionalMailKind.link, "email": EMAIL},
            {"kind": TransactionalMailKind.new_address, "subscriber_id": numbers[OTHER], "detail": EMAIL},
            {"kind": TransactionalMailKind.link, "email": OTHER},
        ]
        opened.add_all(
            QueuedTransactionalMail(**one, language="en", asked_at=now, not_before=now) for one in asked
        )
        opened.commit()
    erase(workspace, engine)
    with Session(engine) as opened:
        assert [mail.email for mail in opened.exec(select(QueuedTransactionalMail))] == [OTHER]


def test_tests_sent_to_them_lose_the_address_and_stay_tests(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    live(workspace, engine)
    with Session(engine) as opened:
        for address in (EMAIL, OTHER):
            opened.add(SentTest(edition="e", content_digest="d", address=address, sent_by="Kim", sent_at=now))
        opened.commit()
    erase(workspace, engine)
    with Session(engine) as opened:
        tests = {(test.address, test.sent_by) for test in opened.exec(select(SentTest))}
    assert tests == {("", "Kim"), (OTHER, "Kim")}


def test_the_domain_of_their_address_is_forgotten_and_no_other(workspace: Workspace, engine: Engine) -> None:
    live(workspace, engine)
    domain = EMAIL.partition("@")[2]
    answers = [
        MxAnswer(domain=each, provider="google", lasts=timedelta(days=9)) for each in (domain, "b.org")
    ]
    save_answers(engine, answers)
    erase(workspace, engine)
    with Session(engine) as opened:
        assert [row.domain for row in opened.exec(select(MailDomain))] == ["b.org"]


def test_nothing_that_came_back_by_or_about_them_names_them_any_more(
    workspace: Workspace, engine: Engine
) -> None:
    now = datetime.now(UTC)
    maildir = workspace.root.parent / "returned" / "new"
    maildir.mkdir(parents=True)
    (maildir / "1").write_text(f"To: news@example.org\n\n{ADDRESS} is full\n")
    feedback = workspace.settings.feedback.model_copy(update={"maildir": maildir.parent})
    workspace = replace(workspace, settings=workspace.settings.model_copy(update={"feedback": feedback}))
    add_campaign(engine, [EMAIL, OTHER])
    with Session(engine) as opened:
        kinds = {
            "by": {"sender": EMAIL, "state": FeedbackState.forwarding, "raw": b"Dear all, " + NAME.encode()},
            "about": {"subject": f"{ADDRESS} is full"},
            "names": {"state": FeedbackState.held, "raw": f"RCPT TO:<{ADDRESS}>".encode()},
            "other": {"sender": OTHER, "state": FeedbackState.held, "raw": b"words"},
        }
        rows = {}
        for name, values in kinds.items():
            rows[name] = FeedbackMessage(
                fingerprint=name, received_at=now, kind=FeedbackKind.bounce, **values
            )
            opened.add(rows[name])
        opened.flush()
        numbers = {name: row.id or 0 for name, row in rows.items()}
        opened.add(QueuedReply(message_id=numbers["by"], not_before=now))
        opened.add(
            FeedbackEvent(message_id=numbers["about"], subscriber_id=1, address=ADDRESS, words=BOUNCE, at=now)
        )
        opened.add(FeedbackEvent(message_id=numbers["names"], address=ADDRESS, words=BOUNCE, at=now))
        opened.add(FeedbackEvent(message_id=numbers["other"], subscriber_id=2, words="550 no", at=now))
        for subscriber, email in ((1, "next@example.org"), (2, EMAIL)):
            opened.add(ProposedSuccessor(subscriber_id=subscriber, email=email, words=f"{NAME} left", at=now))
        opened.commit()
    erase(workspace, engine)
    assert list_holders(workspace.root.parent) == {}
    rest = dump(engine).lower()
    assert [trace for trace in TRACES if trace in rest] == []
    with Session(engine) as opened:
        states = [
            (row.state.value, row.judged_by)
            for row in opened.exec(select(FeedbackMessage).order_by(FeedbackMessage.fingerprint))
        ]
        assert states == [("recorded", ""), ("judged", "erasure"), ("judged", "erasure"), ("held", "")]
        assert opened.exec(select(QueuedReply)).all() == []
        kept = {event.message_id: event.words for event in opened.exec(select(FeedbackEvent))}
        assert kept == {numbers["about"]: "", numbers["names"]: "", numbers["other"]: "550 no"}


def test_no_import_brings_an_erased_person_back(workspace: Workspace, engine: Engine) -> None:
    live(workspace, engine)
    erase(workspace, engine)
    people = workspace.root / "again.csv"
    people.write_text(PARTNERS, encoding="utf-8")
    with Session(engine) as opened:
        report = import_file(
            opened,
            people,
            sectors=workspace.settings.sectors,
            key=workspace.keys.suppression,
            now=datetime.now(UTC),
        )
        opened.commit()
    assert (report.added, report.suppressed) == (0, 1)
    assert not any(trace in dump(engine) for trace in TRACES)


# --- cut off


class PulledPlugError(Exception):
    """The machine stopped here."""


def cut_off(monkeypatch: pytest.MonkeyPatch, place: str, when: str) -> None:
    """Let an erasure stop before or after the step ``place``."""
    real: Callable[..., object] = getattr(erasure_module, place)

    def pull(*args: object, **kwargs: object) -> object:
        if when == "after":
            real(*args, **kwargs)
        raise PulledPlugError

    monkeypatch.setattr(erasure_module, place, pull)


CUTS = ("clean_files_naming", "_erase_rows", "mask_addresses", "overwrite_freed_pages")


@pytest.mark.parametrize("place", CUTS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_erasure_that_was_cut_off_is_finished_by_saying_it_again(
    workspace: Workspace, engine: Engine, monkeypatch: pytest.MonkeyPatch, place: str, when: str
) -> None:
    live(workspace, engine)
    with monkeypatch.context() as patched:
        cut_off(patched, place, when)
        with pytest.raises(PulledPlugError):
            erase(workspace, engine)
    erase(workspace, engine)
    assert list_holders(workspace.root) == {}
    assert not any(trace in dump(engine) for trace in TRACES)
    assert erase(workspace, engine).resumed


@pytest.mark.parametrize("place", CUTS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_erasure_that_was_cut_off_has_its_line_in_the_log_as_soon_as_they_are_off_the_list(
    workspace: Workspace, engine: Engine, monkeypatch: pytest.MonkeyPatch, place: str, when: str
) -> None:
    live(workspace, engine)
    cut_off(monkeypatch, place, when)
    assert isinstance(run(workspace, "subscribers", "erase", ADDRESS, "--confirm").exception, PulledPlugError)
    with Session(engine) as opened:
        left = opened.exec(select(Subscriber).where(Subscriber.email == EMAIL)).all()
        lines = opened.exec(select(ActivityRecord).where(ActivityRecord.act == Act.erased_person)).all()
    assert len(lines) == (0 if left else 1)
    assert bool(left) == (place != "overwrite_freed_pages")


def test_erasing_is_repeated_for_an_address_that_had_bounced_before(
    workspace: Workspace, engine: Engine
) -> None:
    live(workspace, engine)
    with Session(engine) as opened:
        key, now = workspace.keys.suppression, datetime.now(UTC)
        add_suppression(opened, key, EMAIL, reason=ConsentEvent.bounced, now=now)
        opened.commit()
    assert not erase(workspace, engine).resumed
    assert erase(workspace, engine).resumed


def test_a_file_that_cannot_be_cleaned_is_named_and_nobody_is_erased_yet(
    workspace: Workspace, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(workspace, engine)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(erasure_module, "clean_file", refuse)
        with pytest.raises(ErasureError, match=r"cannot be cleaned \(Permission denied\), so nothing was"):
            erase(workspace, engine)
    with Session(engine) as opened:
        assert opened.exec(select(Subscriber).where(Subscriber.email == EMAIL)).one().status is Status.active
    erase(workspace, engine)
    assert list_holders(workspace.root) == {}


def test_somebody_who_keeps_reading_is_named_and_the_rest_is_finished_later(
    workspace: Workspace, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps its own log")
    live(workspace, engine)
    monkeypatch.setattr("mailer.database.engine._BUSY_SECONDS", 0.1)
    impatient = workspace.open_database()
    with engine.connect().execution_options(read_only=True) as reader:
        reader.execute(text("SELECT count(*) FROM subscriber")).scalar()
        with pytest.raises(IncompleteErasureError, match=r"kept the database open.* Run the command again"):
            erase(workspace, impatient)
    assert erase(workspace, impatient).resumed
    impatient.dispose()
    assert list_holders(workspace.root) == {}


def test_whoever_is_neither_on_the_list_nor_erased_is_unknown(workspace: Workspace, engine: Engine) -> None:
    with Session(engine) as opened:
        key = workspace.keys.suppression
        suppress(opened, "eve@example.org", key=key, method="command line", now=datetime.now(UTC))
        opened.commit()
    for address in ("nobody@example.org", "eve@example.org"):
        with pytest.raises(UnknownSubscriberError):
            plan_erasure(workspace, engine, address)
        with pytest.raises(UnknownSubscriberError):
            erase(workspace, engine, address)


# --- what is left behind within pages


SHADOWED = "very.secret-desk{number}@geheim.example.org"


def make_shadows(engine: Engine, file: Path) -> list[str]:
    """Rows that grow and move within their pages; the addresses that the file holds too often."""
    chance = random.Random(1)
    numbers = list(range(3000))
    chance.shuffle(numbers)
    insert = text(
        "INSERT INTO subscriber (email, envelope, name, organisation, status, created_at, updated_at) VALUES "
        "(:it, :it, :name, '', 'active', '2026-03-01 09:00:00.000000', '2026-03-01 09:00:00.000000')"
    )
    grow = text("UPDATE subscriber SET organisation = :words WHERE email = :it")
    with engine.begin() as connection:
        for number in numbers:
            values = {"it": SHADOWED.format(number=number), "name": "x" * (number * 37 % 250)}
            connection.execute(insert, values)
    with engine.begin() as connection:
        for number in numbers[:1500]:
            values = {"it": SHADOWED.format(number=number), "words": "y" * (number % 300)}
            connection.execute(grow, values)
    secure_delete.checkpoint_log(engine)
    content = file.read_bytes()
    addresses = [SHADOWED.format(number=number) for number in numbers]
    # Address and envelope in the row, and the address in its index.
    return [address for address in addresses if content.count(address.encode()) > 3]


def test_a_shadow_that_sqlite_left_within_a_page_is_overwritten(workspace: Workspace, engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("SQLite's pages")
    file = workspace.root / "mailer.db"
    shadowed = make_shadows(engine, file)
    assert shadowed
    for address in shadowed[:3]:
        erase(workspace, engine, address)
        assert not any(address.encode() in path.read_bytes() for path in workspace.root.glob("mailer.db*"))


def test_postgresql_is_asked_to_vacuum_every_table(workspace: Workspace, engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("PostgreSQL's dead rows")
    live(workspace, engine)
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    erasure = erase(workspace, engine)
    tables = {table.name for table in secure_delete.SQLModel.metadata.sorted_tables}
    assert {words.removeprefix("VACUUM ") for words in said if words.startswith("VACUUM ")} == tables
    assert any("write-ahead log, its replicas" in words for words in erasure.out_of_reach)


def test_every_column_of_words_is_looked_through_or_has_a_reason_not_to_be() -> None:
    looked_through = {f"{column.table.name}.{column.name}" for column in list_text_columns()}
    assert {
        "delivery.reason",
        "campaign.state_reason",
        "campaign.segment",
        "dispatcher.notice",
    } <= looked_through
    tables = {table.name for table in secure_delete.SQLModel.metadata.sorted_tables}
    assert set(EXEMPT_TABLES) <= tables


# --- files


def find(workspace: Workspace, address: str = EMAIL) -> dict[str, FileAction]:
    traces = scan_files(workspace, make_address_matcher(address), excluding=frozenset())
    return {trace.path.name: trace.action for trace in traces}


def test_what_is_not_ours_to_rewrite_is_named(workspace: Workspace) -> None:
    root = workspace.root
    with zipfile.ZipFile(root / "list.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<t>{EMAIL}</t>")
    with gzip.open(root / "mailer.log.2.gz", "wb") as packed:
        packed.write(b"x\n" * 3_000_000 + EMAIL.encode())
    (root / "broken.zip").write_bytes(b"no archive")
    (root / "backup.db").write_bytes(b"SQLite format 3\0" + EMAIL.encode())
    (root / "notes.md").write_text(f"Call {EMAIL}.")
    (root / "editions" / SLUG / "stories" / "020-call.md").write_text(f"Write to {EMAIL}")
    (workspace.corrections / SLUG / "call").mkdir(parents=True)
    (workspace.corrections / SLUG / "call" / "1.md").write_text(f"---\nwas: Write to {EMAIL}\n---\n")
    (root / "data.json").write_text(json.dumps({"subscriber": {"email": EMAIL}}))
    (root / "other.json").write_text(json.dumps({"subscriber": {"email": OTHER}, "note": EMAIL}))
    assert find(workspace) == {
        "list.xlsx": FileAction.leave,
        "mailer.log.2.gz": FileAction.leave,
        "broken.zip": FileAction.leave,
        "backup.db": FileAction.leave,
        "notes.md": FileAction.leave,
        "020-call.md": FileAction.leave,
        "1.md": FileAction.leave,
        "data.json": FileAction.delete,
        "other.json": FileAction.leave,
    }


UNREADABLE_ARCHIVES = {
    "encrypted": pack_encrypted("a.csv", b"a,b\n"),
    "of an unknown method": pack_by_unknown_method("a.csv", b"a,b\n"),
    **{
        f"damaged {method}": pack_damaged({"a.csv": b"a,b\n" * 99}, damaged="a.csv", method=method)
        for method in METHODS
    },
}


@pytest.mark.parametrize("place", ["old.zip", f"uploads/{'0' * 32}.upload"])
@pytest.mark.parametrize("fault", UNREADABLE_ARCHIVES)
def test_an_archive_that_cannot_be_unpacked_is_named_and_hinders_no_erasure(
    workspace: Workspace, engine: Engine, fault: str, place: str
) -> None:
    live(workspace, engine)
    archive = workspace.root / place
    archive.parent.mkdir(mode=0o700, exist_ok=True)
    archive.write_bytes(UNREADABLE_ARCHIVES[fault])
    assert find(workspace)[archive.name] is FileAction.leave
    done = run(workspace, "subscribers", "erase", ADDRESS, "--confirm")
    assert str(archive) in done.stderr
    archive.unlink()
    assert list_holders(workspace.root) == {}


@pytest.mark.parametrize(
    ("words", "is_it"),
    [
        (f"<{ADDRESS}>", True),
        (f"mailto:{EMAIL}", True),
        (f"{EMAIL}. Next", True),
        (f"{EMAIL}.mn", False),
        (f"{EMAIL}-old", False),
        (f"no.{EMAIL}", False),
        (f"x{EMAIL}", False),
    ],
)
def test_a_longer_address_is_somebody_elses(tmp_path: Path, words: str, is_it: bool) -> None:
    likeness = make_address_matcher(ADDRESS)
    assert bool(likeness.text_pattern.search(words)) is is_it
    for encoding in ("utf-8", "utf-16", "utf-16-be", "gb18030", "cp932"):
        path = tmp_path / encoding
        path.write_bytes(f"a {words} b".encode(encoding))
        assert file_contains(path, likeness.bytes_pattern) is is_it, encoding


def test_an_address_is_found_in_both_spellings_and_across_the_pieces_of_a_large_file(tmp_path: Path) -> None:
    likeness = make_address_matcher("Ann@Exämple.org")
    path = tmp_path / "large"
    for spelling in ("ann@exämple.org", "Ann@xn--exmple-cua.org"):
        path.write_bytes(b"." * ((1 << 20) - 5) + b" " + spelling.encode() + b" " + b"." * 100)
        assert file_contains(path, likeness.bytes_pattern)
    path.write_bytes(b"")
    assert not file_contains(path, likeness.bytes_pattern)


def test_a_list_stays_readable_by_whom_it_was_and_keeps_its_bytes(
    workspace: Workspace, engine: Engine
) -> None:
    live(workspace, engine)
    path = workspace.root / "old.csv"
    path.write_bytes(b"email;name\r\nb@example.org;\xb0\xa2\r\n" + EMAIL.encode() + b";x\r\nc@example.org;y")
    path.chmod(0o640)
    erase(workspace, engine)
    assert path.read_bytes() == b"email;name\r\nb@example.org;\xb0\xa2\r\nc@example.org;y"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not list(workspace.root.glob(".*"))


# --- the command


def run(workspace: Workspace, *words: str) -> Result:
    environ = {"MAILER_DATABASE__URL": workspace.settings.database.url, "MAILER_LOG__FILE": "mailer.log"}
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), *words], env=environ)


def test_the_command_says_first_what_it_would_do(workspace: Workspace, engine: Engine) -> None:
    live(workspace, engine)
    before = list_holders(workspace.root)
    shown = run(workspace, "subscribers", "erase", ADDRESS)
    assert shown.exit_code == 0
    assert f"would remove their rows from {workspace.root / 'partners.csv'}" in shown.stdout
    assert "Would erase" in shown.stderr
    assert "Add --confirm" in shown.stderr
    assert list_holders(workspace.root) == before
    done = run(workspace, "subscribers", "erase", ADDRESS, "--confirm")
    assert done.exit_code == 0
    assert f"masked their address in {workspace.root / 'mailer.log'}" in done.stdout
    assert "This program cannot reach: mail already delivered" in done.stderr
    assert list_holders(workspace.root) == {}


def test_the_command_fails_while_a_file_still_names_them(workspace: Workspace, engine: Engine) -> None:
    live(workspace, engine)
    notes = workspace.root / "notes.md"
    notes.write_text(f"Call {EMAIL}.")
    done = run(workspace, "subscribers", "erase", ADDRESS, "--confirm")
    assert done.exit_code == 1
    assert f"still contain the address: {notes}" in done.stderr
    notes.unlink()
    assert run(workspace, "subscribers", "erase", ADDRESS, "--confirm").exit_code == 0
