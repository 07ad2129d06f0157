"""What a reader costs beside what an edition costs: ``make bench``.

Compiles the sample edition, then makes the messages of its partners, round by round in turn, so that a busy
machine slows both alike. Read the ratios: milliseconds are this machine's, at this moment.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import select

from editions.model import Edition
from editions.reading import read_edition
from mailer.database.engine import session
from mailer.founding import found_workspace
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.compiling import compile_edition
from mailer.rendering.message import build_message
from mailer.rendering.personalising import personalise
from mailer.rendering.reader import Reader, reader_for
from mailer.workspace import Workspace, open_workspace
from subscribers.models import Subscriber

ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The sample workspace: one edition, and everybody who would get it."""

    workspace: Workspace
    edition: Edition
    readers: tuple[Reader, ...]


def prepare_sample(folder: Path) -> Sample:
    founded = found_workspace(folder, sample=True, now=datetime.now(UTC))
    workspace = open_workspace(founded.root, environ={})
    settings = workspace.settings
    edition = read_edition(workspace.edition_folder(founded.editions[0]), sectors=settings.sectors)
    engine = workspace.open_database()
    with session(engine) as rows:
        subscribers = rows.exec(select(Subscriber)).all()
        readers = tuple(
            reader_for(subscriber, 1, settings, workspace.keys.tokens) for subscriber in subscribers
        )
    engine.dispose()
    return Sample(workspace=workspace, edition=edition, readers=readers)


def measure(work: Callable[[], object]) -> float:
    """Milliseconds of processor time for doing ``work``."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def describe(name: str, milliseconds: list[float]) -> str:
    low, middle, high = min(milliseconds), statistics.median(milliseconds), max(milliseconds)
    return f"{name:<48}{low:>10.3f}{middle:>10.3f}{high:>10.3f}"


@dataclass(frozen=True, kw_only=True)
class Round:
    """Milliseconds of one round: for the edition, for one reader's holes, for one reader's message."""

    compiling: float
    filling: float
    making: float


def run_round(sample: Sample, compiled: CompiledEdition) -> Round:
    settings, now, readers = sample.workspace.settings, datetime.now(UTC), sample.readers
    return Round(
        compiling=measure(lambda: compile_edition(sample.edition, settings)),
        filling=measure(lambda: [personalise(compiled, reader) for reader in readers]) / len(readers),
        making=measure(lambda: [build_message(compiled, reader, settings, now=now) for reader in readers])
        / len(readers),
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sample = prepare_sample(Path(folder) / "workspace")
        compiled = compile_edition(sample.edition, sample.workspace.settings)
        run_round(sample, compiled)  # to warm up
        rounds = [run_round(sample, compiled) for _ in range(ROUNDS)]
    html, text = (len(part.encode()) / 1000 for part in (compiled.html, compiled.text))
    print(f"{sample.edition.title}: {len(compiled.stories)} stories, {len(sample.readers)} readers;")
    print(f"{html:.0f} kB of HTML, {text:.0f} kB of text; {ROUNDS} rounds in turn\n")
    print(f"{'milliseconds of processor time':<48}{'min':>10}{'median':>10}{'max':>10}")
    print(describe("compile the edition (once per language)", [each.compiling for each in rounds]))
    print(describe("fill the holes for one reader", [each.filling for each in rounds]))
    print(describe("make one reader's message", [each.making for each in rounds]))
    print(describe("ratio: an edition in readers", [each.compiling / each.making for each in rounds]))
    print(
        f"\nOne core makes {1000 / statistics.median(each.making for each in rounds):,.0f} messages a second."
    )


if __name__ == "__main__":
    main()
