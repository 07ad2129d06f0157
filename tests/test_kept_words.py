"""What the program has written in English and kept is read in every language of the pages."""

import re
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest

from editions.imports.feed_stories import MAX_ENTRIES
from editions.imports.importer import import_document, import_feed
from editions.imports.source_document import FetchError, Omission, RemoteFile
from editions.reader import inspect_edition
from locales.phrase import gettext_noop
from mailer.database import backup
from mailer.dispatch.canary import Canary, CanaryProgress
from mailer.dispatch.circuit_breaker import CircuitBreaker, explain_trip
from mailer.dispatch.deliveries import Counts
from mailer.dispatch.ledger import CRASH_REASON
from mailer.dispatch.rate_limiter import DailyLimitReached
from mailer.errors import TemplateError
from mailer.i18n import LANGUAGES, SOURCE_LANGUAGE, load_translator
from mailer.providers.provider_table import load_providers
from mailer.providers.refusal_advice import explain_refusal
from mailer.rendering.body.fragments import mark_begin, mark_end, parse_fragments
from mailer.rendering.pipeline.jinja_env import make_environment, render_template
from mailer.rendering.pipeline.mjml import check_mjml
from mailer.rendering.themes.template_files import load_phrases
from mailer.rendering.themes.theme_files import explain_lost_link, explain_old_version, load_theme
from mailer.rendering.worker.process import explain_exit
from mailer.rendering.worker.protocol import RenderLimits
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict
from subscribers.errors import SegmentError
from subscribers.segments.segment import parse_segment
from tests.doctor.said_findings import find_english
from tests.factories.unkept_documents import UNKEPT_PAGE, format_unkept_feed, write_unkept_word

FOREIGN = [tag for tag in LANGUAGES if tag != SOURCE_LANGUAGE]
NOW = datetime(2027, 3, 5, 9, 30, tzinfo=UTC)
REFUSED = Outcome(Verdict.rejected, Stage.rcpt, 550, "5.1.1 nobody")


def list_pause_reasons() -> Iterator[str]:
    """One of each kind, from what decides it."""
    yield explain_trip(REFUSED)
    breaker = CircuitBreaker(first=2)
    for number in range(2):
        breaker.record(number, REFUSED)
    yield breaker.reason
    breaker = CircuitBreaker(handed_over=500)
    for number in range(25):
        breaker.record(number, REFUSED)
    yield breaker.reason
    counts = Counts(audience=500, sent=90, rejected=20, failed=1, in_doubt=2, deferred=3, queued=384)
    progress = CanaryProgress(counts=counts)
    canary = Canary(campaign_id=7, size=100, minutes=30)
    yield canary.explain(progress, None, NOW)
    yield canary.explain(progress, NOW + timedelta(minutes=30), NOW)
    yield DailyLimitReached(limit=1000, until=NOW).reason
    for stage in Stage:
        yield Outcome(Verdict.stop, stage, 535, "5.7.8 no").summary
        yield Outcome(Verdict.stop, stage, text="mx.example.org:587: the connection was lost").summary
    yield from (backup._SENDING % {"at": "1 March"}, backup._WAITING % {"at": "1 March"})
    yield from (backup._PENDING % {"at": "1 March"}, backup._SCHEDULED % {"at": "1 March"})
    yield CRASH_REASON


def list_meanings() -> Iterator[str]:
    """What refusals mean and what to do, as the report joins it."""
    for provider in load_providers().by_key.values():
        for refusal in provider.refusals:
            yield f"{refusal.means} {refusal.advice}"
    for host in ("", "mx1.qq.com"):
        for words in (
            "550 no such user",
            "452 mailbox full",
            "554 spam",
            "421 try later",
            "550 5.7.1 no",
            "xyz",
        ):
            told = explain_refusal(words, host=host)
            yield f"{told.means} {told.advice}"


THEMES = (
    "[",
    '[sections]\nother = ["#ffffff", "#000000"]',
    "[type]\nbody = 3",
    "version = 0",
    "version = 99",
    'strange = 1\npage = 2\nlogo = 3\n[light]\npage = "red"\n[layout]\nwidht = 1\ncolumns = 3\nwidth = 1\n'
    '[fonts]\nserif = "<"\n[sections]\nother = "red"\n[type]\nbullet = "two"\n',
)
"""Themes with faults, in place of our own."""

_QUOTED = re.compile(r"Invalid initial .*?document\)|'utf-8' codec.*?start byte")

