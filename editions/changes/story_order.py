"""The order of an edition's stories: the numbers of their files, renamed so that a kill loses none."""

import errno
import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from editions.errors import StoryOrderError
from editions.source.folder import STORIES_FOLDER
from locales.phrase import gettext_noop

JOURNAL = ".moves.json"
"""The file in an edition's folder that says which renames have begun."""

_MAX_JOURNAL_BYTES = 1_000_000
MAX_STORIES = 999
_STEP = 10
_STORY_FILE = re.compile(
    r"(?P<number>\d{3})-(?P<slug>[a-z0-9]+(?:-[a-z0-9]+)*)(?P<language>\.[^.]+)?\.md", re.ASCII
)


class FileMove(NamedTuple):
    """A file gets another name; both are relative to the edition's folder."""

    old: str
    new: str


def apply_moves(folder: Path, moves: Sequence[FileMove]) -> None:
    """Rename files of the edition in ``folder``, one after the other, under a lock of the edition and after
    :func:`finish_moves`. No file is ever overwritten. Raise FileExistsError if there is a file at one of the
    new names, and OSError if a file cannot be renamed; nothing is renamed then."""
    if len(moves) > 1:
        _write_journal(folder, moves)
    done: list[FileMove] = []
    try:
        for move in moves:
            _rename(folder, move)
            done.append(move)
    except OSError:
        for move in reversed(done):
            _rename(folder, FileMove(old=move.new, new=move.old))
        raise
    finally:
        (folder / JOURNAL).unlink(missing_ok=True)
    for parent in {(folder / move.new).parent for move in moves}:
        _sync_folder(parent)


def finish_moves(folder: Path) -> bool:
    """Finish renames that a kill has interrupted, and return whether there were any. A name that does not lie
    in the edition is left alone, as is a file that is missing or in the way."""
    journal = folder / JOURNAL
    try:
        with journal.open("rb") as file:
            moves = _parse_journal(file.read(_MAX_JOURNAL_BYTES))
    except FileNotFoundError:
        return False
    for move in moves:
        if os.path.lexists(folder / move.old) and not os.path.lexists(folder / move.new):
            _rename(folder, move)
    journal.unlink(missing_ok=True)
    return True


def _rename(folder: Path, move: FileMove) -> None:
    if os.path.lexists(folder / move.new):
        raise FileExistsError(errno.EEXIST, f"there is a file {move.new} already", str(folder / move.new))
    (folder / move.old).rename(folder / move.new)


def _write_journal(folder: Path, moves: Sequence[FileMove]) -> None:
    data = json.dumps([list(move) for move in moves]).encode()
    descriptor, name = tempfile.mkstemp(prefix=f"{JOURNAL}.", dir=folder)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / JOURNAL)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse_journal(data: bytes) -> list[FileMove]:
    try:
        pairs = json.loads(data)
        moves = [FileMove(old=old, new=new) for old, new in pairs]
    except (ValueError, TypeError):
        return []
    return [move for move in moves if _is_inside(move.old) and _is_inside(move.new)]


def _is_inside(name: object) -> bool:
    return (
        isinstance(name, str)
        and not name.startswith("/")
        and ".." not in name.split("/")
        and "\0" not in name
    )


@dataclass(frozen=True, kw_only=True)
class NumberedStory:
    """A story and the names of its files in ``stories/``, its original first."""

    number: int
    slug: str
    files: tuple[str, ...]


def list_numbered_stories(folder: Path) -> tuple[NumberedStory, ...]:
    """Return the stories of the edition in ``folder``, in their order; those without an original are no
    stories. Raise OSError if its stories cannot be listed."""
    try:
        names = sorted(path.name for path in (folder / STORIES_FOLDER).iterdir())
    except FileNotFoundError:
        return ()
    originals: dict[tuple[str, str], list[str]] = {}
    translations: dict[tuple[str, str], list[str]] = {}
    for found in filter(None, map(_STORY_FILE.fullmatch, names)):
        place = translations if found["language"] else originals
        place.setdefault((found["number"], found["slug"]), []).append(found.group())
    return tuple(
        NumberedStory(number=int(number), slug=slug, files=(*files, *translations.get((number, slug), ())))
        for (number, slug), files in sorted(originals.items())
    )


