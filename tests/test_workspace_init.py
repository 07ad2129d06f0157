"""Founding a workspace: what is asked, what may be answered, and what mailer.toml then says."""

import os
import pty
import re
import select
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from editions.source.folder import is_slug
from mailer.cli import mailer
from mailer.errors import MailerError
from mailer.settings import load_settings
from mailer.workspace_init import Founder, create_workspace, name_sectors

ANSWERS = {
    "name": "Bureau “Nord” & Fils",
    "address": "lettre@nord.example.org",
    "organisation": 'The "Nord" \\ Bureau',
    "postal_address": "1 rue du Nord, 59000 Lille",
}


def test_the_answers_stand_in_the_settings_and_nothing_of_the_example_does(
    tmp_path: Path, now: datetime
) -> None:
    founder = Founder(**ANSWERS, sectors="Éducation, Sciences naturelles; 教育, Office")
    root = create_workspace(tmp_path / "W", sample=False, now=now, founder=founder).root
    settings = load_settings(root, environ={})
    assert settings.sender.model_dump(include=set(ANSWERS)) == ANSWERS
    assert settings.sender.list_id == "newsletter.nord.example.org"
    assert settings.sectors == {
        "education": "Éducation",
        "sciences-naturelles": "Sciences naturelles",
        "jiao-yu": "教育",
        "office-sector": "Office",
    }
    assert "UNESCO" not in (root / "mailer.toml").read_text(encoding="utf-8")


def test_the_sample_keeps_its_sectors_beside_the_founders_own(tmp_path: Path, now: datetime) -> None:
    founder = Founder(**ANSWERS, sectors="Water")
    created = create_workspace(tmp_path / "W", sample=True, now=now, founder=founder)
    settings = load_settings(created.root, environ={})
    assert created.partners == 60
    assert (settings.sender.name, list(settings.sectors)[-1]) == (ANSWERS["name"], "water")
    assert {"education", "culture", "water"} < set(settings.sectors)


def test_an_edition_can_be_begun_at_once(tmp_path: Path, now: datetime) -> None:
    created = create_workspace(
        tmp_path / "W", sample=False, now=now, founder=Founder(**ANSWERS), edition="2026-1"
    )
    assert created.editions == ("2026-1",)
    title = (created.root / "editions" / "2026-1" / "edition.md").read_text(encoding="utf-8")
    assert "Bureau" in title


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"name": " "}, "who writes"),
        ({"organisation": "—"}, "who writes"),
        ({"name": "a\x07b"}, "control character"),
        ({"address": "lettre"}, "not an address"),
        ({"address": "lettre@localhost"}, "not an address"),
        ({"postal_address": "?"}, "full postal address"),
        ({"sectors": "Culture, culture!"}, "too similar"),
        ({"sectors": "x" * 101}, "101 characters"),
    ],
)
def test_an_answer_that_cannot_be_used_says_why(answer: dict[str, str], complaint: str) -> None:
    with pytest.raises(MailerError, match=re.escape(complaint)):
        Founder(**{**ANSWERS, **answer})


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_whatever_the_sectors_are_called_their_ids_can_be_used(text: str) -> None:
    try:
        sectors = name_sectors(text)
    except MailerError:
        return
    assert all(is_slug(slug) and name.strip() == name != "" for slug, name in sectors.items())
    assert not sectors.keys() & {"feature", "centres-and-chairs", "campaigns", "office", "other"}


def test_a_script_that_leaves_out_an_answer_is_told_which_option_to_add(tmp_path: Path) -> None:
    result = CliRunner().invoke(mailer, ["init", str(tmp_path / "W"), "--name", "Nord"])
    assert result.exit_code == 2
    assert "--organisation, --address, --postal-address" in result.stderr
    assert list(tmp_path.iterdir()) == []


def answer_on_a_terminal(folder: Path, answers: str, *options: str) -> str:
    """Type ``answers`` to `mailer init`; return everything it shows."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "mailer", "init", str(folder), *options]
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=child)
    os.close(child)
    os.write(parent, answers.encode())
    shown = b""
    while select.select([parent], [], [], 60)[0]:
        try:
            shown += os.read(parent, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
    os.close(parent)
    assert process.wait(60) == 0, shown.decode()
    return shown.decode()


def test_a_person_is_asked_and_asked_again_after_an_answer_that_cannot_be_used(tmp_path: Path) -> None:
    typed = "Bureau Nord\n\nlettre\nlettre@nord.example.org\n1 rue du Nord, Lille\nÉducation, Culture\n"
    shown = answer_on_a_terminal(tmp_path / "W", typed)
    settings = load_settings(tmp_path / "W", environ={})
    assert (settings.sender.name, settings.sender.organisation) == ("Bureau Nord", "Bureau Nord")
    assert settings.sender.address == "lettre@nord.example.org"
    assert dict(settings.sectors) == {"education": "Éducation", "culture": "Culture"}
    assert '"lettre" is not an address' in shown


def test_a_person_is_asked_only_what_the_options_leave_open(tmp_path: Path) -> None:
    options = ("--organisation", "Nord", "--name", "Nord", "--address", "a@nord.example.org", "--sectors", "")
    shown = answer_on_a_terminal(tmp_path / "W", "1 rue du Nord, Lille\n", *options)
    assert "postal address" in shown
    assert "The sender's name" not in shown
    assert load_settings(tmp_path / "W", environ={}).sectors == {}
