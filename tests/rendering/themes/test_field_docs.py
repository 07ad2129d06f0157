"""Every value a template may use says what it is."""

from dataclasses import dataclass
from typing import Annotated

import pytest

from mailer.rendering.template_context.page import Page
from mailer.rendering.themes.field_docs import Help, describe_fields, walk_dataclasses
from mailer.rendering.themes.theme import Palette, Theme, TypeStep

HOLDERS = tuple(walk_dataclasses(Page))


def find_silent_fields(holder: type) -> list[str]:
    return [field.name for field in describe_fields(holder) if not field.help.endswith((".", ").", '".'))]


@dataclass(frozen=True)
class _Bad:
    said: Annotated[str, Help("What it is.")]
    unsaid: str

    @property
    def derived(self) -> int:
        return 1


def test_deeply_nested_fields_are_found() -> None:
    assert {Theme, Palette, TypeStep} < set(HOLDERS)
    assert len(HOLDERS) == len(set(HOLDERS)) > 15


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: holder.__name__)
def test_every_field_is_documented(holder: type) -> None:
    assert find_silent_fields(holder) == []
    assert holder.__doc__


def test_a_field_without_documentation_is_found() -> None:
    assert find_silent_fields(_Bad) == ["unsaid", "derived"]


def test_a_fields_type_is_described_without_its_annotations() -> None:
    said, unsaid, derived = describe_fields(_Bad)
    assert (said.name, said.type, said.help) == ("said", str, "What it is.")
    assert (unsaid.type, unsaid.help) == (str, "")
    assert derived.type is int
