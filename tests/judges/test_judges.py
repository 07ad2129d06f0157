"""The judges of `make judge`, judged: each sees the fault that is its own, and passes over nothing mutely."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from editions.model import Personalisation
from editions.reader import read_edition
from mailer.rendering.edition_compiler import compile_edition
from subscribers.models import Subscriber
from tests.judges.audience import Partner, list_shares, pick_extremes
from tests.judges.complaint import Complaint
from tests.judges.faults import FAULTS, copy_mail
from tests.judges.golden import GOLDEN, load_sample_settings
from tests.judges.mails import Mail, found_newsroom, write_mails
from tests.judges.panel import JUDGES, Verdict, ask_panel
from tests.judges.paper import PrintedPage, Word, find_print_faults
from tests.judges.spamassassin import read_report
from tests.judges.w3m import compare_parts

HERE = Path(__file__).parent
SETTINGS = load_sample_settings()


# --- the judges at work -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Mail:
    """One mail of many kinds of story, as it would be sent."""
    folder = tmp_path_factory.mktemp("judged")
    workspace = found_newsroom(folder / "workspace")
    edition = read_edition(GOLDEN / "all-kinds", sectors=workspace.settings.sectors)
    return write_mails(workspace, folder / "mails", [edition], ["periodical"])[0]


@pytest.fixture(scope="module")
def planted(clean: Mail, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mail]:
    """The same mail, once for each judge with the fault that is for that judge to see."""
    folder = tmp_path_factory.mktemp("planted")
    mails = {name: copy_mail(clean, folder / name) for name in FAULTS}
    for name, mail in mails.items():
        FAULTS[name](mail)
    return mails


@pytest.fixture(scope="module")
def verdict(clean: Mail, planted: dict[str, Mail]) -> Verdict:
    """What the whole panel says of all of them."""
    return ask_panel([clean, *planted.values()])


@pytest.mark.judges
@pytest.mark.parametrize("judge", [judge.name for judge in JUDGES])
def test_a_planted_fault_turns_exactly_its_judge_red(
    verdict: Verdict, planted: dict[str, Mail], judge: str
) -> None:
    if judge in verdict.absent:
        answer = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        answer(f"{judge} is not here: {verdict.absent[judge]}")
    red = {other.name for other in JUDGES if verdict.count(other.name, planted[judge])}
    assert red == {judge}


@pytest.mark.judges
def test_the_mail_without_a_fault_pleases_all(verdict: Verdict, clean: Mail) -> None:
    assert {judge.name: verdict.count(judge.name, clean) for judge in JUDGES} == dict.fromkeys(FAULTS, 0)


def test_every_judge_has_a_fault_that_is_its_own() -> None:
    assert set(FAULTS) == {judge.name for judge in JUDGES}


# --- what they pass over ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "switch"),
    [
        ("html-validate.config.mjs", r'^ +"[a-z-]+": "off"'),
        ("nu-filter.txt", r"^[^#\n]"),
        ("spamassassin.py", r'^    "[A-Z_]+",$'),
    ],
)
def test_every_rule_that_is_switched_off_says_why_above(file: str, switch: str) -> None:
    lines = (HERE / file).read_text("utf-8").splitlines()
    switched = [number for number, line in enumerate(lines) if re.search(switch, line)]
    assert switched
    mute = [lines[number] for number in switched if not re.match(r" *(//|#) .*\.$", lines[number - 1])]
    assert mute == []


# --- the packages -------------------------------------------------------------------------------------------


def test_the_packages_are_locked_by_their_content_and_by_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text("utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if "integrity" not in package] == []
    wanted = json.loads((HERE / "package.json").read_text("utf-8"))["devDependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


# --- which mails there are ----------------------------------------------------------------------------------


def list_readers() -> list[Partner]:
    """Partners who follow this and that, some of them the same."""
    follows = [("", ()), ("MN", ()), ("MN", ("education",)), ("JP", ("culture",)), ("MN", ("education",))]
    return [
        Partner(
            subscriber=Subscriber(email="", envelope="", name=name, country=country or None),
            sectors=frozenset(sectors),
        )
        for name in ("", "Nara")
        for country, sectors in follows
    ]


def test_every_distinct_variant_of_the_partners_is_judged_once() -> None:
    edition = read_edition(GOLDEN / "all-kinds", sectors=SETTINGS.sectors)
    compiled, partners = compile_edition(edition, SETTINGS), list_readers()
    shares = list_shares(compiled, partners)
    wanted = {
        replace(compiled, personalise=mode).variant_for(
            partner.interests, named=bool(partner.subscriber.name)
        )
        for mode in (Personalisation.order, Personalisation.filter)
        for partner in partners
    }
    assert {share.variant for share in shares} == wanted
    assert len(shares) == len(wanted)


def test_the_extremes_are_the_whole_the_nameless_and_the_shortest() -> None:
    edition = read_edition(GOLDEN / "all-kinds", sectors=SETTINGS.sectors)
    shares = list_shares(compile_edition(edition, SETTINGS), list_readers())
    picked = [share.variant for share in pick_extremes(shares)]
    assert len(picked) == len(set(picked))
    assert {variant.named for variant in picked} == {True, False}
    assert max(len(variant.stories) for variant in picked) == len(edition.stories)
    assert min(len(variant.stories) for variant in picked) == min(
        len(share.variant.stories) for share in shares
    )


# --- how paper is read -----------------------------------------------------------------------------------


def print_page(*lines: tuple[str, float]) -> PrintedPage:
    """A page of A4 with each of ``lines`` at its height in points."""
    return PrintedPage(height=842, lines=tuple((Word(text, 50, top, 200, top + 12),) for text, top in lines))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (print_page(("A line", 100), ("and the next", 114)), []),
        (print_page(), ["page 1 of 2 is blank when printed"]),
        (print_page(("A line", 820)), ["a line is cut at the edge of page 1 when printed: “A line”"]),
        (print_page(("Over", 100), ("under", 104)), ["“under” is printed on top of “Over” on page 1"]),
        (print_page(("Words", 100), ("being seen", 300)), ["a heading is alone at the foot of page 1"]),
        # Fonts of ideographs say nothing of where a letter is.
        (print_page(("看见", 100), ("words", 104)), []),
    ],
)
def test_what_is_wrong_on_paper_is_said_with_its_page(page: PrintedPage, said: list[str]) -> None:
    faults = list(find_print_faults([page, print_page(("The end.", 100))], ["Seen and being seen"]))
    assert len(faults) == len(said)
    assert all(fault.startswith(words) for fault, words in zip(faults, said, strict=True))


# --- how their words are read -------------------------------------------------------------------------------


@pytest.fixture
def mail(tmp_path: Path) -> Mail:
    """A mail of one story; its forms are empty."""
    forms = {form: tmp_path / f"mail.{form}" for form in ("html", "text", "eml", "mjml")}
    for path in forms.values():
        path.touch()
    about = {"theme": "periodical", "edition": "2021-2", "language": "en", "variant": "all"}
    return Mail(**about, titles=("Seen and being seen",), media=tmp_path, **forms)


def compare(mail: Mail, text: str, shown: str, links: list[str]) -> list[str]:
    mail.text.write_text(text, "utf-8")
    return [f"{said.file.suffix}: {said.message}" for said in compare_parts(mail, shown, links)]


def test_two_parts_that_say_the_same_in_other_lines_please(mail: Mail) -> None:
    text = (
        "Seen and\nbeing seen\n\nRead more (https://example.org/a_(b)).\n  https://example.org\n"
        "https://example.org/看见 (nara@example.org)"
    )
    shown = "Seen and being\u00a0seen [1]Read more"
    links = ["https://example.org/a_(b)", "https://example.org/", "https://example.org/%E7%9C%8B%E8%A7%81"]
    assert compare(mail, text, shown, [*links, "mailto:nara@example.org", "file:///mail.html#culture"]) == []


def test_what_only_one_part_says_is_a_complaint_about_the_other(mail: Mail) -> None:
    title = "Seen and being seen"
    assert compare(mail, title, "", []) == [f".html: the title “{title}” is missing"]
    assert compare(mail, "", title, []) == [f".text: the title “{title}” is missing"]
    url = "https://example.org/a"
    assert compare(mail, f"{title} {url}", title, []) == [
        f".html: the text part links to {url}, and nothing here does"
    ]
    assert compare(mail, title, title, [url]) == [f".text: the HTML links to {url}, and nothing here does"]
    mailto = "mailto:nara@example.org"
    assert compare(mail, title, title, [mailto]) == [
        f".text: the HTML links to {mailto}, and nothing here does"
    ]


REPORT = """\
X-Spam-Checker-Version: SpamAssassin 4.0.1
X-Spam-Status: No, score={score} required=5.0 tests=HTML_MESSAGE
Message-ID: <c1.s2@example.org>

Content analysis details:   ({score} points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
 0.0 HTML_MESSAGE           BODY: HTML included in message
 {rule}
-1.0 MAILING_LIST_MULTI     Multiple indicators imply a widely-seen list
"""


@pytest.mark.parametrize(
    ("score", "rule", "said"),
    [
        ("-1.0", "0.0 NO_RELAYS Informational", []),
        ("-0.5", "0.5 SUBJ_ALL_CAPS Subject is all capitals", []),
        (
            "-0.3",
            "0.7 HTML_FONT_LOW_CONTRAST BODY: too faint",
            ["HTML_FONT_LOW_CONTRAST (0.7): BODY: too faint"],
        ),
        ("0.1", "1.1 MIXED_ES Too many es", ["scores 0.1, and 0.0 is the most"]),
    ],
)
def test_neither_a_score_above_nought_nor_a_rule_that_counts_is_let_pass(
    score: str, rule: str, said: list[str]
) -> None:
    file = Path("mail.eml")
    complaints = read_report(REPORT.format(score=score, rule=rule), {"<c1.s2@example.org>": file})
    assert list(complaints) == [Complaint(file, 1, words) for words in said]
