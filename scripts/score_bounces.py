"""Score how bounces are read on a corpus of real ones, beside flufl.bounce in the same run.

``score_bounces.py [FOLDER]``: a folder with ``mail/``, ``not-bounces/`` and ``expected.json``, which names
the recipients of each file, and whether the address is really dead. Exit status 1 if a bar is missed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path

from flufl.bounce import all_failures

from mailer.feedback.incoming_message import FeedbackKind
from mailer.feedback.intake import read_message
from mailer.feedback.mime_part import split_mailbox

CORPUS = Path(__file__).parents[2] / "shared" / "corpora" / "bounces"
_ROUNDS = 8
# What the corpus writes for an address that a report hides.
_HIDDEN = ".invalid"


@dataclass(frozen=True)
class Reading:
    """What a reader says of one message: each recipient, and whether the address is dead."""

    is_bounce: bool
    dead: Mapping[str, bool]


@dataclass
class Score:
    """The figures of one reader; ``wrong`` names the files whose recipients it has not right."""

    files: int = 0
    right: int = 0
    named_files: int = 0
    named_right: int = 0
    said_dead: int = 0
    said_rightly: int = 0
    really_dead: int = 0
    false_bounces: int = 0
    per_second: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.said_rightly / self.said_dead if self.said_dead else 0.0

    @property
    def recall(self) -> float:
        return self.said_rightly / self.really_dead if self.really_dead else 0.0


def read_ours(raw: bytes) -> Reading:
    """Read a message as the mailer does."""
    messages = [read_message(one) for one in split_mailbox(raw)]
    recipients = [one for message in messages for one in message.recipients if one.address]
    return Reading(
        is_bounce=messages[0].kind is FeedbackKind.bounce,
        dead={one.address.lower(): one.is_dead for one in recipients},
    )


def read_flufl(raw: bytes) -> Reading:
    """Read a message with flufl.bounce alone; what it calls permanent counts as dead."""
    temporary, permanent = all_failures(message_from_bytes(raw))
    found = {address.decode("utf-8", "replace").lower(): False for address in temporary}
    found |= {address.decode("utf-8", "replace").lower(): True for address in permanent}
    return Reading(is_bounce=bool(found), dead=found)


def score(
    read: Callable[[bytes], Reading],
    mails: Mapping[str, bytes],
    expected: Mapping[str, Sequence[Mapping[str, object]]],
    not_bounces: Sequence[bytes],
) -> Score:
    """Compare what ``read`` says with what is expected."""
    result = Score()
    for name, raw in mails.items():
        reading = read(raw)
        known = {str(one["recipient"]).lower(): bool(one["dead"]) for one in expected[name]}
        known = {address: dead for address, dead in known.items() if not address.endswith(_HIDDEN)}
        is_right = reading.dead.keys() == known.keys()
        result.files += 1
        result.right += is_right
        result.named_files += bool(expected[name])
        result.named_right += is_right and bool(expected[name])
        if not is_right:
            result.wrong.append(f"{name}: {sorted(reading.dead)} instead of {sorted(known)}")
        said = {address for address, dead in reading.dead.items() if dead}
        really = {address for address, dead in known.items() if dead}
        # An address that nobody expected is a mistake in the file; whether it is dead, nobody says.
        result.said_dead += len(said & known.keys())
        result.said_rightly += len(said & really)
        result.really_dead += len(really)
    result.false_bounces = sum(read(raw).is_bounce for raw in not_bounces)
    return result


def measure(read: Callable[[bytes], Reading], mails: Sequence[bytes]) -> float:
    """Return how many messages per second of one core ``read`` takes.

    Of each message, the best of several rounds counts, because other programs take turns on the core.
    """
    best = [float("inf")] * len(mails)
    for _ in range(_ROUNDS):
        for number, raw in enumerate(mails):
            start = time.perf_counter()
            read(raw)
            best[number] = min(best[number], time.perf_counter() - start)
    return len(mails) / sum(best)


Expected = Mapping[str, Sequence[Mapping[str, object]]]
"""The recipients of each file: their address, and whether it is dead."""


def load_mails(folder: Path) -> tuple[dict[str, bytes], Expected]:
    """Return the files of the corpus in ``folder``, and what is expected of each."""
    expected: Expected = json.loads((folder / "expected.json").read_text("utf-8"))
    return {name: (folder / "mail" / name).read_bytes() for name in sorted(expected)}, expected


def list_not_bounces(folder: Path, mails: Mapping[str, bytes], expected: Expected) -> list[bytes]:
    """Return what is no bounce, with the automatic replies (RFC 3834) that are among the bounces."""
    replies = [raw for name, raw in mails.items() if name.startswith("rfc3834") and not expected[name]]
    others = [path.read_bytes() for path in sorted((folder / "not-bounces").iterdir()) if path.is_file()]
    return [*others, *replies]


def main() -> int:
    """Print the table; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=CORPUS)
    parser.add_argument("--wrong", action="store_true", help="name the files that are not right")
    options = parser.parse_args()
    folder: Path = options.folder
    if not (folder / "expected.json").is_file():
        print(
            f"There is no corpus of bounces in {folder}: expected.json, mail/ and not-bounces/ are missing."
        )
        print("Give its folder: score_bounces.py FOLDER.")
        return 2
    mails, expected = load_mails(folder)
    others = list_not_bounces(folder, mails, expected)
    scores = [score(read, mails, expected, others) for read in (read_ours, read_flufl)]
    for one, read in zip(scores, (read_ours, read_flufl), strict=True):
        one.per_second = measure(read, list(mails.values()))
    return print_table(scores[0], scores[1], len(others), show_wrong=options.wrong)


def print_table(ours: Score, flufl: Score, others: int, *, show_wrong: bool) -> int:
    """Print each figure beside flufl.bounce's and its bar; return 1 if a bar is missed."""
    speed = ours.per_second / flufl.per_second
    named = ours.named_files
    rows = (
        _share_row(f"files with all recipients right, of {ours.files}", ours.right, flufl.right, ours.files),
        _share_row(
            f"of the {named} files expected to name somebody", ours.named_right, flufl.named_right, named
        ),
        (
            "precision of dead",
            f"{ours.precision:.1%}",
            "≥ 98 %",
            f"{flufl.precision:.1%}",
            ours.precision >= 0.98,
        ),
        ("recall of dead", f"{ours.recall:.1%}", "≥ 92 %", f"{flufl.recall:.1%}", ours.recall >= 0.92),
        (
            f"others taken for bounces, of {others}",
            str(ours.false_bounces),
            "0",
            str(flufl.false_bounces),
            ours.false_bounces == 0,
        ),
        (
            "messages per second, one core",
            f"{ours.per_second:,.0f} ({speed:.2f} ×)",
            "≥ 1.0 ×",
            f"{flufl.per_second:,.0f}",
            speed >= 1.0,
        ),
    )
    print(f"{'':58}  {'ours':>17}  {'bar':>7}  {'flufl.bounce':>14}")
    for name, own, bar, other, is_met in rows:
        print(f"{name:58}  {own:>17}  {bar:>7}  {other:>14}{'' if is_met else '  MISSED'}")
    if show_wrong:
        print("\n".join(ours.wrong))
    return 0 if all(row[-1] for row in rows) else 1


def _share_row(name: str, own: int, other: int, whole: int) -> tuple[str, str, str, str, bool]:
    shares = [f"{part} = {part / whole:.1%}" for part in (own, other)]
    return name, shares[0], "≥ 97 %", shares[1], own / whole >= 0.97


if __name__ == "__main__":
    sys.exit(main())
