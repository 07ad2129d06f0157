"""Variants: which of an edition's languages a reader gets."""

from collections.abc import Sequence


def choose_language(wanted: str | None, available: Sequence[str]) -> str:
    """The language among ``available`` (the edition's own first) for a reader who asked for ``wanted``.

    An exact match wins, then the same language in another script or country (``zh`` and ``zh-Hans``), then
    the edition's own. Tags are compared without regard to case (BCP 47 §2.1.1).
    """
    if wanted:
        tags = {tag.casefold(): tag for tag in available}
        if wanted.casefold() in tags:
            return tags[wanted.casefold()]
        for tag in available:
            if _primary(tag) == _primary(wanted):
                return tag
    return available[0]


def _primary(tag: str) -> str:
    return tag.partition("-")[0].casefold()
