"""docs/architecture.md is true: it holds every room, and every step of its ways exists."""

import importlib
import importlib.util
import inspect
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.paths import ROOT

DOCUMENT = ROOT / "docs" / "architecture.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
PAGES = (
    DOCUMENT,
    *(ROOT / "docs" / name for name in ("formats.md", "states.md")),
    *(ROOT / "docs").glob("decisions/*.md"),
)
ALL_TEXT = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
"""The page, and what it sends on to."""
WAYS = tuple(
    f"The way of {what}" for what in ("an edition", "a delivery", "an import", "a story", "an unsubscribe")
)
MOST_STEPS = 8
_TREE_LINE = re.compile(r"^(?P<indent> *)(?P<name>\w+(?:/|\.py)) +(?P<sentence>\S.*)$")
_STEP = re.compile(r"^\d+\. (?P<words>.*)$", re.MULTILINE)


def list_distribution() -> tuple[str, ...]:
    """The top-level packages that the wheel holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return tuple(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def list_rooms() -> set[str]:
    """The top-level packages, and the packages and modules of ``mailer``."""
    modules = {path for path in (ROOT / "mailer").glob("*.py") if not path.name.startswith("__")}
    packages = {f"mailer/{path.parent.name}/" for path in (ROOT / "mailer").glob("*/__init__.py")}
    return (
        {f"{package}/" for package in list_distribution()}
        | packages
        | {path.relative_to(ROOT).as_posix() for path in modules}
    )


def read_section(text: str, heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/architecture.md has no section {heading!r}"
    return found[1]


# --- the tree -----------------------------------------------------------------------------------------------


def read_tree(text: str) -> dict[str, str]:
    """The sentence of each path in the tree; a folder's path ends with a slash."""
    block = re.search(r"^```text\n(.*?)^```", read_section(text, "The rooms"), re.MULTILINE | re.DOTALL)
    assert block, "the section has no tree"
    above: list[str] = []
    sentences: dict[str, str] = {}
    for line in block[1].splitlines():
        found = _TREE_LINE.match(line)
        assert found, f"not a path and a sentence: {line!r}"
        depth = len(found["indent"]) // 2
        above = [*above[:depth], found["name"]]
        assert len(above) == depth + 1, f"too far to the right: {line!r}"
        sentences["".join(above)] = found["sentence"]
    return sentences


def find_tree_faults(text: str) -> Iterator[str]:
    tree = read_tree(text)
    for path in sorted(list_rooms() - tree.keys()):
        yield f"{path} has no line in the tree"
    for path, sentence in tree.items():
        if not ((ROOT / path / "__init__.py").is_file() if path.endswith("/") else (ROOT / path).is_file()):
            yield f"{path} is in the tree, and there is no such package or module"
        if not sentence.endswith((".", ".)")):
            yield f"{path}: {sentence!r} is not a sentence"


def test_the_tree_has_a_line_for_each_room_and_for_nothing_else() -> None:
    assert list(find_tree_faults(TEXT)) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (r"^  selfservice/.*\n", "", "mailer/selfservice/ has no line in the tree"),
        (r"^subscribers/.*\n", "", "subscribers/ has no line in the tree"),
        (r"^  errors\.py .*\n", "", "mailer/errors.py has no line in the tree"),
        (
            r"^subscribers/ ",
            "subscriber/ ",
            "subscriber/ is in the tree, and there is no such package or module",
        ),
        (
            r"^  keys\.py ",
            "  key.py ",
            "mailer/key.py is in the tree, and there is no such package or module",
        ),
        (r"^  smtp/( +).*$", r"  smtp/\1An SMTP client", "mailer/smtp/: 'An SMTP client' is not a sentence"),
    ],
)
def test_a_fault_planted_in_the_tree_is_found(old: str, new: str, complaint: str) -> None:
    changed, count = re.subn(old, new, TEXT, count=1, flags=re.MULTILINE)
    assert count == 1
    assert complaint in list(find_tree_faults(changed))


# --- the ways -----------------------------------------------------------------------------------------------


def read_steps(text: str, way: str) -> list[str]:
    """The steps of a way, without their numbers."""
    return [found["words"] for found in _STEP.finditer(read_section(text, way))]


