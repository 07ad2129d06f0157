"""What somebody can do who has stolen a key: less after a rotation, nothing once it is retired."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.campaigns.uses import find_key_use
from mailer.database.models import Campaign, CampaignState
from mailer.keys import list_keys, read_keys, retire_key, rotate_keys, write_keys
from mailer.selfservice.unsubscribe import UnsubscribeBatcher, unsubscribe_by_link
from mailer.workspace import Keys
from subscribers.errors import RetiredKeyError
from subscribers.models import Status
from subscribers.tokens import LinkPurpose, TokenSigner
from tests.factories.json_output import to_json
from tests.web.site import add_reader, dump_tables, find_reader

ROTATED = datetime(2026, 3, 10, 12, tzinfo=UTC)
CAMPAIGNS = {"before": -timedelta(days=9), "the same day": timedelta(hours=11), "after": timedelta(hours=13)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_keys(tmp_path / "keys.toml")
    return tmp_path / "keys.toml"


@pytest.fixture
def campaigns(engine: Engine) -> dict[str, int]:
    """The IDs of campaigns launched before, on and after the day of the rotation, and of others."""
    with Session(engine) as session:
        rows = {
            name: Campaign(
                edition=name,
                title=name,
                segment="all",
                digest="",
                state=CampaignState.finished,
                audience=10,
                created_at=ROTATED,
                launched_at=ROTATED + after,
            )
            for name, after in CAMPAIGNS.items()
        }
        rows["not launched"] = Campaign(
            edition="x", title="x", segment="all", digest="", state=CampaignState.draft, created_at=ROTATED
        )
        session.add_all(rows.values())
        session.commit()
        numbers = {name: row.id or 0 for name, row in rows.items()}
    return {**numbers, "none of ours": 777_777, "no campaign": 0}


class Thief:
    """Has a copy of the keys, and leaves in the name of a reader who never asked for it."""

    def __init__(self, engine: Engine, stolen: TokenSigner, keys: Keys) -> None:
        self.engine = engine
        self.stolen = stolen
        self.keys = keys
        add_reader(engine, keys, "mei@example.org")
        self.reader = find_reader(engine, "mei@example.org").id or 0

    def forge(self, campaign_id: int) -> str:
        return self.stolen.sign(LinkPurpose.subscription, subscriber_id=self.reader, campaign_id=campaign_id)

    def gets_nowhere(self, campaign_id: int) -> bool:
        """Whether neither the button of a mail program nor that of the page changes anything."""
        before = dump_tables(self.engine)
        with pytest.raises(RetiredKeyError):
            UnsubscribeBatcher(self.engine, self.keys).unsubscribe(self.forge(campaign_id), now=ROTATED)
        with pytest.raises(RetiredKeyError):
            unsubscribe_by_link(self.engine, self.keys, self.forge(campaign_id), now=ROTATED)
        return dump_tables(self.engine) == before


def test_a_stolen_key_that_was_retired_unsubscribes_nobody(
    engine: Engine, path: Path, campaigns: dict[str, int]
) -> None:
    running = read_keys(path)  # as in a server that was started before
    thief = Thief(engine, read_keys(path).tokens, running)
    rotate_keys(path, now=ROTATED)
    retire_key(path, 1, now=ROTATED)
    for keys in (running, read_keys(path)):
        thief.keys = keys
        assert all(thief.gets_nowhere(number) for number in campaigns.values())
    assert find_reader(engine, "mei@example.org").status is Status.active


@pytest.mark.parametrize("campaign", ["after", "not launched", "none of ours"])
def test_a_key_that_was_only_replaced_cannot_name_a_later_campaign(
    engine: Engine, path: Path, campaigns: dict[str, int], campaign: str
) -> None:
    thief = Thief(engine, read_keys(path).tokens, read_keys(path))
    rotate_keys(path, now=ROTATED)
    assert thief.gets_nowhere(campaigns[campaign])


@pytest.mark.parametrize("campaign", ["before", "the same day", "no campaign"])
def test_links_that_were_mailed_before_a_rotation_go_on_working(
    engine: Engine, path: Path, campaigns: dict[str, int], campaign: str
) -> None:
    reader = Thief(engine, read_keys(path).tokens, read_keys(path))
    rotate_keys(path, now=ROTATED)
    UnsubscribeBatcher(engine, reader.keys).unsubscribe(reader.forge(campaigns[campaign]), now=ROTATED)
    assert find_reader(engine, "mei@example.org").status is Status.unsubscribed


def test_what_retiring_a_key_ends_is_counted_by_the_days_it_signed(
    engine: Engine, path: Path, campaigns: dict[str, int]
) -> None:
    rotate_keys(path, now=ROTATED)
    rotate_keys(path, now=ROTATED + timedelta(days=30))
    first, second, third = list_keys(path)
    with Session(engine) as session:
        assert len(session.exec(select(Campaign)).all()) == 4
        use = find_key_use(session, first)
        assert (use.campaigns, use.readers, str(use.last_launch)) == (2, 20, "2026-03-10")
        assert find_key_use(session, second).campaigns == 2
        assert to_json(find_key_use(session, third)) == {"campaigns": 0, "readers": 0, "last_launch": None}
    assert use.is_protected(ROTATED.date() + timedelta(days=60))
    assert not use.is_protected(ROTATED.date() + timedelta(days=61))
