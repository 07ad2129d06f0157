"""Whose message it is: real bounces that carry our tokens, forged tokens, and keys that no longer count."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update
from sqlmodel import Session, col

from mailer.database.models import Campaign
from mailer.feedback.identification import identify
from mailer.feedback.incoming_message import IncomingMessage, OriginalMessage
from mailer.feedback.intake import read_message
from mailer.keys import retire_key, rotate_keys
from mailer.rendering.mail_merge import message_id
from mailer.workspace import Keys, Workspace, open_workspace
from subscribers.tokens import LinkPurpose
from tests.factories.feedback import add_sent_campaign, make_bounce, make_leave, sign
from tests.paths import ROOT

CORPUS = ROOT.parent / "shared" / "corpora" / "bounces"
PERSON, ADDRESS = 3, "reader2@example.org"
# A field of a message that a bounce returns, however it is indented or quoted.
_RETURNED_FIELD = re.compile(rb"^([ \t>|]*)(Message-ID|Subject|From)[ \t]*:", re.IGNORECASE | re.MULTILINE)


@pytest.fixture
def engine(workspace: Workspace, now: datetime) -> Iterator[Engine]:
    engine = workspace.open_database(durable=False)
    add_sent_campaign(engine, 5, at=now - timedelta(days=1))
    yield engine
    engine.dispose()


def find(
    engine: Engine, keys: Keys, message: IncomingMessage, now: datetime, raw: bytes | None = None
) -> list[tuple[int, str]]:
    """The subscribers that a message is about, each with the evidence."""
    with Session(engine) as session:
        findings = identify(session, keys, message, now=now, raw=raw)
        people = [finding.person for finding in findings if finding.person]
        return [(person.subscriber_id, person.evidence.value) for person in people]


def read_corpus() -> dict[str, bytes]:
    if not (CORPUS / "expected.json").is_file():
        pytest.skip(f"there is no corpus of bounces in {CORPUS}")
    expected = json.loads((CORPUS / "expected.json").read_text("utf-8"))
    # Automatic replies are in the folder of bounces too, without recipients; in others, nobody is named.
    return {name: (CORPUS / "mail" / name).read_bytes() for name, known in expected.items() if known}


def deliver_to(raw: bytes, address: str) -> bytes:
    """The message as a mailbox has it that got it at ``address``."""
    return f"Delivered-To: {address}\n".encode() + raw


def return_field(raw: bytes, field: str) -> bytes | None:
    """The bounce with one more field in the message that it returns; None if it returns none."""
    head, gap, body = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").partition(b"\n\n")
    places = list(_RETURNED_FIELD.finditer(body))
    ids = [place for place in places if place[2].lower() == b"message-id"]
    if not ids:
        return None
    place = ids[-1]
    line = place[1] + field.encode() + b"\n"
    if field.lower().startswith("message-id:"):
        end = body.find(b"\n", place.end())
        return head + gap + body[: place.start()] + line + body[end + 1 :]
    return head + gap + body[: place.start()] + line + body[place.start() :]


def test_the_person_behind_a_real_bounce_is_found_by_each_trace_of_ours(
    workspace: Workspace, engine: Engine, now: datetime, figure: Callable[[str], None]
) -> None:
    mails = read_corpus()
    keys = workspace.keys
    token = sign(workspace, PERSON, 1)
    ours = message_id(1, PERSON, "example.org", keys.tokens)
    ways: dict[str, Callable[[bytes], bytes | None]] = {
        "the address it came to": partial(deliver_to, address=f"bounce+{token}@news.example.org"),
        "our header in what it returns": partial(return_field, field=f"X-Feedback-Token: {token}"),
        "our Message-ID in what it returns": partial(return_field, field=f"Message-ID: {ours}"),
    }
    for way, change in ways.items():
        changed = {name: new for name, raw in mails.items() if (new := change(raw)) is not None}
        missed = [
            name
            for name, raw in changed.items()
            if {number for number, _ in find(engine, keys, read_message(raw), now, raw)} != {PERSON}
        ]
        share = 1 - len(missed) / len(changed)
        figure(f"person found by {way}: {share:.1%} of {len(changed)} real bounces")
        assert share >= 0.99, missed


def test_a_token_that_is_not_ours_or_is_altered_or_for_something_else_finds_nobody(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    good = sign(workspace, PERSON, 1)
    keys = workspace.keys

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
    @given(st.integers(0, 49), st.sampled_from("0123456789abcdef"), st.text("0123456789abcdef", max_size=60))
    def check(at: int, digit: str, made_up: str) -> None:
        for token in (good[:at] + digit + good[at + 1 :], made_up, good + made_up, good[: at + 1]):
            if token == good:
                continue
            message = make_bounce(token, address="nobody@example.com")
            assert find(engine, keys, message, now, token.encode()) == []
            assert find(engine, keys, make_leave(token), now) == []

    check()
    assert find(engine, keys, make_bounce(good), now) == [(PERSON, "token")]
    # A bounce's token does not leave, though both name the same reader.
    assert find(engine, keys, make_leave(good), now) == []


def test_a_retired_key_proves_nothing_and_a_replaced_one_only_what_was_launched_in_its_time(
    workspace: Workspace, engine: Engine
) -> None:
    now = datetime.now(UTC)
    path = workspace.root / "keys.toml"
    bounce = make_bounce(sign(workspace, PERSON, 1), address=ADDRESS)
    leave = make_leave(sign(workspace, PERSON, 1, LinkPurpose.leave))
    by_id = IncomingMessage(
        kind=bounce.kind,
        original=OriginalMessage(message_id=message_id(1, PERSON, "example.org", workspace.keys.tokens)),
    )
    launch(engine, 1, now - timedelta(days=1))
    rotate_keys(path, now=now)
    keys = open_workspace(workspace.root, environ={}).keys
    for message in (bounce, leave):
        assert find(engine, keys, message, now) == [(PERSON, "token")]
    # Launched after the key was replaced: whoever stole it may have made the token.
    launch(engine, 1, now + timedelta(days=2))
    assert find(engine, keys, bounce, now) == [(PERSON, "address")]
    assert find(engine, keys, leave, now) == []
    launch(engine, 1, now - timedelta(days=1))
    retire_key(path, 1, now=now)
    keys = open_workspace(workspace.root, environ={}).keys
    assert find(engine, keys, bounce, now) == [(PERSON, "address")]
    assert find(engine, keys, leave, now) == []
    # Message-IDs are made with the oldest key, which somebody else may have now.
    assert find(engine, keys, by_id, now) == []


def launch(engine: Engine, campaign: int, at: datetime) -> None:
    with engine.begin() as connection:
        connection.execute(update(Campaign).where(col(Campaign.id) == campaign).values(launched_at=at))
