"""Commands about editions: new, import, check, render, preview."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.atomic_write import write_atomically
from mailer.cli.activity_log import log_deed
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, find_explained, json_option, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from editions.errors import Problem
    from editions.imports.importer import ImportedEdition


@click.command()
@click.argument("edition", required=False)
@click.option("--online", is_flag=True, help="Also test whether the page behind each link responds.")
@click.option(
    "--explain", metavar="CODE", help="Explain one check instead: why it matters and how to fix it."
)
@json_option
@pass_context
def check(context: CliContext, edition: str | None, online: bool, explain: str | None, as_json: bool) -> None:
    """Check an edition: its files and the mails made from it.

    Exits with 1 if there is an error. Examples: mailer check 2021-2, mailer check --explain long-alt
    """
    if explain is not None:
        from mailer.checks.registry import CHECKS, describe_check

        found = find_explained(explain, CHECKS, kind="check", page="docs/checks/README.md")
        emit(describe_check(found).rstrip())
        return
    if edition is None:
        raise click.UsageError("Give the name of an edition, or a check to explain with --explain CODE.")
    from mailer.campaigns.preflight import run_preflight_for_list

    report = run_preflight_for_list(context.workspace, edition, today=datetime.now(UTC).date())
    if online:
        from mailer.campaigns.preflight import add_link_problems

        report = add_link_problems(report)
    problems, switched_off = report.problems, report.switched_off
    if as_json:
        emit_json(
            {
                "problems": problems,
                "launch_problems": report.launch_problems,
                "switched_off": switched_off,
            }
        )
    else:
        for problem in problems:
            emit(f"{f'{problem.level}:':<8} {problem}")
        for off in switched_off:
            say(f"Switched off: {off}")
        say(_summarise_problems(edition, problems))
        for problem in report.launch_problems:
            say(f"Before you can send it: {problem}")
    sys.exit(1 if report.has_errors else 0)


def _summarise_problems(edition: str, problems: Sequence[Problem]) -> str:
    errors = sum(problem.level == "error" for problem in problems)
    warnings = len(problems) - errors
    if not problems:
        return f"{edition}: no problems."
    return f"{edition}: {_pluralise(errors, 'error')}, {_pluralise(warnings, 'warning')}."


def _pluralise(number: int, noun: str) -> str:
    plural = f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


@click.command()
@click.argument("edition")
@click.option(
    "--for",
    "address",
    metavar="ADDRESS",
    help="Render it for this subscriber. By default, for an unnamed reader.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "text", "mjml", "eml"]),
    default="html",
    show_default=True,
    help="The output format.",
)
@click.option("--language", metavar="TAG", help="The language of the edition to render, such as zh-Hans.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of stdout. It is only replaced once complete.",
)
@pass_context
def render(
    context: CliContext,
    edition: str,
    address: str | None,
    form: str,
    language: str | None,
    output: Path | None,
) -> None:
    """Render an edition as the mail readers get.

    Example: mailer render 2021-2 --for desk@example.org --format eml -o desk.eml
    """
    from mailer.campaigns.outbox import render_sample

    data = render_sample(context.workspace, edition, output_format=form, address=address, language=language)
    if output is None:
        click.echo(data, nl=False)
    else:
        write_atomically(output, data)
        say(f"Wrote {output} ({len(data):,} bytes).")


@click.command()
@click.argument("edition")
@click.option(
    "--port",
    default=8026,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port to listen on; 0 picks a free one.",
)
@click.option("--open/--no-open", "open_browser", default=True, show_default=True, help="Open the browser.")
@pass_context
def preview(context: CliContext, edition: str, port: int, open_browser: bool) -> None:
    """Preview an edition in the browser, as any subscriber would get it.

    Shows desktop and phone, light and dark mode, plain text, and the problems found. Reloads when you save a
    file. The address contains a secret, so that other users of this machine cannot see it.
    """
    from mailer.cli.local_page import serve_local_page
    from mailer.web.access import LocalAccess
    from mailer.web.preview import create_preview_app

    access = LocalAccess()
    app = create_preview_app(context.workspace, edition, access=access)
    say(f"Previewing {edition}. Press Ctrl-C to stop.")
    serve_local_page(
        app,
        access,
        title="the preview",
        port=port,
        open_browser=open_browser,
        folder=context.workspace.outbox,
    )


@click.command()
@click.argument("slug")
@json_option
@pass_context
def new(context: CliContext, slug: str, as_json: bool) -> None:
    """Create an edition from an example in which every key is explained. Never overwrites files.

    Example: mailer new 2026-2
    """
    from editions.skeleton import create_skeleton

    settings = context.workspace.settings
    folder = create_skeleton(
        context.workspace.editions,
        slug,
        organisation=settings.sender.organisation,
        sectors=settings.sectors,
        countries=settings.countries,
        today=_local_today(),
    )
    log_deed(context, deeds.created_edition(slug))
    files = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.*"))]
    if as_json:
        emit_json({"edition": slug, "folder": str(folder), "files": files})
        return
    emit(str(folder))
    say(f"Created the edition {slug}: {_pluralise(len(files), 'file')}, with an explanation in each.")
    say(f"Next: edit {folder / 'edition.md'}, then preview it with: {context.command_line('preview', slug)}")


@click.command(name="import")
@click.argument("source", metavar="FILE|ADDRESS")
@click.option(
    "--edition",
    "slug",
    metavar="SLUG",
    default="",
    help="The name of the new edition. Default: the file's name, or the feed's name and the day.",
)
@click.option(
    "--language",
    metavar="TAG",
    default="",
    callback=lambda _context, _option, tag: _read_language(tag),
    help="The language it is written in, such as zh-Hans. Default: detected from the text.",
)
@click.option(
    "--stories-at",
    metavar="LEVEL",
    type=click.IntRange(1, 6),
    default=None,
    help="The level of the headings at which stories begin, 1 to 6. Default: found in the document.",
)
@click.option(
    "--since",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    default=None,
    help="Of a feed, take what was published on this day or later, such as 2026-10-01.",
)
@json_option
@pass_context
def import_(
    context: CliContext,
    source: str,
    slug: str,
    language: str,
    stories_at: int | None,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Turn a document or a feed into an edition.

    FILE is a Word document (.docx), an OpenDocument text (.odt) or a saved page or newsletter (.html).
    ADDRESS is that of an RSS or Atom feed, or of a page that names its feed. Stories begin at headings; in a
    document without headings, at titles in bold or larger type. Every entry of a feed is a story, the newest
    first. Pictures, tables, lists, links and notes are kept. Anything that could not be kept is listed with
    its place. Never overwrites files.

    Examples: mailer import newsletter.docx --edition 2026-2,
    mailer import https://www.example.org/feed --since 2026-10-01
    """
    is_address = source.lower().startswith(("https://", "http://"))
    if since and not is_address:
        raise click.UsageError("--since chooses among the entries of a feed. Leave it out for a file.")
    if stories_at and is_address:
        raise click.UsageError("Every entry of a feed is a story. Leave out --stories-at.")
    workspace = context.workspace
    sectors, today = workspace.settings.sectors, _local_today()
    if is_address:
        from editions.imports.importer import import_feed
        from mailer.remote_fetcher import RemoteFetcher

        with RemoteFetcher() as fetcher:
            imported = import_feed(
                source,
                workspace.editions,
                fetcher.fetch,
                slug=slug,
                language=language,
                sectors=sectors,
                since=since.date() if since else None,
                today=today,
            )
    else:
        from editions.imports.importer import import_document

        imported = import_document(
            _existing_file(source),
            workspace.editions,
            slug=slug,
            language=language,
            sectors=sectors,
            stories_at=stories_at or 0,
            today=today,
        )
    origin = {"feed": source} if is_address else {"file": Path(source).name}
    log_deed(context, deeds.imported_edition(imported.slug, **origin))
    if as_json:
        emit_json(imported)
        return
    emit(str(imported.folder))
    for name in imported.stories:
        emit(str(imported.folder / name))
    _print_imported(context, imported)


