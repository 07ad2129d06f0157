"""The command ``doctor``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, find_explained, json_option

if TYPE_CHECKING:
    from mailer.doctor import Diagnosis
    from mailer.workspace import Workspace


@click.command()
@click.argument("subject", required=False)
@click.option("--all", "show_all", is_flag=True, help="Also show what is good.")
@click.option("--explain", metavar="CODE", help="Explain one finding instead: what it means and what to do.")
@click.option(
    "--message",
    "message_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE.eml",
    help="Check one message of yours instead, as it was received: a test that you saved where it arrived.",
)
@json_option
@pass_context
def doctor(
    context: CliContext,
    subject: str | None,
    show_all: bool,
    explain: str | None,
    message_file: Path | None,
    as_json: bool,
) -> None:
    """Check whether your mail will arrive and be believed. Sends nothing, changes nothing.

    Looks at settings, keys, files, database, mail relay, web pages and mailbox, and asks the DNS about SPF,
    DKIM and DMARC. With SUBJECT, shows the findings about that alone. Exits with 1 if anything is bad.
    Examples: mailer doctor spf, mailer doctor --explain spf-missing
    """
    if explain is not None:
        from mailer.doctor.diagnosis import describe_finding, read_explanations

        found = find_explained(explain, read_explanations(), kind="finding", page="docs/doctor.md")
        emit(f"# {explain}\n\n{describe_finding(found)}")
        return
    from mailer.doctor import Health, diagnose_workspace

    workspace = context.workspace
    findings = everything = (
        diagnose_workspace(workspace) if message_file is None else _check_message(workspace, message_file)
    )
    if subject is not None:
        findings = tuple(finding for finding in findings if finding.subject.startswith(subject.lower()))
        if not findings:
            raise click.BadParameter(
                f"nothing was found about {subject!r}. `mailer doctor --all` shows every subject.",
                param_hint="SUBJECT",
            )
    if as_json:
        emit_json(findings)
    else:
        from mailer.cli.rich_tables import print_findings

        print_findings(findings, show_good=show_all or subject is not None or message_file is not None)
        if message_file is None and (subject is None or subject.lower() == "providers"):
            from mailer.cli.rich_tables import print_demands
            from mailer.doctor.provider_checks import read_demands

            print_demands(read_demands(workspace, everything))
    sys.exit(1 if any(finding.verdict is Health.bad for finding in findings) else 0)


def _check_message(workspace: Workspace, path: Path) -> tuple[Diagnosis, ...]:
    from mailer.doctor.message_checks import check_received_message, read_message_file

    return tuple(check_received_message(workspace, read_message_file(path)))
