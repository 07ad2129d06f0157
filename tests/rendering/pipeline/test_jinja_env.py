"""Jinja: what is missing is an error, markup is escaped, and a template reaches nothing but its page."""

from dataclasses import dataclass
from pathlib import Path

import pytest

import templates
from mailer.errors import TemplateError
from mailer.rendering.pipeline.jinja_env import make_environment, render_template


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


def test_a_mail_cannot_use_templates_of_web_pages(tmp_path: Path) -> None:
    assert (templates.ROOT / "web" / "error.html").is_file()
    for name in ("web/error.html", "shipped/web/error.html"):
        with pytest.raises(TemplateError, match=f"{name}: template not found"):
            _render(tmp_path, f'{{% include "{name}" %}}')
    own = tmp_path / "web" / "error.html"
    own.parent.mkdir()
    own.write_text("A workspace's own")
    assert _render(tmp_path, '{% include "web/error.html" %}') == "A workspace's own"


def test_plain_text_and_style_sheets_are_not_escaped(tmp_path: Path) -> None:
    assert _render(tmp_path, "{{ thing.name }}", name="email/t.txt.j2", markup=False) == '<b> & "quotes"'
    assert _render(tmp_path, '{{ "a\'b" }}', name="email/t.css.j2") == "a'b"


def test_an_undefined_name_is_reported_with_template_and_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"t\.mjml\.j2:3: .*no attribute 'tilte'"):
        _render(tmp_path, "one\ntwo\n{{ thing.tilte }}")
    with pytest.raises(TemplateError, match=r"t\.mjml\.j2:1: 'pgae' is undefined"):
        _render(tmp_path, "{{ pgae }}")


def test_a_syntax_error_is_reported_with_template_and_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"email/t\.mjml\.j2:2: "):
        _render(tmp_path, "one\n{% if %}")


def test_a_missing_template_is_named_with_the_one_that_needs_it(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"email/blocks/stroy\.mjml\.j2: template not found. email/t"):
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
def test_forbidden_operations_are_an_error(tmp_path: Path, source: str) -> None:
    with pytest.raises(TemplateError, match=r"t\.mjml\.j2"):
        _render(tmp_path, source)


def test_a_template_cannot_leave_its_folders(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(TemplateError):
        _render(tmp_path / "templates", '{% include "../secret.txt" %}')


def test_the_workspace_takes_precedence_and_can_still_name_shipped_templates(tmp_path: Path) -> None:
    name = "email/blocks/logo.mjml.j2"
    assert _render(tmp_path, "ours", name=name) == "ours"
    assert make_environment(tmp_path, markup=True).get_template(f"shipped/{name}").filename == str(
        templates.ROOT / name
    )


def test_a_template_is_compiled_once_until_its_file_changes(tmp_path: Path) -> None:
    name = "email/t.mjml.j2"
    assert _render(tmp_path, "one") == "one"
    first = make_environment(tmp_path, markup=True).get_template(name)
    assert make_environment(tmp_path, markup=True).get_template(name) is first
    assert _render(tmp_path, "another") == "another"
    assert make_environment(tmp_path, markup=True).get_template(name) is not first


def test_an_override_takes_effect_in_a_running_process_and_can_be_removed(tmp_path: Path) -> None:
    name = "email/blocks/logo.mjml.j2"
    include = f'{{% include "{name}" %}}'
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    environment = make_environment(tmp_path, markup=True)
    ours = environment.get_template(name)
    assert ours.filename == str(templates.ROOT / name)
    path.write_text("theirs")
    assert _render(tmp_path, include) == "theirs"
    path.unlink()
    assert environment.get_template(name).filename == ours.filename


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "email" / "blocks" / "latin.j2"
    path.parent.mkdir(parents=True)
    path.write_bytes("naïve".encode("latin-1"))
    with pytest.raises(TemplateError, match=r"blocks/latin\.j2: cannot be read: .*Save it as UTF-8"):
        _render(tmp_path, '{% include "email/blocks/latin.j2" %}')


@pytest.mark.parametrize("source", ["{{ lipsum() }}", "{{ [1, 2]|random }}"])
def test_random_output_is_not_available(tmp_path: Path, source: str) -> None:
    with pytest.raises(TemplateError, match=r"'lipsum' is undefined|No filter named 'random'"):
        _render(tmp_path, source)


def test_a_lone_surrogate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"t\.mjml\.j2: .*surrogates not allowed"):
        _render(tmp_path, r"{{ '\ud83d' }}")
    assert _render(tmp_path, r"{{ '\U0001f600' }}") == "😀"


def test_endless_recursion_is_reported(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"t\.mjml\.j2:1: the template calls or includes itself"):
        _render(tmp_path, "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")


def test_output_longer_than_any_mail_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"t\.mjml\.j2: the output is 4,000,001 bytes"):
        _render(tmp_path, "{{ 'x' * 4000001 }}")
    assert len(_render(tmp_path, "{{ 'x' * 4000000 }}")) == 4_000_000
