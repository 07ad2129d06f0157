"""Signing in by a password: the same answer to every wrong one, slower and slower, and nobody is kept out."""

from collections.abc import Iterator

import pytest
from sqlmodel import Session

from mailer.database.team_models import MemberPassword
from mailer.team.members import Member
from mailer.team.passwords import PasswordChecker, store_password
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.sign_in.visitor import Visitor, await_mails, find_link, visiting, with_maildir

PASSWORD = "correct battery horse"


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with serve_studio(with_maildir(workspace)) as studio:
        yield studio


@pytest.fixture
def member(studio: Studio) -> Member:
    member = studio.add_member()
    with Session(studio.engine) as session:
        store_password(session, member.id, PasswordChecker().hash(PASSWORD), now=utc_now())
        session.commit()
    return member


def try_it(visitor: Visitor, password: str, email: str = "ann@example.org") -> int:
    return visitor.post("/sign-in/password", email=email, password=password, next="/editions").status_code


def test_the_password_signs_in_and_is_nowhere_in_a_page_or_in_the_clear(
    studio: Studio, member: Member
) -> None:
    with visiting(studio) as visitor:
        wrong = visitor.post("/sign-in/password", email="ann@example.org", password="not " + PASSWORD)
        assert wrong.status_code == 422
        assert PASSWORD not in wrong.text
        assert 'value="ann@example.org"' in wrong.text
        right = visitor.post(
            "/sign-in/password", email="ann@example.org", password=PASSWORD, next="/editions"
        )
        assert (right.status_code, right.headers["location"]) == (303, "/studio/editions")
        assert visitor.is_signed_in()
    assert not any(PASSWORD.encode() in path.read_bytes() for path in studio.workspace.root.rglob("*.db*"))


@pytest.mark.usefixtures("member")
def test_every_wrong_attempt_is_answered_with_the_same_words(studio: Studio) -> None:
    studio.add_member(name="Ben Author")
    answers = set()
    for email in ("ann@example.org", "ben@example.org", "nobody@example.org"):
        with visiting(studio) as visitor:
            answer = visitor.post("/sign-in/password", email=email, password="not the password")
            answers.add((answer.status_code, answer.text.replace(email, "…")))
    assert len(answers) == 1


@pytest.mark.usefixtures("member")
def test_guessing_is_slowed_down_for_the_guesser_alone(studio: Studio) -> None:
    with visiting(studio) as known, visiting(studio, **{"x-forwarded-for": "192.0.2.9"}) as elsewhere:
        assert try_it(known, PASSWORD) == 303
        with visiting(studio) as guesser:
            statuses = [try_it(guesser, f"wrong password {n}") for n in range(11)]
            assert statuses == [422] * 10 + [429]
            # Even the right one, so that the guesser learns nothing.
            assert try_it(guesser, PASSWORD) == 429
            assert (
                int(
                    guesser.post("/sign-in/password", email="ann@example.org", password="x").headers[
                        "retry-after"
                    ]
                )
                > 0
            )
            # Nobody is kept out elsewhere, nor in a browser that the person has used before.
            known.post("/sign-out")
            assert try_it(known, PASSWORD) == 303
            assert try_it(elsewhere, PASSWORD) == 303
            # And a link by mail remains, in the guesser's own place, too.
            guesser.post("/sign-in", email="ann@example.org")
            assert guesser.post(find_link(await_mails(studio.workspace, 1)[0])).status_code == 303


def test_a_hash_with_weak_parameters_is_made_again_when_it_is_used(studio: Studio, member: Member) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024).hash(PASSWORD)
    with Session(studio.engine) as session:
        store_password(session, member.id, weak, now=utc_now())
        session.commit()
    with visiting(studio) as visitor:
        assert try_it(visitor, PASSWORD) == 303
    with Session(studio.engine) as session:
        row = session.get_one(MemberPassword, member.id)
        assert row.hash != weak
        assert not PasswordHasher().check_needs_rehash(row.hash)
