"""Whose turn it is: what takes minutes runs when its room has changed, and otherwise every fourth time.

Git says both; nobody has to move a number. Of what is listed below, `.ci/run` takes

- a quarter, which the number of commits chooses;
- what belongs to a room that was changed lately: in the four hours before the last commit, or by the last
  four commits if these are older;
- but half of the list at most: after a day that has changed nearly everything, only the quarters that are
  even or odd like the number of commits. What was changed in the four hours before those is therefore due
  again, if its quarter is such a one.

It takes everything if git cannot tell what has changed. `make release-check` always takes everything. The
tests that are not listed run every time.

In the same way, a test that runs on both databases runs on SQLite every time, and on PostgreSQL in its
turn: a quarter of each folder, and the whole folder when its room has changed. What sends, stores, imports
or waits for a lock runs on both every time.
"""

import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
QUARTERS: Final = 4
_LATELY: Final = 4 * 60 * 60
"""How many seconds before the last commit a change is recent: about as long as one works until one pushes."""
_AT_LEAST: Final = 4
"""How many commits are recent however old they are."""

Rooms = tuple[str, ...]

_EVERYWHERE: Final = ("tests/servers", "uv.lock")
"""What has a part in every test."""
_SENDING: Final = ("mailer/campaigns", "mailer/database", "mailer/dispatch", "mailer/smtp")
_RETURNS: Final = ("mailer/database", "mailer/feedback", "mailer/reasons")
_PUBLIC: Final = ("mailer/selfservice", "mailer/web/archive", "mailer/web/public", "templates/web")
_STUDIO: Final = ("mailer/web/studio", "templates/web")
_STORIES: Final = ("editions/changes", "mailer/activity", "mailer/revisions")
_MARKDOWN: Final = ("editions/markdown", "editions/rich_text")
_RENDERING: Final = ("editions", "mailer/rendering")
_REPORTS: Final = ("mailer/web/report", "mailer/web/report_pages", "templates/report", "templates/web")


@dataclass(frozen=True)
class Turn:
    """A file that takes turns: how it is run, its quarter, and the rooms of which a change makes it due."""

    kind: str
    quarter: int
    path: str
    rooms: Rooms

    def is_touched(self, changed: frozenset[str] | None) -> bool:
        """Return whether one of the ``changed`` files, None for all, is of its rooms."""
        if changed is None:
            return True
        return any(file.startswith((self.path, *self.rooms, *_EVERYWHERE)) for file in changed)


