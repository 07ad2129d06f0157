"""The Markdown that bodies are written in: CommonMark with tables, strikethrough, footnotes and lettered
lists."""

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML

from editions.markdown.cjk import use_cjk_rules
from editions.markdown.lettered_lists import use_lettered_lists
from editions.markdown.notes import use_footnotes

MAX_CHARACTERS = 200_000
"""The most characters a body may have. An email must stay below 100 kB, so this is generous."""

MAX_NESTING = 20
"""How deep quotations and lists may be nested, a list counting twice. The parser silently leaves out anything
deeper."""


def create_parser(renderer: type[RendererHTML] = RendererHTML) -> MarkdownIt:
    """Create a parser of bodies; ``renderer`` writes what it has read as HTML."""
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}, renderer_cls=renderer)
    parser.enable(["table", "strikethrough"])
    use_footnotes(parser)
    use_lettered_lists(parser)
    use_cjk_rules(parser)
    # Accept every link here, so that it can be reported; by default `[x](javascript:…)` stays text.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005
    return parser
