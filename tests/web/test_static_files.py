"""The style sheets and scripts of the pages, on their way to the browser."""

import gzip

import pytest

from mailer.web.page_renderer import TEMPLATE_FOLDER, PageRenderer
from mailer.workspace import Workspace

SCRIPT = (TEMPLATE_FOLDER / "story_editor.js").read_bytes()


@pytest.fixture
def renderer(workspace: Workspace) -> PageRenderer:
    return PageRenderer(workspace.settings)


def find_name(renderer: PageRenderer, file: str) -> str:
    """The name under which ``file`` is served."""
    page = renderer._environment.from_string("{{ asset(file) }}")
    return page.render(file=file).rpartition("/")[2]


@pytest.mark.parametrize("accepted", ["gzip, deflate, br", "br;q=1.0, GZIP;q=0.8", "*, br", "BR"])
@pytest.mark.parametrize("file", ["story_editor.js", "story_paste.js", "htmx.js"])
def test_a_browser_that_takes_brotli_gets_the_largest_scripts_so(
    renderer: PageRenderer, file: str, accepted: str
) -> None:
    answer = renderer.serve_asset(find_name(renderer, file), accepted)
    assert answer is not None
    assert answer.headers["content-encoding"] == "br"
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.body == (TEMPLATE_FOLDER / f"{file}.br").read_bytes()
    by_gzip = renderer.serve_asset(find_name(renderer, file), "gzip")
    assert by_gzip is not None
    assert len(answer.body) < len(by_gzip.body)


def test_what_has_no_brotli_beside_it_comes_by_gzip(renderer: PageRenderer) -> None:
    answer = renderer.serve_asset(find_name(renderer, "studio.css"), "gzip, deflate, br, zstd")
    assert answer is not None
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(bytes(answer.body)) == (TEMPLATE_FOLDER / "studio.css").read_bytes()


def test_what_is_compressed_is_no_file_of_its_own(renderer: PageRenderer) -> None:
    name = find_name(renderer, "htmx.js")
    assert renderer.serve_asset(f"{name}.br", "br") is None
    assert "htmx.js.br" not in renderer._assets


@pytest.mark.parametrize("accepted", ["gzip, deflate", "br;q=0, GZIP;q=0.8", "*, gzip"])
def test_a_browser_that_takes_gzip_gets_a_script_compressed(renderer: PageRenderer, accepted: str) -> None:
    answer = renderer.serve_asset(find_name(renderer, "story_editor.js"), accepted)
    assert answer is not None
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "accept-encoding"
    assert int(answer.headers["content-length"]) == len(bytes(answer.body)) < len(SCRIPT) / 3
    assert gzip.decompress(bytes(answer.body)) == SCRIPT


@pytest.mark.parametrize(
    "accepted", ["", "identity", "br;q=0", "gzip;q=0", "deflate, gzip; q=0.0", "xgzip, xbr"]
)
def test_any_other_gets_it_as_it_is(renderer: PageRenderer, accepted: str) -> None:
    answer = renderer.serve_asset(find_name(renderer, "story_editor.js"), accepted)
    assert answer is not None
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.body == SCRIPT


def test_what_is_small_stays_as_it_is(renderer: PageRenderer) -> None:
    answer = renderer.serve_asset(find_name(renderer, "icon.svg"), "gzip")
    assert answer is not None
    assert "content-encoding" not in answer.headers
