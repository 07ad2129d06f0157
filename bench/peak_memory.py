"""Measure the memory of building messages for few and for many readers, each in a separate process."""

import itertools
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bench.measurement import Bound, Measurement
from bench.sample_workspace import Sample
from bench.worker_process import read_peak
from mailer.rendering.body.variants import Interests
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import Reader
from mailer.rendering.message import MessageBuilder
from mailer.settings import Settings

_FEW, _MANY, _VARIANTS = 1_000, 100_000, 64


@dataclass(frozen=True, kw_only=True)
class BuildJob:
    """The job of the process: build messages for ``count`` readers, who share ``interests``."""

    compiled: bytes
    settings: Settings
    reader: Reader
    interests: tuple[Interests, ...]
    count: int


def measure_memory(sample: Sample) -> Iterator[Measurement]:
    """Measure how much the peak for 100,000 readers with 64 variants exceeds that for 1,000."""
    compiled = sample.compile_for_interests()
    job = BuildJob(
        compiled=compiled.to_bytes(),
        settings=sample.settings,
        reader=sample.readers[0],
        interests=tuple(itertools.islice(_distinct_interests(sample, compiled), _VARIANTS)),
        count=_FEW,
    )
    few, many = _run(job), _run(replace(job, count=_MANY))
    yield Measurement(
        what=f"memory of {_MANY:,} readers over {len(job.interests)} variants, in excess of {_FEW:,}",
        measured=many - few,
        unit="MB",
        bound=Bound.at_most,
        bar=20,
        note=f"peaks of {many:.0f} MB and {few:.0f} MB",
    )


def _distinct_interests(sample: Sample, compiled: CompiledEdition) -> Iterator[Interests]:
    """Yield interests that each lead to a different variant."""
    countries = sorted({code for story in sample.edition.stories for code in story.countries})
    seen = set()
    for many in range(len(countries) + 1):
        for sector, codes in itertools.product(
            sorted(sample.settings.sectors), itertools.combinations(countries, many)
        ):
            interests = Interests(sectors=frozenset({sector}), countries=frozenset(codes))
            variant = compiled.variant_for(interests)
            if variant.stories not in seen:
                seen.add(variant.stories)
                yield interests


def _run(job: BuildJob) -> float:
    """Return the peak in megabytes."""
    command = [sys.executable, "-m", "bench.peak_memory"]
    done = subprocess.run(command, input=pickle.dumps(job), stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def main() -> None:
    job: BuildJob = pickle.load(sys.stdin.buffer)
    builder = MessageBuilder([CompiledEdition.from_bytes(job.compiled)], job.settings)
    now = datetime.now(UTC)
    for number, interests in zip(range(job.count), itertools.cycle(job.interests), strict=False):
        reader = job.reader._replace(
            subscriber_id=number,
            name=f"Reader {number}",
            message_id=f"<{number:012d}@example.org>",
            interests=interests,
        )
        builder.build(reader, now=now)
    print(read_peak())


if __name__ == "__main__":
    main()
