"""What was written in English and kept is shown in the language of whoever reads the page."""

import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlmodel import Session, col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, Dispatcher
from mailer.database.team_models import Role
from mailer.dispatch.circuit_breaker import explain_trip
from mailer.i18n import load_translator
from mailer.settings.changes.sections import SECTIONS
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict
from mailer.web.dependencies import utc_now
from mailer.web.studio.app import ROUTES
from tests.doctor.said_findings import find_english
from tests.factories.deliveries import add_campaign
from tests.factories.small_edition import write_edition
from tests.servers.process import wait_until
from tests.web.studio.house import SLUG, House, open_house
from tests.web.studio.sending import add_sending
from tests.web.studio.sent_edition import SENT_EDITION

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


def test_problems_of_an_edition_are_said_in_the_readers_language(house: House) -> None:
    story = house.studio.workspace.editions / SLUG / "stories" / "010-teachers.md"
    story.write_text("---\ntitle: A\nsector: none\ncolour: blue\n---\n\n", encoding="utf-8")
    page = read(house, f"/editions/{SLUG}/problems", "n'est pas l'un des secteurs de mailer.toml")
    assert "n'est pas une clé de ce fichier" in page
    assert list_english(page) == []


@pytest.fixture
def own_templates(house: House) -> Iterator[Path]:
    folder = house.studio.workspace.root / "templates"
    (folder / "email").mkdir(parents=True)
    yield folder / "email"
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("periodical.toml", 'version = 2\n[light]\npage = "red"\n', "Écrivez une couleur : #"),
        ("periodical.toml", "version = 2\nstrange = 1\n", "paramètre inconnu"),
        ("periodical.toml", "version = 99\n", "est de la version 99 des modèles"),
        ("periodical.mjml.j2", "{% include 'email/absent.j2' %}", "modèle introuvable"),
        ("periodical.mjml.j2", "<mjml><mj-body><mj-strange /></mj-body></mjml>", "un composant connu"),
        ("periodical.mjml.j2", "{% include 'email/periodical.mjml.j2' %}", "s'inclut lui-même"),
    ],
)
def test_what_is_wrong_with_a_theme_is_said_in_the_readers_language(
    house: House, own_templates: Path, name: str, text: str, words: str
) -> None:
    (own_templates / name).write_text(text, encoding="utf-8")
    story = house.studio.workspace.editions / SLUG / "stories" / "010-teachers.md"
    with story.open("a", encoding="utf-8") as file:
        file.write("\nA paragraph more.\n")
    page = read(house, f"/editions/{SLUG}/problems", words)
    assert list_english(page) == []
    told = page[page.index(words) - 300 : page.index('class="muted"', page.index(words))]
    assert find_english(re.sub(r"<[^>]*>|<.*", " ", told[told.rindex('<span class="grow">') :])) == []


def test_what_is_wrong_with_a_query_is_said_in_the_readers_language(house: House) -> None:
    page = read(house, "/segments/new?q=secto:education", "Il n'y a pas de clé « secto »")
    assert "Vouliez-vous dire sector ?" in page
    assert list_english(page) == []


class _TextParser(HTMLParser):
    """The texts of a page and of its attributes, but for what is no sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._passed_over: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if self._passed_over or tag in {"script", "style", "code", "textarea"}:
            if tag not in _VOID:
                self._passed_over.append(tag)
            return
        self.texts += [named[name] or "" for name in ("title", "aria-label", "placeholder") if name in named]

    def handle_endtag(self, tag: str) -> None:
        if self._passed_over and tag not in _VOID:
            self._passed_over.pop()

    def handle_data(self, data: str) -> None:
        if not self._passed_over:
            self.texts.append(" ".join(data.split()))


_VOID = {"br", "hr", "img", "input", "link", "meta", "source", "wbr", "path", "rect", "circle", "col"}
_OTHER_PAGES = {"/sign-in/organisation", "/sign-in/organisation/back", "/account/data"}


def list_pages(campaigns: Sequence[int]) -> Iterator[str]:
    """The pages of Studio that need no more than an edition, a story, a campaign or a section of settings."""
    for route in ROUTES:
        if "GET" not in route.methods or route.path in _OTHER_PAGES:
            continue
        numbers = campaigns if "{campaign}" in route.path else [0]
        for number, section in product(numbers, SECTIONS if "{section}" in route.path else [""]):
            path = route.path.replace("{edition}", SLUG).replace("{story}", "010-teachers")
            path = path.replace("{campaign}", str(number)).replace("{section}", section)
            path = path.replace("{language}", "zh-Hans")
            if "{" not in path and not path.endswith(("/events", "/frame", ".docx", ".xlf")):
                yield path


def test_no_sentence_of_ours_is_english_on_pages_in_another_language(house: House) -> None:
    write_edition(house.studio.workspace.editions, SENT_EDITION)
    sending = add_sending(house.studio)
    french = load_translator("fr")
    walked = 0
    for path in list_pages([sending.live, sending.prepared, sending.broken, sending.scheduled]):
        answer = house.ask("GET", path, Role.manager, accept_language="fr")
        if answer.status != 200 or not answer.headers["content-type"].startswith("text/html"):
            continue
        parser = _TextParser()
        parser.feed(answer.body.decode())
        walked += 1
        for text in parser.texts:
            said = french.find_words(text) if text.count(" ") > 1 else None
            assert said is None or said == text, (path, text)
    assert walked > 90
