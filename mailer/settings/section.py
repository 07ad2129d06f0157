"""What every section of the settings has in common."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from locales.phrase import gettext_noop


class Section(BaseModel):
    """One section: unknown keys are errors, and nothing in it changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _normalise_line(name: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise ValueError(gettext_noop("must not contain control characters"))
    return " ".join(name.split())


SingleLineText = Annotated[
    str, BeforeValidator(lambda value: _normalise_line(value) if isinstance(value, str) else value)
]
