"""Compare the size of the HTML for the same stories."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from bench.measurement import Bound, Measurement
from bench.npm_renderer import NpmRenderer
from bench.sample_workspace import Sample


def measure_size(sample: Sample, peer: NpmRenderer) -> Iterator[Measurement]:
    """Compare our HTML with npm's mjml and one section per story, as its documentation shows."""
    compiled = sample.compile()
    ours = len(compiled.assemble(compiled.full_variant).html.encode())
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    mjml = environment.get_template("conventional.mjml.j2").render(page=sample.page())
    theirs = len(peer.render("mjml", mjml)[1].encode())
    yield Measurement(
        what="HTML of the sample, against npm mjml with a section per story",
        measured=ours / theirs,
        bound=Bound.at_most,
        bar=0.55,
        note=f"{ours / 1000:.0f} kB against {theirs / 1000:.0f} kB; Gmail clips at 102 kB",
    )
