"""A link is a person's, not a row's: no kind of token ever means somebody who was given the same number."""

import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, delete, func, select
from sqlmodel import Session, col

from mailer.cli import mailer
from mailer.database import schema
from mailer.database.backup import backup
from mailer.database.number_series import begin_series
from mailer.keys import Keys
from mailer.rendering.mail_merge import message_id
from mailer.selfservice.subscription import open_subscription
from mailer.workspace import Workspace, open_workspace
from subscribers.click_tokens import ClickToken, read_click_token, sign_click_token
from subscribers.errors import TokenError
from subscribers.models import Subscriber
from subscribers.one_time_links import check_link, issue_link
from subscribers.segments.segment import parse_segment
from subscribers.tokens import CLICK, CODE, LinkPurpose
from tests.factories.deliveries import add_campaign
from tests.paths import ROOT

MESSAGE_ID = "message-id"
BY_MAIL = {LinkPurpose.bounce, LinkPurpose.leave}


class Place:
    """A workspace with its database, opened as a program does that has just been started."""

    def __init__(self, root: Path) -> None:
        self.workspace = open_workspace(root, environ={})
        self.keys: Keys = self.workspace.keys
        self.engine: Engine = self.workspace.open_database(durable=False)

    def add(self, email: str) -> tuple[int, int]:
        """Send a campaign to a new person; return both numbers."""
        campaign = add_campaign(self.engine, [email])
        with self.engine.connect() as connection:
            return connection.scalar(select(func.max(Subscriber.id))) or 0, campaign

    def make_tokens(self, person: int, campaign: int) -> Mapping[str, str]:
        """Make a token of each kind that there is."""
        tokens, ids = self.keys.tokens, {"subscriber_id": person, "campaign_id": campaign}
        made: dict[str, str] = {MESSAGE_ID: message_id(campaign, person, "example.org", tokens)}
        with Session(self.engine) as session:
            for _, kind in tokens._hmacs:
                if kind == CLICK:
                    made[kind] = sign_click_token(tokens, ClickToken(**ids))
                elif kind == CODE:
                    made[kind] = tokens.sign_code(**ids)
                elif kind in BY_MAIL:
                    made[kind] = tokens.sign_mail(LinkPurpose(kind), **ids)
                elif LinkPurpose(kind).is_mailed:
                    now = datetime.now(UTC)
                    made[kind] = issue_link(session, tokens, LinkPurpose(kind), subscriber_id=person, now=now)
                elif kind != LinkPurpose.test:
                    made[kind] = tokens.sign(LinkPurpose(kind), **ids)
            session.commit()
        assert {*made, LinkPurpose.test} == {*LinkPurpose, CLICK, CODE, MESSAGE_ID}
        return made

    def list_read(self, made: Mapping[str, str], person: int, campaign: int) -> set[str]:
        """Return the kinds of which the token is read here as one of these numbers."""
        return {kind for kind in made if self._reads(kind, made[kind], person, campaign)}

    def _reads(self, kind: str, token: str, person: int, campaign: int) -> bool:
        tokens = self.keys.tokens
        try:
            if kind == MESSAGE_ID:
                return message_id(campaign, person, "example.org", tokens) == token
            if kind == CLICK:
                return read_click_token(tokens, token).campaign_id == campaign
            if kind == CODE:
                return tokens.read_code(token).campaign_id == campaign
            if kind in BY_MAIL:
                return tokens.read_mail(token, LinkPurpose(kind)).subscriber_id == person
            if LinkPurpose(kind).is_mailed:
                with Session(self.engine) as session:
                    found = check_link(session, tokens, token, LinkPurpose(kind), now=datetime.now(UTC))
                    return found.subscriber_id == person
            return tokens.read(token, LinkPurpose(kind)).subscriber_id == person
        except TokenError:
            return False


@pytest.fixture
def place(workspace: Workspace) -> Place:
    found = Place(workspace.root)
    begin_series(found.engine, is_restored=False)
    found.add("first@example.org")
    found.engine.dispose()
    return Place(workspace.root)


def put_back(place: Place, copy: Path) -> None:
    place.engine.dispose()
    for end in ("-wal", "-shm"):
        (place.workspace.root / f"mailer.db{end}").unlink(missing_ok=True)
    shutil.copy(copy, place.workspace.root / "mailer.db")


