"""Find a sender that is still that of the example, in whose name nobody else may write."""

import tomllib
from collections.abc import Mapping
from functools import cache

import templates
from mailer.settings import Settings

_KEYS = ("name", "address", "organisation", "postal_address", "reply_to", "bounces_to", "list_id")


def find_example_sender(settings: Settings) -> str:
    """Which settings of the sender are still those of the example, and what to do; empty if none is."""
    sender, example = settings.sender, _read_example()
    same = [key for key in _KEYS if key in example and _normalise(getattr(sender, key)) == example[key]]
    if not same:
        return ""
    keys = f"{', '.join(same[:-1])} and {same[-1]} are" if len(same) > 1 else f"{same[0]} is"
    return (
        f"[sender] {keys} still that of the sample, so readers would get mail in the name of another body. "
        "Write your own in mailer.toml."
    )


@cache
def _read_example() -> Mapping[str, str]:
    """The sender that `mailer init --sample` writes."""
    values = tomllib.loads((templates.ROOT / "workspace" / "example.toml").read_text(encoding="utf-8"))
    return {key: _normalise(value) for key, value in values["sender"].items()}


def _normalise(text: str) -> str:
    return " ".join(text.casefold().split())
