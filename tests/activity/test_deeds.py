"""Each act is put into words in one place, for pages, commands and whoever else asks for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mailer
from mailer.activity import deeds
from mailer.activity.acts import Act

HOUSE = Path(mailer.__file__).parent
ROOM = HOUSE / "activity"


def list_acts(node: ast.AST) -> Iterator[str]:
    """The acts that code names, as ``Act.paused_campaign``."""
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "Act":
            yield one.attr


def list_own_words(source: str) -> list[str]:
    """What a module says of an act by itself: an act that it names, or a deed or a row that it makes up."""
    tree = ast.parse(source)
    made = [
        one.func.id
        for one in ast.walk(tree)
        if isinstance(one, ast.Call)
        and isinstance(one.func, ast.Name)
        and one.func.id in {"Deed", "ActivityRecord"}
    ]
    return [*list_acts(tree), *made]


def list_functions() -> Iterator[ast.FunctionDef]:
    for one in ast.parse((ROOM / "deeds.py").read_text()).body:
        if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
            yield one


def list_modules() -> Iterator[Path]:
    return (path for path in sorted(HOUSE.rglob("*.py")) if ROOM not in path.parents)


def test_every_act_has_one_function_of_its_name_and_no_other_names_it() -> None:
    found = {one.name: list(list_acts(one)) for one in list_functions()}
    assert sorted(found) == sorted(act.value for act in Act)
    assert {name: acts for name, acts in found.items() if acts != [name]} == {}


def test_nothing_outside_the_room_says_an_act_in_words_of_its_own() -> None:
    said = {str(path.relative_to(HOUSE)): list_own_words(path.read_text()) for path in list_modules()}
    assert {path: words for path, words in said.items() if words} == {}, (
        "Say what was done by a function of mailer/activity/deeds.py"
    )


@pytest.mark.parametrize(
    "fault",
    [
        "page.record(session, Act.paused_campaign, subject='7')",
        "page.record(session, Deed(act=act, subject='7'))",
        "session.add(ActivityRecord(act='paused_campaign'))",
        "acts = {'pause': Act.paused_campaign}",
    ],
)
def test_a_face_that_writes_its_own_is_found(fault: str) -> None:
    assert list_own_words(fault)
    assert not list_own_words("page.record(session, deeds.paused_campaign(edition, 7)); words = Act(row.act)")


def test_every_act_is_somebody_s() -> None:
    house = "\n".join(path.read_text() for path in list_modules())
    assert [act.value for act in Act if f"deeds.{act.value}" not in house] == []


def test_of_a_feed_the_host_alone_is_kept() -> None:
    address = "https://mei:secret@feeds.example.org/all?token=secret"
    assert deeds.imported_edition("2026-3", feed=address).subject == "feeds.example.org"
    assert deeds.imported_edition("2026-3", feed="http://[x").subject == ""
