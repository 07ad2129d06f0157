"""What we write about settings is what the program takes: starting file, the page's examples, its tables."""

import re
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mailer.errors import ConfigurationError
from mailer.settings import Settings, load_settings
from mailer.workspace_init import Founder, format_settings
from tests.paths import ROOT

FOUNDER = Founder(
    name="N", address="n@example.org", organisation="O", postal_address="1 Street", sectors="Education"
)
STARTING_FILES = [
    format_settings(None, sample=True),
    format_settings(FOUNDER, sample=True),
    format_settings(FOUNDER, sample=False),
]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SENDER = '[sender]\nname = "N"\naddress = "n@example.org"\norganisation = "O"\npostal_address = "1 Street"\n'


def load_text(folder: Path, text: str) -> Settings:
    (folder / "mailer.toml").write_text(text, encoding="utf-8")
    return load_settings(folder, {})


@pytest.mark.parametrize("starting_file", STARTING_FILES)
def test_the_starting_file_is_taken_as_it_is(tmp_path: Path, starting_file: str) -> None:
    load_text(tmp_path, starting_file)


@pytest.mark.parametrize("starting_file", STARTING_FILES)
def test_whatever_the_starting_file_has_in_comments_is_taken_too(tmp_path: Path, starting_file: str) -> None:
    text = re.sub(r"^# (?=[A-Za-z_]+ = |\[)", "", starting_file, flags=re.MULTILINE)
    settings = load_text(tmp_path, text)
    assert settings.sector_names == {"fr": {"education": "Éducation"}}
    assert (settings.smtp.rate, settings.campaigns.window) == (14, "08:00-18:00")
    assert settings.feedback.bounce_address == "bounce@news.example.org"


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_page_is_taken(tmp_path: Path, example: str) -> None:
    settings = load_text(tmp_path, f"{SENDER}\n{example}")
    for section in tomllib.loads(example):
        assert getattr(settings, section) != getattr(load_text(tmp_path, SENDER), section)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("section", Settings.model_fields)
def test_every_section_has_its_place_on_the_page(section: str) -> None:
    assert f"\n## [{section}]\n" in PAGE


def test_relays_in_the_file_are_read_with_their_own_tables(tmp_path: Path) -> None:
    relay = '[[smtp.relays]]\nname = "new"\nurl = "smtp://x"\n[smtp.relays.warm_up]\nsince = 2026-03-02\n'
    (only,) = load_text(tmp_path, f"{SENDER}\n{relay}").smtp.relays
    assert only.warm_up is not None
    assert only.warm_up.since == date(2026, 3, 2)


