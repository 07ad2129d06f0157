"""What was written in English and kept is shown in the language of whoever reads the page."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlmodel import Session, col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, Dispatcher
from mailer.database.team_models import Role
from mailer.dispatch.circuit_breaker import explain_trip
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict
from mailer.web.dependencies import utc_now
from tests.factories.deliveries import add_campaign
from tests.servers.process import wait_until
from tests.web.studio.house import House, open_house

_MARKED = re.compile(r'<(?!code)(\w+)[^>]* lang="en"[^>]*>(.*?)</\1>', re.DOTALL)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


@pytest.fixture(autouse=True)
def _restored(house: House) -> None:
    house.restore()


def read(house: House, path: str, words: str) -> str:
    """The page in French, once it has ``words``: what nobody has counted yet comes late."""
    pages: list[str] = []

    def look() -> bool:
        answer = house.ask("GET", path, Role.manager, accept_language="fr")
        assert answer.headers["content-language"] == "fr"
        pages[:] = [answer.body.decode().replace("’", "'").replace("&#39;", "'")]
        return words in pages[0]

    wait_until(look, what=words)
    return pages[0]


def list_english(page: str) -> list[str]:
    """The texts that a page marks as English, but for servers' own words, which are code."""
    return [found[1] for found in _MARKED.findall(page)]


def test_why_a_campaign_is_paused_is_said_in_the_readers_language(house: House) -> None:
    number = add_campaign(house.studio.engine, 4, title="Spring news", launched_at=utc_now())
    house.ask("POST", f"/campaigns/{number}/pause", Role.manager)
    page = read(house, f"/campaigns/{number}/live", "Mise en pause à la main, ")
    assert list_english(page) == []
    read(house, f"/campaigns/{number}", "Mise en pause à la main, ")
    english = house.ask("GET", f"/campaigns/{number}/live", Role.manager).body.decode()
    assert "Paused by hand, " in english


def test_refusals_and_pauses_are_explained_in_the_readers_language(house: House) -> None:
    number = add_campaign(house.studio.engine, 4, title="Spring news", launched_at=utc_now())
    why = explain_trip(
        Outcome(Verdict.rejected, Stage.mail, text="mx.example.org:25: the connection was lost")
    )
    with house.studio.engine.begin() as connection:
        changed = update(Campaign).where(col(Campaign.id) == number)
        connection.execute(changed.values(state=CampaignState.paused, state_reason=str(why)))
        found = select(col(Delivery.id)).where(col(Delivery.campaign_id) == number).order_by(col(Delivery.id))
        first, second, *_ = connection.scalars(found).all()
        refused = {"state": DeliveryState.rejected, "code": 550}
        for one, reason in ((first, "5.7.26 unauthenticated. - gsmtp"), (second, "5.2.2 mailbox full")):
            connection.execute(
                update(Delivery).where(col(Delivery.id) == one).values(reason=reason, **refused)
            )
    page = read(house, f"/campaigns/{number}/live", "Gmail n'a pas pu établir")
    assert "La boîte du lecteur est pleine." in page
    assert "mx.example.org:25 : la connexion a été perdue" in page.replace("\u00a0", " ")
    assert '<code lang="en">550 5.2.2 mailbox full' in page
    assert list_english(page) == []
    report = read(house, f"/campaigns/{number}/report", "Gmail n'a pas pu établir")
    assert "20 des 25 derniers messages" in report
    assert list_english(report) == []


def test_what_a_machine_has_to_say_is_said_in_the_readers_language(house: House) -> None:
    number = add_campaign(house.studio.engine, 4, title="Spring news", launched_at=utc_now())
    notice = "relay east failed once: the server closed the connection; next try 09:30 UTC"
    with Session(house.studio.engine) as session:
        now = utc_now() + timedelta(minutes=5)
        session.add(Dispatcher(id="pc7-12", host="pc7 (12)", started_at=now, heartbeat_at=now, notice=notice))
        session.commit()
    page = read(house, f"/campaigns/{number}/live", "le relais east a échoué une fois")
    assert list_english(page) == []


def test_words_of_others_stay_and_are_marked(house: House) -> None:
    number = add_campaign(house.studio.engine, 4, title="Spring news", launched_at=utc_now())
    with house.studio.engine.begin() as connection:
        changed = update(Campaign).where(col(Campaign.id) == number)
        connection.execute(changed.values(state=CampaignState.paused, state_reason="Somebody's <own> words"))
    page = read(house, f"/campaigns/{number}/live", "Somebody's &lt;own&gt; words")
    assert list_english(page) == ["Somebody's &lt;own&gt; words"]
