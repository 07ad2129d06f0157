"""``make bench-rendering``: compare the cost of rendering with other tools, each figure with its bar."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.compile_time import measure_change, measure_conversion, measure_scaling
from bench.html_size import measure_size
from bench.measurement import Measurement, print_table
from bench.message_cost import measure_messages
from bench.npm_renderer import NpmRenderer, NpmUnavailableError, install_peers
from bench.peak_memory import measure_memory
from bench.sample_workspace import Sample, prepare_sample


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sample = prepare_sample(Path(folder) / "workspace")
        print(f"{sample.edition.title}: {len(sample.edition.stories)} stories.")
        print("Ratios are medians over alternating rounds; times are specific to this machine and moment.\n")
        # Comparisons come first: after the other figures, the same work took a third longer in this process.
        print_table([*measure_against_node(sample), *measure_own(sample, Path(folder))])


def measure_own(sample: Sample, folder: Path) -> Iterator[Measurement]:
    """Yield the figures that do not need Node."""
    yield from measure_messages(sample)
    yield from measure_scaling(sample, folder)
    yield from measure_memory(sample)


def measure_against_node(sample: Sample) -> Iterator[Measurement]:
    try:
        install_peers()
    except NpmUnavailableError as error:
        for what in (
            "MJML to inlined HTML, faster than npm mjml + juice",
            "the whole compile after one story changed, against npm mjml alone",
            "HTML of the sample, against npm mjml with a section per story",
        ):
            yield Measurement(what=what, note=f"{error}.")
        return
    for measure in (measure_conversion, measure_change, measure_size):
        with NpmRenderer() as peer:
            yield from measure(sample, peer)


if __name__ == "__main__":
    main()
