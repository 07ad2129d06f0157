"""Measure compiling an edition: from MJML to inlined HTML, the whole compile, and how time grows with
stories."""

import itertools
import re
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.measurement import Bound, Measurement
from bench.npm_renderer import NpmRenderer
from bench.sample_workspace import Sample
from bench.timed_rounds import TimedRounds, time_call
from mailer.rendering.pipeline.css_inliner import inline_styles
from mailer.rendering.pipeline.mjml import check_mjml, convert_mjml

# Node needs a few dozen rounds to warm up.
_WARMUP = 40
_SIZES = (10, 50, 200)
_NUMBERED = re.compile(r"\d{3}-(.+)\.md")


def measure_conversion(sample: Sample, peer: NpmRenderer) -> Iterator[Measurement]:
    """Compare MJML to inlined HTML with npm's mjml and juice, from the same MJML."""
    mjml, css = sample.mjml(), sample.inline_css()
    both, same = "mjml and juice", "mjml and juice, the same rules"
    rounds = TimedRounds(
        {
            "ours": time_call(lambda: inline_styles(convert_mjml(mjml, template="sample"), css)),
            "check": time_call(lambda: check_mjml(mjml, template="sample")),
            both: peer.timed(both, mjml, css),
            same: peer.timed(same, mjml, css),
        },
        rounds=31,
        warmup=_WARMUP,
    )
    ours = f"{rounds.median('ours'):.1f} ms, {rounds.median('check'):.1f} ms of it the check of the MJML"
    yield Measurement(
        what=f"MJML of {len(sample.edition.stories)} stories to inlined HTML, faster than npm mjml + juice",
        measured=rounds.ratio(both, "ours"),
        bar=5,
        note=f"{ours}; against {rounds.median(both):.1f} ms",
    )
    yield Measurement(
        what="    the same, with juice told to take our rules only",
        measured=rounds.ratio(same, "ours"),
        note=f"against {rounds.median(same):.1f} ms",
    )


def measure_change(sample: Sample, peer: NpmRenderer) -> Iterator[Measurement]:
    """Compare reading and compiling the edition after one sentence changed with npm's mjml alone."""
    mjml, changed = sample.mjml(), itertools.count()
    stories = sorted((sample.folder / "stories").glob("*.md"))
    written = stories[len(stories) // 2].read_text(encoding="utf-8")

    def change() -> None:
        text = f"{written}\nThis sentence was changed {next(changed)} times.\n"
        stories[len(stories) // 2].write_text(text, encoding="utf-8")

    rounds = TimedRounds(
        {
            "ours": _after(change, time_call(partial(sample.read_and_compile, sample.folder))),
            "mjml": peer.timed("mjml", mjml),
        },
        rounds=31,
        warmup=_WARMUP,
    )
    yield Measurement(
        what="the whole compile after one story changed, against npm mjml alone",
        measured=rounds.ratio("ours", "mjml"),
        bound=Bound.at_most,
        bar=1,
        note=f"{rounds.median('ours'):.1f} ms against {rounds.median('mjml'):.1f} ms",
    )


def measure_scaling(sample: Sample, folder: Path) -> Iterator[Measurement]:
    """Measure the time per story for editions of growing size, with every story changed before each
    compile."""
    folders = {count: _grow_edition(sample, folder / f"stories-{count}", count) for count in _SIZES}
    time.sleep(2.5)  # until the images are old enough to be cached, see editions.cache
    rounds = TimedRounds(
        {
            str(count): _after(_make_change(grown), time_call(partial(sample.read_and_compile, grown)))
            for count, grown in folders.items()
        },
        rounds=5,
        warmup=1,
    )
    per_story = {count: rounds.median(str(count)) / count for count in _SIZES}
    yield Measurement(
        what="time per story of 50 and of 200 stories, against 10",
        measured=max(per_story[count] for count in _SIZES[1:]) / per_story[_SIZES[0]],
        bound=Bound.at_most,
        bar=1.3,
        note="; ".join(f"{count} stories: {taken:.2f} ms each" for count, taken in per_story.items()),
    )


def _after(prepare: Callable[[], None], timed: Callable[[], float]) -> Callable[[], float]:
    def work() -> float:
        prepare()
        return timed()

    return work


def _grow_edition(sample: Sample, folder: Path, count: int) -> Path:
    """Copy the sample with its stories repeated, each under its own number and name."""
    shutil.copytree(sample.folder, folder)
    stories = sorted((folder / "stories").glob("*.md"))
    texts = {story: story.read_text(encoding="utf-8") for story in stories}
    for story in stories:
        story.unlink()
    for number, story in zip(range(1, count + 1), itertools.cycle(stories), strict=False):
        found = _NUMBERED.fullmatch(story.name)
        assert found
        (folder / "stories" / f"{number:03d}-{found[1]}-{number}.md").write_text(texts[story], "utf-8")
    return folder


def _make_change(folder: Path) -> Callable[[], None]:
    texts = {story: story.read_text(encoding="utf-8") for story in (folder / "stories").glob("*.md")}
    changed = itertools.count()

    def change() -> None:
        times = next(changed)
        for story, text in texts.items():
            story.write_text(f"{text}\nChanged {times} times.\n", "utf-8")

    return change