def plan_story_move(stories: Sequence[NumberedStory], slug: str, *, before: str = "") -> tuple[FileMove, ...]:
    """Return the renames that put the story ``slug`` directly before the story ``before``, or at the end;
    none if it is there already. After each of them, the stories are in the old or the new order. Raise
    StoryOrderError if there is no such story, two have the same slug, or there is no number left."""
    _check_slugs(stories)
    moved = _find_story(stories, slug)
    others = [story for story in stories if story is not moved]
    place = others.index(_find_story(others, before)) if before else len(others)
    low, high = _neighbours(others, place)
    if place == list(stories).index(moved) and low < moved.number < high:
        return ()
    number = _find_free_number(others, place)
    if number is not None:
        return _renumber_story(moved, moved.number, number)
    numbers = _renumber(stories, others[place] if place < len(others) else None)
    hole = numbers.pop()
    return (
        *_order_safely(stories, numbers),
        *_renumber_story(moved, numbers[list(stories).index(moved)], hole),
    )


def plan_new_story(stories: Sequence[NumberedStory], slug: str) -> tuple[str, tuple[FileMove, ...]]:
    """Return the name of the file of a new story at the end, and the renames that make room for it. Raise
    StoryOrderError if there is a story with this slug, or there are too many."""
    if any(story.slug == slug for story in stories):
        raise StoryOrderError(
            slug, "taken-slug", gettext_noop("there is a story with the name %(slug)s already."), slug=slug
        )
    number = _find_free_number(stories, len(stories))
    if number is not None:
        return f"{STORIES_FOLDER}/{number:03d}-{slug}.md", ()
    _check_slugs(stories)
    numbers = _renumber(stories, None)
    hole = numbers.pop()
    return f"{STORIES_FOLDER}/{hole:03d}-{slug}.md", _order_safely(stories, numbers)


def _find_story(stories: Sequence[NumberedStory], slug: str) -> NumberedStory:
    found = next((story for story in stories if story.slug == slug), None)
    if found is None:
        raise StoryOrderError(
            slug, "no-story", gettext_noop("there is no story %(slug)s in this edition any more."), slug=slug
        )
    return found


def _check_slugs(stories: Sequence[NumberedStory]) -> None:
    """Two files with one slug could be renamed onto each other."""
    seen: set[str] = set()
    for story in stories:
        if story.slug in seen:
            raise StoryOrderError(
                story.slug,
                "duplicate-slug",
                gettext_noop("two stories have the name %(slug)s. Rename the file of one of them first."),
                slug=story.slug,
            )
        seen.add(story.slug)


def _neighbours(others: Sequence[NumberedStory], place: int) -> tuple[int, int]:
    low = others[place - 1].number if place else 0
    high = others[place].number if place < len(others) else MAX_STORIES + 1
    return low, high


def _find_free_number(others: Sequence[NumberedStory], place: int) -> int | None:
    """Return a number between the neighbours of ``place``: at the end the next ten, else the roundest."""
    low, high = _neighbours(others, place)
    following = (low // _STEP + 1) * _STEP
    if place == len(others) and following < high:
        return following
    for step in (_STEP, 5, 1):
        fitting = [number for number in range(low + 1, high) if number % step == 0]
        if fitting:
            return min(fitting, key=lambda number: abs(2 * number - low - high))
    return None


def _renumber(stories: Sequence[NumberedStory], before: NumberedStory | None) -> list[int]:
    """Return new numbers for ``stories``, and last the one kept free before ``before`` or at the end."""
    if len(stories) >= MAX_STORIES:
        raise StoryOrderError(
            stories[-1].slug,
            "too-many-stories",
            gettext_noop("an edition has room for %(most)s stories. Make another edition."),
            most=MAX_STORIES,
        )
    step = min(_STEP, MAX_STORIES // (len(stories) + 1))
    place = len(stories) if before is None else list(stories).index(before)
    slots = [number * step for number in range(1, len(stories) + 2)]
    return [*slots[:place], *slots[place + 1 :], slots[place]]


def _order_safely(stories: Sequence[NumberedStory], numbers: Sequence[int]) -> tuple[FileMove, ...]:
    """Return renames, after each of which ``stories`` are in order: first the last of those that go up."""
    pairs = list(zip(stories, numbers, strict=True))
    up = [pair for pair in reversed(pairs) if pair[0].number < pair[1]]
    down = [pair for pair in pairs if pair[0].number > pair[1]]
    return tuple(
        move for story, number in (*up, *down) for move in _renumber_story(story, story.number, number)
    )


def _renumber_story(story: NumberedStory, old: int, new: int) -> tuple[FileMove, ...]:
    """Return renames of a story's files from the number ``old``, the original first."""
    moves = []
    for name in story.files:
        end = name[len("000") :]
        moves.append(FileMove(old=f"{STORIES_FOLDER}/{old:03d}{end}", new=f"{STORIES_FOLDER}/{new:03d}{end}"))
    return tuple(moves)