MARKUP = (
    "<mjml><mj-body><mj-strange /><mj-text strange='1' style='red'>x</mj-text><mj-section /></mj-body>"
    "</mjml>",
    "<mjml><mj-head><mj-font /></mj-head><mj-body><mj-section><mj-column><mj-image /><mj-raw><![CDATA[x]]>"
    "<?x ?></mj-raw></mj-column></mj-section></mj-body></mjml>",
    "<!DOCTYPE mjml><html />",
    f"<mjml>{'<mj-section>' * 120}{'</mj-section>' * 120}</mjml>",
    f"<mjml>{'<mj-section>' * 3000}</mjml>",
)
"""MJML with faults."""

FRAGMENTS = (
    "@@strange@@",
    "@@stories@@",
    (mark_begin("story", "a") + mark_end("story")) * 2,
    mark_begin("story", "a") + mark_end("section"),
    mark_end("story"),
    mark_begin("story", "a"),
)
"""Bodies whose marks are wrong."""


def catch(act: Callable[[], object]) -> str:
    with pytest.raises(TemplateError) as caught:
        act()
    return str(caught.value)


def list_theme_faults(folder: Path) -> Iterator[str]:
    email = folder / "email"
    (email / "words").mkdir(parents=True)
    for text in THEMES:
        (email / "periodical.toml").write_text(text)
        yield catch(lambda: load_theme("periodical", folder))
    yield catch(lambda: load_theme("no-such", folder))
    phrases = email / "words" / "en-GB.toml"
    for text in ("strange = 1\ncontents = 3", ""):
        phrases.write_text(text)
        yield catch(lambda: load_phrases("en-GB", folder))
    yield explain_old_version("own", 1)
    yield explain_lost_link("forum")


def list_template_faults(folder: Path) -> Iterator[str]:
    """What is said of a template or a theme that cannot be used."""
    yield from list_theme_faults(folder)
    for code in (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGSEGV, 3):
        yield f"email/own.mjml.j2: {explain_exit(code, RenderLimits())}"
    environment = make_environment(folder, markup=True)
    for text in ("{% include 'email/absent.j2' %}", "{% include 'email/own.mjml.j2' %}", "\xff"):
        (folder / "email" / "own.mjml.j2").write_bytes(text.encode("latin-1"))
        yield catch(lambda: render_template(environment, "email/own.mjml.j2"))
    for mjml in MARKUP:
        yield catch(lambda mjml=mjml: check_mjml(mjml, template="email/own.mjml.j2"))
    for marked in FRAGMENTS:
        yield catch(lambda marked=marked: parse_fragments(marked, what="email/own.mjml.j2", markup=True))


@pytest.mark.parametrize("tag", FOREIGN)
def test_what_is_wrong_with_a_template_is_said_in_every_language(tag: str, tmp_path: Path) -> None:
    translator = load_translator(tag)
    for text in chain.from_iterable(map(str.splitlines, list_template_faults(tmp_path))):
        said = translator.find_words(text)
        assert said not in {None, text}, text
        # What Python says of TOML and of bytes is theirs.
        assert find_english(_QUOTED.sub("", said or "")) == [], said


def fetch_nothing(address: str, _: int) -> RemoteFile:
    if address.endswith("/feed"):
        return RemoteFile(address=address, data=format_unkept_feed(MAX_ENTRIES + 1).encode())
    raise FetchError(gettext_noop("there was no answer in time. Try again later."))


def list_omissions(folder: Path) -> Iterator[Omission]:
    """What imports of several kinds could not keep."""
    page = folder / "page.html"
    page.write_text(UNKEPT_PAGE, encoding="utf-8")
    for document in (write_unkept_word(folder / "news.docm"), page):
        yield from import_document(document, folder / "editions", today=NOW.date()).omissions
    fed = import_feed(
        "https://example.org/feed",
        folder / "editions",
        fetch_nothing,
        since=NOW.date(),
        today=NOW.date(),
    )
    yield from fed.omissions