def restore(place: Place, lose: Callable[[], None]) -> Place:
    copy = place.workspace.root / "copy.db"
    backup(place.engine, copy)
    lose()
    put_back(place, copy)
    return Place(place.workspace.root)


def restore_other_copy(place: Place, lose: Callable[[], None]) -> Place:
    copy = place.workspace.root / "copy.db"
    place.engine.dispose()
    shutil.copy(place.workspace.root / "mailer.db", copy)
    lose()
    put_back(place, copy)
    command = ["-C", str(place.workspace.root), "db", "upgrade", "--restored"]
    assert CliRunner().invoke(mailer, command).exit_code == 0
    return Place(place.workspace.root)


def move(place: Place, lose: Callable[[], None]) -> Place:
    lose()
    place.engine.dispose()
    for path in place.workspace.root.glob("mailer.db*"):
        path.unlink()
    moved = Place(place.workspace.root)
    schema.upgrade(moved.engine)
    begin_series(moved.engine, is_restored=False)
    moved.add("first@example.org")
    moved.engine.dispose()
    return Place(place.workspace.root)


def run_twice(place: Place, lose: Callable[[], None]) -> Place:
    root = place.workspace.root.parent / "twin"
    root.mkdir()
    for name in ("mailer.toml", "keys.toml"):
        shutil.copy(place.workspace.root / name, root / name)
    lose()
    return move(Place(root), lambda: None)


@pytest.mark.parametrize("way", [restore, restore_other_copy, move, run_twice])
def test_no_token_of_any_kind_means_who_was_given_the_same_number(
    place: Place, way: Callable[[Place, Callable[[], None]], Place]
) -> None:
    made: dict[str, str] = {}
    numbers = (0, 0)

    def lose() -> None:
        nonlocal numbers
        numbers = place.add("lost@example.org")
        made.update(place.make_tokens(*numbers))
        assert place.list_read(made, *numbers) == set(made)

    after = way(place, lose)
    assert after.add("other@example.org") == numbers
    assert after.list_read(made, *numbers) == set()
    with pytest.raises(TokenError), open_subscription(after.engine, after.keys, made["subscription"]):
        pass
    after.engine.dispose()
    place.engine.dispose()


@pytest.mark.parametrize("way", [restore, restore_other_copy])
def test_links_from_before_a_backup_work_after_the_restore(
    place: Place, way: Callable[[Place, Callable[[], None]], Place]
) -> None:
    made = place.make_tokens(1, 1)
    after = way(place, lambda: None)
    assert after.list_read(made, 1, 1) == set(made)
    after.engine.dispose()


def test_the_number_of_a_deleted_person_is_not_used_again(engine: Engine) -> None:
    add_campaign(engine, 0)
    with Session(engine) as session:
        now = datetime.now(UTC)
        for email in ("gone@example.org", "next@example.org"):
            person = Subscriber(email=email, envelope=email, created_at=now, updated_at=now)
            session.add(person)
            session.flush()
            number = person.id or 0
            if email.startswith("gone"):
                gone = number
                session.exec(delete(Subscriber).where(col(Subscriber.id) == number))
                session.expunge_all()
        assert number > gone


def test_every_command_of_the_page_about_backups_is_one(place: Place) -> None:
    place.engine.dispose()
    page = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
    commands = dict.fromkeys(re.findall(r"`mailer ([^`]+)`", page))
    assert len(commands) > 8
    values = {"FILE": str(place.workspace.root / "copy.db"), "ID": "1", "EDITION": "no-edition"}
    for command in commands:
        words = shlex.split(command)
        # The text names these as programs.
        if words in (["serve"], ["work"], ["send"], ["login"], ["send", "--confirm"], ["doctor"]):
            continue
        # The text also names it without its file.
        words += ["FILE"] if words == ["db", "backup"] else []
        if "--segment" in words:
            parse_segment(words[words.index("--segment") + 1])
        given = [values.get(word, word) for word in words]
        result = CliRunner().invoke(mailer, ["-C", str(place.workspace.root), *given])
        assert result.exit_code in {0, 1}, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), command


def test_a_new_database_in_place_of_a_lost_one_says_what_that_means(place: Place) -> None:
    command = ["-C", str(place.workspace.root), "db", "upgrade"]
    assert "restore its backup" not in CliRunner().invoke(mailer, command).output
    place.engine.dispose()
    for path in place.workspace.root.glob("mailer.db*"):
        path.unlink()
    assert "restore its backup instead" in CliRunner().invoke(mailer, command).output
