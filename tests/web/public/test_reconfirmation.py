"""The page behind the letter that asks readers whether they still want the newsletter."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.database.models import Campaign, CampaignState
from mailer.selfservice.confirmation import RECONFIRMATION_SENTENCES
from mailer.web.app import create_app
from mailer.workspace import Workspace
from subscribers.models import ConsentEvent, ConsentRecord
from tests.web.site import NOW, add_reader, opened_engine, send_request, served

OWN_FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
QUESTION, BUTTON = RECONFIRMATION_SENTENCES


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    """A database in which campaign 7, that of readers' links, is a re-confirmation."""
    with opened_engine(workspace) as engine:
        with Session(engine) as session:
            session.add(
                Campaign(
                    **{"id": 7, "edition": "reconfirmation~1", "title": "Partner News", "segment": "all"},
                    **{"state": CampaignState.finished, "digest": "d", "created_at": NOW, "launched_at": NOW},
                )
            )
            session.commit()
        yield engine


def test_the_page_asks_and_the_button_answers_once(workspace: Workspace, engine: Engine) -> None:
    token = add_reader(engine, workspace.keys, "mei@example.org")
    with served(create_app(workspace, clock=lambda: NOW)) as running:
        page = send_request(running.url, "GET", f"/p/{token}")
        assert QUESTION in page.text
        assert f'action="/p/{token}/stay"' in page.text
        answers = [send_request(running.url, "POST", f"/p/{token}/stay", b"lang=en", OWN_FORM) for _ in "12"]
        later = send_request(running.url, "GET", f"/p/{token}")
    assert [answer.status for answer in answers] == [200, 200]
    assert all("Thank you. We will keep sending it to you." in answer.text for answer in answers)
    assert not any(QUESTION in answer.text for answer in (*answers, later))
    with Session(engine) as session:
        (record,) = session.exec(select(ConsentRecord)).all()
    assert (record.event, record.wording) == (ConsentEvent.reconfirmed, f"{QUESTION} {BUTTON}")


def test_it_asks_in_the_reader_s_language(workspace: Workspace, engine: Engine) -> None:
    token = add_reader(engine, workspace.keys, "mei@example.org", language="ja")
    with served(create_app(workspace, clock=lambda: NOW)) as running:
        page = send_request(running.url, "GET", f"/p/{token}")
    assert "ニュースレターを引き続きご希望ですか？" in page.text
