"""Mailed links, which work once, for one purpose, until they expire."""

import random
import string
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from subscribers.errors import SpentLinkError, TokenError
from subscribers.models import MailedLink
from subscribers.one_time_links import (
    LIFETIMES,
    check_link,
    delete_expired_links,
    issue_link,
    use_link,
)
from subscribers.tokens import LinkPurpose, TokenSigner
from tests.factories.deliveries import add_subscribers

SIGNER = TokenSigner(keys={1: b"k" * 32}, current=1)
MAILED = [purpose for purpose in LinkPurpose if purpose.is_mailed]


@pytest.fixture
def person(engine: Engine) -> int:
    return add_subscribers(engine, ["mei@example.org"])[0]


@pytest.fixture
def opened(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.mark.parametrize("purpose", MAILED)
def test_a_link_works_once_and_checking_it_changes_nothing(
    opened: Session, person: int, now: datetime, purpose: LinkPurpose
) -> None:
    token = issue_link(opened, SIGNER, purpose, subscriber_id=person, now=now, detail="new@example.org")
    opened.commit()
    for reading in (check_link, check_link, check_link, use_link):
        link = reading(opened, SIGNER, token, purpose, now=now)
        assert (link.subscriber_id, link.purpose, link.detail) == (person, purpose, "new@example.org")
    for again in (check_link, use_link):
        with pytest.raises(SpentLinkError, match="has been used or has expired"):
            again(opened, SIGNER, token, purpose, now=now)


def test_a_use_that_was_rolled_back_can_be_repeated(opened: Session, person: int, now: datetime) -> None:
    token = issue_link(opened, SIGNER, LinkPurpose.erase, subscriber_id=person, now=now)
    opened.commit()
    use_link(opened, SIGNER, token, LinkPurpose.erase, now=now)
    opened.rollback()
    assert use_link(opened, SIGNER, token, LinkPurpose.erase, now=now).subscriber_id == person


def test_of_eight_concurrent_requests_one_succeeds(engine: Engine, person: int, now: datetime) -> None:
    with Session(engine) as session:
        token = issue_link(session, SIGNER, LinkPurpose.export, subscriber_id=person, now=now)
        session.commit()

    def press(_: int) -> bool:
        with Session(engine) as session:
            try:
                use_link(session, SIGNER, token, LinkPurpose.export, now=now)
            except SpentLinkError:
                return False
            session.commit()
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(press, range(8))) == 1


@pytest.mark.parametrize("purpose", MAILED)
def test_a_link_expires(opened: Session, person: int, now: datetime, purpose: LinkPurpose) -> None:
    token = issue_link(opened, SIGNER, purpose, subscriber_id=person, now=now)
    end = now + LIFETIMES[purpose]
    assert check_link(opened, SIGNER, token, purpose, now=end - timedelta(seconds=1))
    for try_it in (check_link, use_link):
        with pytest.raises(SpentLinkError):
            try_it(opened, SIGNER, token, purpose, now=end)


def test_only_the_newest_link_of_a_purpose_works(opened: Session, person: int, now: datetime) -> None:
    first = issue_link(opened, SIGNER, LinkPurpose.export, subscriber_id=person, now=now)
    other = issue_link(opened, SIGNER, LinkPurpose.erase, subscriber_id=person, now=now)
    newest = issue_link(opened, SIGNER, LinkPurpose.export, subscriber_id=person, now=now)
    with pytest.raises(SpentLinkError):
        use_link(opened, SIGNER, first, LinkPurpose.export, now=now)
    use_link(opened, SIGNER, newest, LinkPurpose.export, now=now)
    use_link(opened, SIGNER, other, LinkPurpose.erase, now=now)


@pytest.mark.parametrize("purpose", MAILED)
def test_a_link_is_valid_for_one_purpose_only(
    opened: Session, person: int, now: datetime, purpose: LinkPurpose
) -> None:
    token = issue_link(opened, SIGNER, purpose, subscriber_id=person, now=now)
    for other in set(LinkPurpose) - {purpose}:
        with pytest.raises(TokenError, match="incomplete"):
            check_link(opened, SIGNER, token, other, now=now)
    newsletter = SIGNER.sign(LinkPurpose.subscription, subscriber_id=person, campaign_id=1)
    with pytest.raises(TokenError, match="incomplete"):
        check_link(opened, SIGNER, newsletter, purpose, now=now)


