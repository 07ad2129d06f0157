"""The address of a saved segment."""

from urllib.parse import quote


def make_segment_path(name: str) -> str:
    """The path of a segment's page, below Studio's; a name may be in any script."""
    return f"/segments/{quote(name, safe='')}"
