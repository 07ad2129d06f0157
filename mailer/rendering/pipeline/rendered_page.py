"""What drawing a page leaves: three texts, still with the holes and the marks of slices in them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RenderedPage:
    """A page as drawn by one theme: the MJML as its templates wrote it, the HTML of that, the plain text.

    ``apart`` is whether what it says of each story stands in that story's own slices.
    """

    mjml: str
    html: str
    text: str
    stories_isolated: bool = True
