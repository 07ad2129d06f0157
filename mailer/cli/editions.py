"""Commands about editions: check, render, preview."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.home import Home, pass_home
from mailer.cli.output import emit, emit_json, json_option, say, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from editions.problem import Problem


@click.command()
@click.argument("edition")
@json_option
@pass_home
def check(home: Home, edition: str, as_json: bool) -> None:
    """Find every problem of an edition, in its files and in the finished mail.

    Exits 1 when one of them is an error. Example: mailer check 2021-2
    """
    from mailer.campaigns.examining import examine

    problems = examine(home.open(), edition).problems
    if as_json:
        emit_json({"problems": [_as_dict(problem) for problem in problems]})
    else:
        for problem in problems:
            emit(f"{problem.level}: {problem}")
        say(_verdict(edition, problems))
    sys.exit(1 if any(problem.level == "error" for problem in problems) else 0)


def _as_dict(problem: Problem) -> dict[str, object]:
    return {
        "path": problem.path,
        "line": problem.line,
        "level": str(problem.level),
        "code": problem.code,
        "message": problem.message,
    }


def _verdict(edition: str, problems: Sequence[Problem]) -> str:
    errors = sum(problem.level == "error" for problem in problems)
    warnings = len(problems) - errors
    if not problems:
        return f"{edition}: no problems."
    return f"{edition}: {_number(errors, 'error')}, {_number(warnings, 'warning')}."


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@click.command()
@click.argument("edition")
@click.option(
    "--for",
    "address",
    metavar="ADDRESS",
    help="As this subscriber gets it; without it, as nobody in particular.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "text", "mjml", "eml"]),
    default="html",
    show_default=True,
    help="Which form to write.",
)
@click.option("--language", metavar="TAG", help="In this language of the edition, such as zh-Hans.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file, whole or not at all.",
)
@pass_home
def render(
    home: Home, edition: str, address: str | None, form: str, language: str | None, output: Path | None
) -> None:
    """Render an edition as the mail it becomes.

    Example: mailer render 2021-2 --for desk@example.org --format eml -o desk.eml
    """
    from mailer.campaigns.specimen import render_specimen

    data = render_specimen(home.open(), edition, form=form, address=address, language=language)
    if output is None:
        click.echo(data, nl=False)
    else:
        write_file(output, data)
        say(f"Wrote {output} ({len(data):,} bytes).")


@click.command()
@click.argument("edition")
@click.option(
    "--port", default=8026, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--open/--no-open", "open_browser", default=True, show_default=True, help="Open the browser.")
@pass_home
def preview(home: Home, edition: str, port: int, open_browser: bool) -> None:
    """Show an edition in the browser, as any subscriber gets it.

    Desktop and phone, light and dark, text, with its problems beside it; reloads when a file changes.
    """
    from mailer.web.preview import create_preview_app
    from mailer.web.serving import serve

    app = create_preview_app(home.open(), edition)
    say(f"Preview of {edition} until Ctrl-C.")
    serve(app, host="127.0.0.1", port=port, announce=_opener(open_browser))


def _opener(open_browser: bool) -> Callable[[str], None]:
    def announce(url: str) -> None:
        say(f"Open {url}")
        if open_browser and sys.stderr.isatty():
            click.launch(url)

    return announce