def find_names(words: str) -> list[str]:
    """The names below one of our packages that stand in backticks; ``mailer.toml`` is a file."""
    tops = "|".join(list_distribution())
    return re.findall(rf"`((?:{tops})(?:\.\w+)+)(?<!\.toml)`", words)


def find_object(name: str) -> object | None:
    """The module, class or function that a dotted name leads to; None if there is none."""
    words = name.split(".")
    found: object = importlib.import_module(words[0])
    for end, word in enumerate(words[1:], start=2):
        if not hasattr(found, word):
            module = ".".join(words[:end])
            if not hasattr(found, "__path__") or importlib.util.find_spec(module) is None:
                return None
            importlib.import_module(module)
        found = getattr(found, word)
    return found


def find_way_faults(text: str) -> Iterator[str]:
    for way in WAYS:
        steps = read_steps(text, way)
        if not 1 <= len(steps) <= MOST_STEPS:
            yield f"{way} has {len(steps)} steps, and must have 1 to {MOST_STEPS}"
        for number, words in enumerate(steps, start=1):
            named = find_names(words)
            if not named or not words.startswith(f"`{named[0]}` "):
                yield f"{way}, step {number}: does not begin with a function: {words!r}"
            elif (found := find_object(named[0])) is None:
                yield f"{way}, step {number}: there is no {named[0]}"
            elif not inspect.isroutine(found):
                yield f"{way}, step {number}: {named[0]} is not a function"


def test_every_step_of_the_ways_is_a_function_that_exists() -> None:
    assert list(find_way_faults(TEXT)) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "`editions.reader.inspect_edition`",
            "`editions.reader.inspekt_edition`",
            "The way of an edition, step 2: there is no editions.reader.inspekt_edition",
        ),
        (
            "`mailer.list_imports.checked_file.check_file`",
            "`mailer.list_imports.known_file.check_file`",
            "The way of an import, step 3: there is no mailer.list_imports.known_file.check_file",
        ),
        (
            "`mailer.revisions.history.record_sitting`",
            "`mailer.revisions.history`",
            "The way of a story, step 8: mailer.revisions.history is not a function",
        ),
        (
            "`subscribers.tokens.TokenSigner.read`",
            "`subscribers.tokens.TokenSigner.red`",
            "The way of an unsubscribe, step 3: there is no subscribers.tokens.TokenSigner.red",
        ),
        (
            "`mailer.rendering.message.MessageBuilder.build`",
            "`mailer.rendering.messages.MessageBuilder.build`",
            "The way of a delivery, step 4: there is no mailer.rendering.messages.MessageBuilder.build",
        ),
        (
            "`mailer.rendering.message.MessageBuilder.build`",
            "`mailer.rendering.message.MessageBuilder`",
            "The way of a delivery, step 4: mailer.rendering.message.MessageBuilder is not a function",
        ),
        (
            "\n\n**A connection pulls its work.**",
            "\n9. `mailer.cli.main` prints the report.\n\n**A connection pulls its work.**",
            "The way of a delivery has 9 steps, and must have 1 to 8",
        ),
        (
            "3. `subscribers.tokens.TokenSigner.read` verifies",
            "3. The signer verifies",
            "The way of an unsubscribe, step 3: does not begin with a function: "
            "'The signer verifies the token of the link.'",
        ),
    ],
)
def test_a_fault_planted_in_a_way_is_found(old: str, new: str, complaint: str) -> None:
    assert TEXT.count(old) == 1
    assert complaint in list(find_way_faults(TEXT.replace(old, new)))


# --- names and figures elsewhere ----------------------------------------------------------------------------


def find_missing_names(text: str) -> list[str]:
    return [name for name in dict.fromkeys(find_names(text)) if find_object(name) is None]


def test_every_module_the_pages_name_exists() -> None:
    assert len(find_names(ALL_TEXT)) > MOST_STEPS * len(WAYS)
    assert find_missing_names(ALL_TEXT) == []
    assert find_missing_names("see `mailer.keys.gone` and `mailer.keys`") == ["mailer.keys.gone"]


def test_every_test_the_pages_name_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", ALL_TEXT)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