@pytest.fixture(scope="module")
def left_out(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("imports")
    return [*dict.fromkeys(chain.from_iterable((one.where, one.what) for one in list_omissions(folder)))]


@pytest.mark.parametrize("tag", FOREIGN)
def test_what_an_import_leaves_out_is_said_in_every_language(tag: str, left_out: list[str]) -> None:
    translator = load_translator(tag)
    assert len(left_out) > 60
    for text in left_out:
        said = translator.find_words(text)
        assert said not in {None, text}, text
        assert find_english(said or "") == [], said


@pytest.mark.parametrize("tag", FOREIGN)
def test_no_sentence_of_a_pause_or_of_a_refusal_stays_english(tag: str) -> None:
    translator = load_translator(tag)
    for text in dict.fromkeys(chain(list_pause_reasons(), list_meanings())):
        said = translator.find_words(text)
        assert said is not None, text
        assert said != text
        for word in (" the ", " is ", " was ", " were ", "The ", "You ", " rejected", " sent"):
            assert word not in said, (word, said)


FAULTY = {
    "edition.md": "---\ntitle: [One, two]\nsubject: BIG NEWS FOR ALL\npersonalise: never\nlanguage: english\n"
    "letter:\n  title: Dear friends\ncolour: blue\n---\n",
    "edition.zh.md": "---\ntitle: 新闻\n---\n",
    "stories/010-first.md": "---\ntitle: First\nsector: none\ncountries: [mn, XX]\nkind: tale\n---\n\n",
    "stories/010-second.md": "---\ntitle: Second\nimage:\n  file: none.jpg\n  alt: IMG_1234.jpg\n---\n\n"
    "See [here](http://bit.ly/x) and [^note] and :smile: and {{ name }}.\n\n- [ ] Task\n",
    "stories/020-third.mn.md": "---\ntitle: Гурав\n---\n\nБичвэр.\n",
    "stories/050-sixth.md": "---\ntitle: Sixth\n---\n\n# Top\n\n#### Deep\n\n##\n\n"
    "![x](x.png) <b>bold</b> [](https://e.org/) [a](page) [b](ftp://e.org/) [c](mailto:x) [d](https://a@e.org/)\n"
    "[e](http://192.0.2.1/) [f](https://intranet/) [g](https://..)\n\n> > > > > > > Deep\n\n\u202e\n\n"
    "|" + "Unbreakablewordswithoutend|" * 12 + "\n" + "|---" * 12 + "|\n" + "|x" * 12 + "|\n",
    "stories/060-seventh.md": "---\ntitle: Seventh\n---\n\n### Skipped\n\n" + "Long " * 50_000,
    "stories/030-fourth.md": '---\ntitle: "Fourth\n---\n\nText.\n',
    "stories/040-fifth.md": "No front matter.\n",
    "stories/Other file.md": "---\ntitle: Other\n---\n",
    "notes.txt": "Not part of it.\n",
}
"""The files of an edition with many faults."""

QUERIES = (
    *("secto:education", "country:", "country:Mongolia", "(country:MN", "country:MN)", "sector:a,"),
    *(
        "language:english",
        "status:activ",
        '"ministry',
        "all country:MN",
        "joined:2024-13",
        "joined:2024..2023",
    ),
    *("or country:MN", "()", "ministry", "segment:nothing", "consent:", "got:2020-1", "-", "a:b:c (x"),
)


def list_edition_problems(folder: Path) -> Iterator[str]:
    for name, text in FAULTY.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    inspection = inspect_edition(folder, sectors={"education": "Education"})
    yield from (problem.message for problem in inspection.problems)


def list_query_problems() -> Iterator[str]:
    for query in QUERIES:
        with pytest.raises(SegmentError) as caught:
            parse_segment(query)
        yield caught.value.reason


@pytest.mark.parametrize("tag", FOREIGN)
def test_no_problem_of_an_edition_or_of_a_query_stays_english(tag: str, tmp_path: Path) -> None:
    translator = load_translator(tag)
    problems = dict.fromkeys([*list_edition_problems(tmp_path / "2021-2"), *list_query_problems()])
    assert len(problems) > 30
    for text in problems:
        said = translator.find_words(text)
        assert said is not None, text
        assert said != text
        for word in (" the ", " is ", " was ", "The ", "Write ", "Add ", "Choose "):
            assert word not in said, (word, said)


def test_a_servers_own_words_are_no_sentence_of_ours() -> None:
    french = load_translator("fr")
    assert french.find_words("550 5.1.1 user unknown") is None
    assert french.say_again("550 5.1.1 user unknown\nThe mailbox is disabled.") == (
        "550 5.1.1 user unknown\nLa boîte est désactivée."
    )
    assert load_translator("en").find_words("550 5.1.1 user unknown") == "550 5.1.1 user unknown"