SOAK, JUDGES, MAILS, NEWER, POSTGRES = "soak", "judges", "mails", "newer", "postgres"
TURNS: Final = (
    Turn(SOAK, 0, "tests/acceptance/test_killed_acts.py", (*_STUDIO, *_STORIES)),
    Turn(SOAK, 0, "tests/acceptance/test_kills.py", _SENDING),
    Turn(SOAK, 0, "tests/acceptance/test_mailbox_kills.py", _RETURNS),
    Turn(SOAK, 0, "tests/acceptance/test_pages.py", _PUBLIC),
    Turn(SOAK, 0, "tests/rendering/body/test_assembly.py", _RENDERING),
    Turn(SOAK, 0, "tests/subscribers/imports/columns/test_who_left.py", ("subscribers/imports",)),
    Turn(SOAK, 1, "tests/acceptance/test_crash.py", _SENDING),
    Turn(SOAK, 1, "tests/acceptance/test_killed_studio.py", (*_STUDIO, *_SENDING, "mailer/list_imports")),
    Turn(SOAK, 1, "tests/acceptance/test_postgres_restart.py", _SENDING),
    Turn(SOAK, 1, "tests/acceptance/test_what_comes_back.py", _RETURNS),
    Turn(SOAK, 1, "tests/dispatch/test_relay_tokens.py", ("mailer/dispatch", "mailer/oauth", "mailer/smtp")),
    Turn(SOAK, 1, "tests/rendering/test_incremental.py", _RENDERING),
    Turn(SOAK, 1, "tests/verification/test_mail_check.py", (*_RENDERING, "mailer/verification")),
    Turn(SOAK, 2, "tests/acceptance/test_injected_faults.py", _SENDING),
    Turn(SOAK, 2, "tests/acceptance/test_scanners.py", _PUBLIC),
    Turn(SOAK, 2, "tests/acceptance/test_schemathesis.py", _PUBLIC),
    Turn(SOAK, 2, "tests/acceptance/test_unsubscribe.py", (*_PUBLIC, *_SENDING)),
    Turn(SOAK, 2, "tests/feedback/test_hostile_messages.py", _RETURNS),
    Turn(
        SOAK, 2, "tests/list_imports/test_killed_imports.py", ("mailer/list_imports", "subscribers/imports")
    ),
    Turn(SOAK, 2, "tests/revisions/test_killed_server.py", _STORIES),
    Turn(SOAK, 3, "tests/acceptance/test_false_death.py", _SENDING),
    Turn(SOAK, 3, "tests/acceptance/test_postfix.py", _SENDING),
    Turn(SOAK, 3, "tests/campaigns/pending_launches/test_killed_launches.py", _SENDING),
    Turn(SOAK, 3, "tests/dispatch/test_crash.py", _SENDING),
    Turn(
        SOAK,
        3,
        "tests/editions/rich_text/test_document_writer.py",
        ("editions/markdown", "editions/rich_text"),
    ),
    Turn(SOAK, 3, "tests/web/studio/test_hostile_input.py", _STUDIO),
    Turn(JUDGES, 0, "tests/acceptance/test_pages.py", _PUBLIC),
    Turn(JUDGES, 0, "tests/web/report_pages/test_reports_in_a_browser.py", _REPORTS),
    Turn(JUDGES, 1, "tests/judges/test_judges.py", ("tests/judges",)),
    Turn(JUDGES, 2, "tests/web/studio/test_every_page.py", _STUDIO),
    Turn(JUDGES, 3, "tests/web/studio/test_lighthouse.py", _STUDIO),
    Turn(MAILS, 1, "scripts/judge.py", (*_RENDERING, "templates", "tests/judges", "tests/golden")),
    # What Python itself has a part in: mail, Markdown, CSV, ZIP and XML; types; sockets, TLS and asyncio;
    # SQLite; Unicode.
    Turn(NEWER, 0, "tests/subscribers", ("subscribers",)),
    Turn(NEWER, 0, "tests/locales", ("locales",)),
    Turn(NEWER, 1, "tests/editions", ("editions",)),
    Turn(NEWER, 1, "tests/settings", ("mailer/settings",)),
    Turn(NEWER, 2, "tests/cli", ("mailer/cli",)),
    Turn(NEWER, 2, "tests/database", ("mailer/database",)),
    Turn(NEWER, 2, "tests/dispatch", ("mailer/dispatch",)),
    Turn(NEWER, 2, "tests/smtp", ("mailer/smtp",)),
    Turn(NEWER, 3, "tests/feedback", ("mailer/feedback",)),
    Turn(NEWER, 3, "tests/oauth", ("mailer/oauth",)),
    Turn(NEWER, 3, "tests/rendering", ("mailer/rendering",)),
)
"""Each file with tests marked `soak` or `judges`, all mails for the judges, folders for a newer Python."""


ON_BOTH: Final = (
    "acceptance",
    "campaigns/pending_launches",
    "campaigns/test_launch",
    "campaigns/test_schedule",
    "database",
    "dispatch",
    "list_imports",
    "servers",
    "subscribers/imports",
)
"""How the tests begin of which all run on PostgreSQL every time: sending, tables, imports, and locks."""


def list_folders(root: Path = ROOT) -> list[Turn]:
    """List the other folders of tests, each four times: a quarter of its tests on PostgreSQL is a turn.

    Its room has its name. A folder without a room is due whatever has changed.
    """
    names = [path.name for path in sorted((root / "tests").iterdir()) if path.is_dir()]
    folders = []
    for name in names:
        rooms = [room for room in (f"mailer/{name}", name) if (root / room).exists()]
        rooms += [f"mailer/{name}.py"] * (root / f"mailer/{name}.py").exists()
        folders += [
            Turn(POSTGRES, quarter, f"tests/{name}", tuple(rooms) or ("",)) for quarter in range(QUARTERS)
        ]
    return folders