def _existing_file(source: str) -> Path:
    path = Path(source)
    if path.is_dir():
        raise click.UsageError(f"{source} is a folder. Give a file in it, or the address of a feed.")
    if not path.exists():
        raise click.UsageError(
            f"There is no file {source}. Give a file, or the address of a feed, which begins with https://."
        )
    return path


def _print_imported(context: CliContext, imported: ImportedEdition) -> None:
    made = f"{_pluralise(len(imported.stories), 'story')}, {_pluralise(len(imported.images), 'picture')}"
    say(f"Created the edition {imported.slug}, “{imported.title}”: {made}.")
    say(f"{imported.starts}.")
    if imported.omissions:
        say(f"{_pluralise(len(imported.omissions), 'thing')} in the document could not be kept unchanged:")
    for left in imported.omissions:
        say(f"  {left}")
    say(
        f"Check {imported.folder / 'edition.md'} first: the subject and preheader were made from the titles, "
        "the number from the name, and the date is today's."
    )
    say(f"Next: {context.command_line('check', imported.slug)}")


def _read_language(tag: str) -> str:
    from locales.languages import canonical_language

    if tag and not canonical_language(tag):
        raise click.BadParameter(
            f"{tag!r} is not a language tag. Use, for example, en, zh-Hans, mn, ja, ko or fr."
        )
    return canonical_language(tag) or ""


def _local_today() -> date:
    """Today's date in the user's own time zone, not in UTC."""
    return datetime.now(UTC).astimezone().date()
