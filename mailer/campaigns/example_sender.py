"""Find a sender that is still that of the example, in whose name nobody else may write."""

import tomllib
from collections.abc import Mapping
from functools import cache

import templates
from locales.phrase import AND, Phrase, gettext_noop, join_phrases, join_sentences
from mailer.settings import Settings

_SAY_SO = gettext_noop("If you are that body, say so there, or add is_sample_body = true.")
_ADDRESSES = ("address", "reply_to", "bounces_to", "list_id")
"""At a domain reserved for examples, so they are nobody's."""
_IDENTITY = ("name", "organisation", "postal_address")
"""Of a body that exists, and may use this program too."""


def find_example_sender(settings: Settings) -> str:
    """Which settings of the sender are still those of the example, and what to do; empty if none is."""
    sender, example = settings.sender, _read_example()
    keys = _ADDRESSES if sender.is_sample_body else (*_ADDRESSES, *_IDENTITY)
    same = [key for key in keys if key in example and _normalise(getattr(sender, key)) == example[key]]
    if not same:
        return ""
    words = (
        gettext_noop(
            "[sender] %(keys)s are still that of the sample, so readers would get mail in the name "
            "of another body. Write your own in mailer.toml, or in Studio under Settings, Sender."
        )
        if len(same) > 1
        else gettext_noop(
            "[sender] %(keys)s is still that of the sample, so readers would get mail in the name of another "
            "body. Write your own in mailer.toml, or in Studio under Settings, Sender."
        )
    )
    fault = Phrase(words, keys=join_phrases(same, AND))
    return join_sentences([fault, _SAY_SO]) if set(same) <= set(_IDENTITY) else fault


def shows_sample_body(settings: Settings) -> bool:
    """Whether the sender's name, organisation or postal address is that of the body in the sample."""
    sender, example = settings.sender, _read_example()
    return any(key in example and _normalise(getattr(sender, key)) == example[key] for key in _IDENTITY)


@cache
def _read_example() -> Mapping[str, str]:
    """The sender that `mailer init --sample` writes."""
    values = tomllib.loads((templates.ROOT / "workspace" / "example.toml").read_text(encoding="utf-8"))
    return {key: _normalise(value) for key, value in values["sender"].items()}


def _normalise(text: str) -> str:
    return " ".join(text.casefold().split())