def place_on_postgres(test: str) -> tuple[int, str] | None:
    """Return the quarter and the folder of a ``test`` on PostgreSQL, or None if it runs every time.

    ``test`` is its name for pytest, without its parameters.
    """
    folder = test.split("/")[1]
    if test.removeprefix("tests/").startswith(ON_BOTH) or "::" in folder:
        return None
    return zlib.crc32(test.encode()) % QUARTERS, f"tests/{folder}"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The number of commits, and which files were changed ``lately`` and ``before``, that is, as long before;
    None is all of them.

    ``doubt`` says why everything is taken, empty if it need not be.
    """

    number: int = 0
    lately: frozenset[str] | None = None
    before: frozenset[str] | None = None
    doubt: str = ""


def choose_due(changes: Changes, turns: Sequence[Turn] = TURNS) -> list[Turn]:
    """Choose whose turn it is."""
    if changes.doubt:
        return [*turns]
    side = changes.number % 2

    def is_due(turn: Turn) -> bool:
        if turn.quarter == changes.number % QUARTERS or turn.is_touched(changes.lately):
            return True
        # What was changed before may have been too much for one run.
        return turn.quarter % 2 == side and turn.is_touched(changes.before)

    due = [turn for turn in turns if is_due(turn)]
    if len(due) > len(turns) / 2:
        due = [turn for turn in due if turn.quarter % 2 == side]
    return due


def read_changes(root: Path = ROOT) -> Changes:
    """Read from git what was changed lately."""

    def ask_git(*words: str) -> list[str]:
        # A clone may belong to somebody else than who runs this.
        command = ["git", "-C", str(root), "-c", "safe.directory=*", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def list_changed(first: str | None, last: str) -> frozenset[str] | None:
        if first is None:
            return None
        return frozenset(ask_git("diff", "--name-only", "--no-renames", first, last))

    try:
        if ask_git("rev-parse", "--is-shallow-repository") != ["false"]:
            return Changes(doubt="the history of this clone is cut off")
        commits = [line.split() for line in ask_git("log", "--first-parent", "--format=%H %ct")]
    except (subprocess.CalledProcessError, OSError):
        return Changes(doubt="there is no history to ask")

    def find_start(end: int) -> int:
        """The place in ``commits`` of the last one before those that are recent at ``end``."""
        oldest = int(commits[end][1]) - _LATELY if end < len(commits) else 0
        old = (at for at, (_, when) in enumerate(commits) if at >= end and int(when) < oldest)
        return max(next(old, len(commits)), end + _AT_LEAST)

    lately = find_start(0)
    before = find_start(lately)
    names = [name for name, _ in commits]
    starts = [names[at] if at < len(names) else None for at in (lately, before)]
    return Changes(
        number=len(commits),
        lately=list_changed(starts[0], "HEAD"),
        before=None if starts[0] is None else list_changed(starts[1], starts[0]),
    )


def describe(changes: Changes, due: list[Turn]) -> Iterator[str]:
    """Describe the rule and whose turn it is, in lines."""
    yield "turns: what takes minutes runs when its room has changed, or every fourth time (scripts/turns.py)."
    if changes.doubt:
        yield f"turns: everything is due, because {changes.doubt}."
        return
    files = "all files" if changes.lately is None else f"{len(changes.lately)} files"
    yield (
        f"turns: after {changes.number} commits it is quarter {changes.number % QUARTERS}, and {files} were "
        f"changed lately: {len(due)} of {len(TURNS)} are due."
    )
    for turn in TURNS:
        yield f"turns: {'due  ' if turn in due else 'later'} {turn.kind:<6} {turn.path}"


def main() -> None:
    """Print the rule and whose turn it is, or only the files of one kind; with `--all`, of all of them."""
    words = sys.argv[1:]
    changes = Changes(doubt="it was asked for") if "--all" in words else read_changes()
    due = choose_due(changes)
    kinds = {word for word in words if word != "--all"}
    if kinds:
        print(*(turn.path for turn in due if turn.kind in kinds))
    else:
        print(*describe(changes, due), sep="\n")


if __name__ == "__main__":
    main()
