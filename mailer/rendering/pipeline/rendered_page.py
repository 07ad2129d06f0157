"""The result of rendering a page: three texts that still contain merge tags and fragment marks."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RenderedPage:
    """A page as rendered by one theme: the MJML as its templates wrote it, the HTML made from that, the plain
    text.

    ``stories_isolated`` is whether each story is mentioned only in its own fragments.
    """

    mjml: str
    html: str
    text: str
    stories_isolated: bool = True
