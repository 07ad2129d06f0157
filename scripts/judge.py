"""Run every validator (judge) on every mail: themes × editions × languages × variants, and letters.

Run with `make judge`, which installs the judges first. Prints a row per mail and a column per judge, then
each complaint with its file and line. The exit status is 1 if there are any, or, with CI=true, if a judge is
missing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

# The judges are part of the tests, which are not an installed package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mailer.rendering.themes.theme_files import theme_names
from tests.judges.complaint import JudgeError
from tests.judges.mails import Mail, found_newsroom, list_editions, write_letters, write_mails
from tests.judges.packages import install_packages
from tests.judges.panel import JUDGES, Verdict, ask_panel

_MOST_SHOWN = 10


def main() -> None:
    """Install the judges from npm, or write the mails and judge them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true", help="only install the judges from npm")
    parser.add_argument("--output", type=Path, help="a new folder for the mails, which is kept")
    options = parser.parse_args()
    if options.install:
        sys.exit(install())
    folder = options.output or Path(tempfile.mkdtemp(prefix="judge."))
    try:
        faults = judge(folder)
    except JudgeError as error:
        sys.exit(f"judge: {error}")
    if not (faults or options.output):
        shutil.rmtree(folder)
    sys.exit(1 if faults else 0)


def judge(folder: Path) -> int:
    """Write every mail to ``folder``, judge them and print the results; return the number of faults."""
    started = time.monotonic()
    workspace = found_newsroom(folder / "workspace")
    mails = write_mails(workspace, folder / "mails", list_editions(workspace), theme_names())
    mails += write_letters(workspace, folder / "letters")
    print(f"judge: {describe(mails)}; written to {folder / 'mails'}.", flush=True)
    verdict = ask_panel(mails)
    print_table(mails, verdict)
    complaints = print_complaints(verdict)
    print(f"judge: {len(mails)} mails, {complaints} complaints, {time.monotonic() - started:.0f} s.")
    return complaints + (len(verdict.absent) if is_strict() else 0)


def is_strict() -> bool:
    """Return whether a missing judge is a failure."""
    return os.environ.get("CI") == "true"


def install() -> int:
    try:
        install_packages()
    except JudgeError as error:
        print(f"judge: {error}", file=sys.stderr)
        return 1 if is_strict() else 0
    return 0


def describe(mails: Sequence[Mail]) -> str:
    """Describe what is judged."""
    themes = sorted({mail.theme for mail in mails})
    editions = Counter(mail.edition for mail in mails)
    return f"{len(mails)} mails, in {len(themes)} themes ({', '.join(themes)}), of the editions " + ", ".join(
        f"{edition} ({count})" for edition, count in editions.items()
    )


def print_table(mails: Sequence[Mail], verdict: Verdict) -> None:
    """Print a row per mail and a column per judge: the complaints, ``ok`` for none, ``-`` if unavailable."""
    names = [judge.name for judge in JUDGES]
    width = max(len(mail.name) for mail in mails)
    print(" ".join(["".ljust(width), *names]))
    for mail in mails:
        cells = (
            ("-" if name in verdict.absent else str(verdict.count(name, mail) or "ok")).center(len(name))
            for name in names
        )
        print(" ".join([mail.name.ljust(width), *cells]).rstrip())


def print_complaints(verdict: Verdict) -> int:
    """Print every judge's complaints, each message once with its count; return how many there are."""
    for name, why in verdict.absent.items():
        print(f"{name}: left out, because {why}.")
    for name, complaints in verdict.complaints.items():
        said = Counter(complaint.message for complaint in complaints)
        for message, count in said.most_common():
            first = [complaint for complaint in complaints if complaint.message == message][:_MOST_SHOWN]
            print(f"\n{name}, {count} times: {message}")
            print("\n".join(f"    {complaint.file}:{complaint.line}" for complaint in first))
    return sum(map(len, verdict.complaints.values()))


if __name__ == "__main__":
    main()
