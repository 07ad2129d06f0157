"""Where the comments on a story are in Studio."""

from urllib.parse import quote


def make_story_path(edition: str, story: str) -> str:
    """The path of the comments on a story, or on the letter, below that of Studio."""
    part = f"stories/{quote(story, safe='')}" if story else "letter"
    return f"/editions/{quote(edition, safe='')}/{part}/comments"