def test_a_newsletter_link_is_never_a_one_time_link(opened: Session, person: int, now: datetime) -> None:
    with pytest.raises(ValueError, match="not mailed"):
        issue_link(opened, SIGNER, LinkPurpose.subscription, subscriber_id=person, now=now)
    with pytest.raises(ValueError, match="does not expire"):
        SIGNER.sign_link(LinkPurpose.subscription, link_id=1, expires_at=now)


def test_a_key_rotation_ends_one_time_links_and_keeps_newsletter_links(
    opened: Session, person: int, now: datetime
) -> None:
    mailed = issue_link(opened, SIGNER, LinkPurpose.erase, subscriber_id=person, now=now)
    newsletter = SIGNER.sign(LinkPurpose.subscription, subscriber_id=person, campaign_id=1)
    rotated = TokenSigner(keys={1: b"k" * 32, 2: b"n" * 32}, current=2)
    assert rotated.read(newsletter, LinkPurpose.subscription).subscriber_id == person
    with pytest.raises(TokenError):
        use_link(opened, rotated, mailed, LinkPurpose.erase, now=now)


def test_a_link_without_its_row_is_refused_like_a_wrong_one(
    opened: Session, person: int, now: datetime
) -> None:
    token = issue_link(opened, SIGNER, LinkPurpose.erase, subscriber_id=person, now=now)
    opened.rollback()
    forged = SIGNER.sign_link(LinkPurpose.erase, link_id=2**64 - 1, expires_at=now + timedelta(hours=1))
    for gone in (token, forged):
        with pytest.raises(TokenError, match="incomplete"):
            use_link(opened, SIGNER, gone, LinkPurpose.erase, now=now)


def test_links_are_deleted_once_they_have_expired(opened: Session, person: int, now: datetime) -> None:
    issue_link(opened, SIGNER, LinkPurpose.confirm, subscriber_id=person, now=now)
    issue_link(opened, SIGNER, LinkPurpose.confirm, subscriber_id=person, now=now + timedelta(hours=1))
    assert delete_expired_links(opened, expired_before=now) == 0
    assert delete_expired_links(opened, expired_before=now + timedelta(days=9)) == 2
    assert opened.exec(select(MailedLink)).all() == []


ALPHABET = string.ascii_letters + string.digits + "-_"


def mutate(token: str, chance: random.Random) -> str:
    """``token`` with one to three faults: a character changed, lost, doubled or moved."""
    letters = list(token)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(letters))
        match chance.randrange(4):
            case 0:
                letters[place] = chance.choice(ALPHABET)
            case 1:
                del letters[place]
            case 2:
                letters.insert(place, letters[place])
            case 3:
                other = chance.randrange(len(letters))
                letters[place], letters[other] = letters[other], letters[place]
    return "".join(letters)


def press(session: Session, token: str, purpose: LinkPurpose, now: datetime) -> int:
    """What a page does with a token; the number of the subscriber it is about."""
    if purpose.is_mailed:
        return use_link(session, SIGNER, token, purpose, now=now).subscriber_id
    return SIGNER.read(token, purpose).subscriber_id


def test_of_100_000_mutated_tokens_none_succeeds_and_all_get_the_same_error(
    sqlite_engine: Engine, now: datetime
) -> None:
    chance = random.Random(20261125)
    person = add_subscribers(sqlite_engine, ["mei@example.org"])[0]
    answers: set[tuple[type, str]] = set()
    tried = 0
    with Session(sqlite_engine) as session:
        genuine = {
            purpose: issue_link(session, SIGNER, purpose, subscriber_id=person, now=now) for purpose in MAILED
        }
        genuine[LinkPurpose.subscription] = SIGNER.sign(
            LinkPurpose.subscription, subscriber_id=person, campaign_id=3
        )
        tokens = set(genuine.values())
        purposes = list(genuine)
        while tried < 100_000:
            purpose = chance.choice(purposes)
            token = mutate(genuine[purpose], chance)
            if token in tokens:
                continue
            tried += 1
            with pytest.raises(TokenError) as caught:
                press(session, token, purpose, now)
            answers.add((type(caught.value), str(caught.value)))
        for purpose in purposes:
            assert press(session, genuine[purpose], purpose, now) == person
    assert len(answers) == 1
