"""Jinja: what is missing is an error, markup is escaped, and a template reaches nothing but its page."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from mailer.errors import TemplateError
from mailer.rendering.environment import make_environment, render_template


@dataclass(frozen=True)
class Thing:
    name: str = '<b> & "quotes"'

    def delete(self) -> str:
        return "deleted"


def _render(folder: Path, source: str, *, name: str = "email/t.mjml.j2", markup: bool = True) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return render_template(make_environment(folder, markup=markup), name, thing=Thing())


@pytest.mark.parametrize("name", ["email/t.mjml.j2", "email/t.html.j2", "email/t.j2"])
def test_markup_is_escaped_whatever_its_file_is_called(tmp_path: Path, name: str) -> None:
    assert _render(tmp_path, "{{ thing.name }}", name=name) == "&lt;b&gt; &amp; &#34;quotes&#34;"


def test_plain_text_and_style_sheets_are_not(tmp_path: Path) -> None:
    assert _render(tmp_path, "{{ thing.name }}", name="email/t.txt.j2", markup=False) == '<b> & "quotes"'
    assert _render(tmp_path, '{{ "a\'b" }}', name="email/t.css.j2") == "a'b"


def test_asking_for_what_is_not_there_names_template_and_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"t\.mjml\.j2:3: .*no attribute 'tilte'"):
        _render(tmp_path, "one\ntwo\n{{ thing.tilte }}")
    with pytest.raises(TemplateError, match=r"t\.mjml\.j2:1: 'pgae' is undefined"):
        _render(tmp_path, "{{ pgae }}")


def test_a_fault_of_grammar_names_template_and_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"email/t\.mjml\.j2:2: "):
        _render(tmp_path, "one\n{% if %}")


def test_a_missing_template_is_named_with_the_one_that_needs_it(tmp_path: Path) -> None:
    with pytest.raises(
        TemplateError, match=r"email/blocks/stroy\.mjml\.j2: there is no such template, which email/t"
    ):
        _render(tmp_path, '{% include "email/blocks/stroy.mjml.j2" %}')


@pytest.mark.parametrize(
    "source",
    [
        "{{ thing.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ '{0.__class__}'.format(thing) }}",
        "{{ thing|attr('__class__') }}",
        "{{ [].append(1) }}",
        "{{ range(10000000) }}",
        "{{ 1 / 0 }}",
        "{{ thing.name + 1 }}",
    ],
)
def test_what_a_template_must_not_do_is_an_error(tmp_path: Path, source: str) -> None:
    with pytest.raises(TemplateError, match=r"t\.mjml\.j2"):
        _render(tmp_path, source)


def test_a_template_cannot_leave_its_folders(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(TemplateError):
        _render(tmp_path / "templates", '{% include "../secret.txt" %}')


def test_the_workspace_comes_first_and_can_still_name_ours(tmp_path: Path) -> None:
    name = "email/blocks/logo.mjml.j2"
    assert _render(tmp_path, "ours", name=name) == "ours"
    assert _render(tmp_path, '{% include "shipped/email/blocks/logo.mjml.j2" %}.', name=name) == "."