@pytest.mark.parametrize("tag", ["French", "EN", "zh-hans", "zh_Hans"])
def test_the_sender_s_language_is_a_tag(tmp_path: Path, tag: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sender\.language: .*is not a language code"):
        load_text(tmp_path, f'{SENDER}language = "{tag}"\n')
    assert load_text(tmp_path, f'{SENDER}language = "zh-Hans"\n').sender.language == "zh-Hans"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('bounce_address = "newsletter-bounces@example.org"', "Choose at most 13 characters, such as bounce"),
        ('leave_address = "ünsubscribe@example.org"', "leave_address: .* is not a plain address"),
        ('bounce_address = "Bounces <b@example.org>"', "bounce_address: .* is not a plain address"),
        (f'bounce_address = "b@{"x" * 200}.example.org"', "Choose a shorter domain"),
        ('bounce_address = "b@example.org"\nleave_address = "B@example.org"', "are the same"),
        ('imap = "imaps://mail.example.org/INBOX"', "is not a mailbox"),
        ('imap = "imaps://me:secret@mail.example.org/INBOX"', "password_file"),
        ('imap = "imap://me@mail.example.org/INBOX"', "Write imaps://"),
        ('lmtp = "mail.example.org"', "is not a place to listen on"),
    ],
)
def test_what_cannot_come_back_is_refused(tmp_path: Path, lines: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        load_text(tmp_path, f"{SENDER}[feedback]\n{lines}\n")


def test_the_longest_address_of_bounces_still_fits(tmp_path: Path) -> None:
    load_text(tmp_path, f'{SENDER}[feedback]\nbounce_address = "{"b" * 13}@example.org"\n')


# --- the tables that scripts/generated_docs.py writes


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, list[str]]]:
    """Heading → key → the other cells of its row."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    generated_docs: Any = __import__("generated_docs")
    found: dict[str, dict[str, list[str]]] = {}
    for section in re.split(r"^## ", generated_docs.describe_settings(), flags=re.MULTILINE)[1:]:
        rows = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in section.splitlines() if line[:2] == "| "]
        found[section.split("\n", 1)[0]] = {key.strip("`"): cells for key, *cells in rows[1:]}
    sys.modules.pop("generated_docs", None)
    return found


def test_tables_inside_tables_are_described_as_one_writes_them(
    tables: dict[str, dict[str, list[str]]],
) -> None:
    assert {"[smtp]", "[smtp.warm_up]", "[[smtp.relays]]"} <= tables.keys()
    assert {"since", "first_day", "growth"} == tables["[smtp.warm_up]"].keys()
    assert tables["[smtp]"]["relays"][0] == "tables"


def test_only_what_a_variable_can_hold_has_one(tables: dict[str, dict[str, list[str]]]) -> None:
    variables = {f"{table} {key}": cells[-1] for table, keys in tables.items() for key, cells in keys.items()}
    assert variables["[smtp] rate"] == "`MAILER_SMTP__RATE`"
    for key in ("[smtp] relays", "[smtp] warm_up", "[smtp.warm_up] since", "[[smtp.relays]] url"):
        assert variables[key] == "–"
    assert variables["[campaigns] window_days"] == "–"


def test_every_variable_the_page_names_is_taken(
    tmp_path: Path, tables: dict[str, dict[str, list[str]]]
) -> None:
    (tmp_path / "mailer.toml").write_text(SENDER, encoding="utf-8")
    values = {"whole number": "3", "number": "0.5", "true or false": "false", "path": "file"}
    special = {
        "MAILER_RETENTION__CLICK_HOURS": "48",
        "MAILER_SENDER__ADDRESS": "a@b.example",
        "MAILER_SENDER__LANGUAGE": "fr",
        "MAILER_WEB__BASE_URL": "https://x.example",
        "MAILER_WEB__ACCESSIBILITY_CONTACT": "access@x.example",
        "MAILER_WEB__METRICS": "127.0.0.1:9464",
        "MAILER_WEB__SIGN_UP": "reviewed",
        "MAILER_CAMPAIGNS__WINDOW": "08:00-18:00",
        "MAILER_STUDIO__TIME_ZONE": "Asia/Shanghai",
        "MAILER_DNS__RESOLVER": "192.0.2.53:53",
        "MAILER_FEEDBACK__BOUNCE_ADDRESS": "bounce@x.example",
        "MAILER_FEEDBACK__LEAVE_ADDRESS": "leave@x.example",
        "MAILER_FEEDBACK__COMPLAINT_ADDRESS": "complaints@x.example",
        "MAILER_FEEDBACK__IMAP": "imaps://me@x.example/INBOX",
        "MAILER_FEEDBACK__LMTP": "127.0.0.1:2424",
    }
    for keys in tables.values():
        for kind, *_, cell in keys.values():
            variable = cell.strip("`")
            if variable != "–":
                first = kind.split(", ")[0].strip("`")
                value = special.get(variable) or values.get(kind) or (first if "`" in kind else "some text")
                load_settings(tmp_path, {variable: value})


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ('trusted_proxies = ["proxy"]', "web.trusted_proxies: 'proxy' is not an address or a network"),
        ('trusted_proxies = ["0.0.0.0/0"]', "Name your proxies only"),
        ('metrics = "9464"', "web.metrics: '9464' is not a place to listen on"),
        ('metrics = "::1:9464"', "is not a place to listen on"),
        ('metrics = "localhost:0"', "is not a place to listen on"),
        ('metrics = "localhost:99999"', "is not a place to listen on"),
    ],
)
def test_an_address_of_web_that_cannot_be_meant_is_named(tmp_path: Path, line: str, advice: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_text(tmp_path, f"{SENDER}[web]\n{line}\n")
    assert advice in str(refused.value)


def test_proxies_and_metrics_are_read_from_the_file_and_the_environment(tmp_path: Path) -> None:
    web = load_text(
        tmp_path, f'{SENDER}[web]\ntrusted_proxies = ["10.0.0.0/8"]\nmetrics = "[::1]:9464"\n'
    ).web
    assert (web.trusted_proxies, web.metrics) == (("10.0.0.0/8",), "[::1]:9464")
    assert load_text(tmp_path, SENDER).web.trusted_proxies == ("127.0.0.1", "::1")
    assert load_settings(tmp_path, {"MAILER_WEB__METRICS": "./m.sock"}).web.metrics == "./m.sock"


SECTORS = '[sectors]\nwater = "Water"\nfood = "Food"\n'


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ('[sector_names.french]\nwater = "Eau"\n', "sector_names.french: 'french' is not a language code"),
        ('[sector_names.fr]\nwatr = "Eau"\n', "sector_names.fr.watr: there is no such sector"),
    ],
)
def test_a_name_in_no_language_or_of_no_sector_is_refused(tmp_path: Path, names: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        load_text(tmp_path, f"{SENDER}{SECTORS}{names}")


def test_a_sector_has_its_name_in_a_language_and_its_varieties(tmp_path: Path) -> None:
    names = '[sector_names.zh-Hans]\nwater = "水"\n[sector_names.pt]\nwater = "Água"\n'
    settings = load_text(tmp_path, f"{SENDER}{SECTORS}{names}")
    found = {
        tag: settings.find_sector_name("water", tag) for tag in ("zh-Hans", "zh", "zh-Hant", "pt-BR", "fr")
    }
    assert found == {"zh-Hans": "水", "zh": "水", "zh-Hant": "水", "pt-BR": "Água", "fr": None}
    assert settings.find_sector_name("food", "zh-Hans") is None
