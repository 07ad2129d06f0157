"""The result of rendering a page: three texts that still contain merge tags and fragment marks."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RenderedPage:
    """A page as rendered by one theme: the MJML as its templates wrote it, the HTML made from that, the plain
    text. HTML and text end with one line end, so a message needs no soft break after them.

    ``beginning`` is that of the HTML, up to what the templates themselves wrote into its head; ``inline_css``
    are the rules that were written into its ``style`` attributes. ``stories_isolated`` is whether each story
    is mentioned only in its own fragments.
    """

    mjml: str
    html: str
    text: str
    beginning: str
    inline_css: str
    stories_isolated: bool = True
