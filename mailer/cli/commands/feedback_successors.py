"""``mailer feedback successors``: who may follow a reader that has left, and a person's decision."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.cli.commands.one_subscriber import detail_options, read_changes
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import emit, emit_json, json_option, say
from mailer.utc import format_utc

if TYPE_CHECKING:
    from mailer.feedback.successors import SuccessorProposal

_as_option = click.option(
    "--as",
    "by",
    metavar="NAME",
    envvar=["LOGNAME", "USER"],
    help="Who decides. Recorded. Default: the user running the command.",
)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def successors(ctx: click.Context, as_json: bool) -> None:
    """Show who may follow readers that have left, with the words of their automatic replies.

    Nothing is added by itself: accept or refuse each by its number.
    """
    if ctx.invoked_subcommand is None:
        _show(ctx.ensure_object(CliContext), as_json=as_json)


def _show(context: CliContext, *, as_json: bool) -> None:
    from mailer.feedback.successors import list_proposals

    workspace = context.open_workspace()
    with context.read_session(workspace) as session:
        proposals = list_proposals(session)
    if as_json:
        emit_json([proposal.as_dict() for proposal in proposals])
        return
    for proposal in proposals:
        _print(proposal)
    if proposals:
        command = context.command_line("feedback", "successors", "accept")
        say(f"Add one with {command} NUMBER --as NAME --basis TEXT, or refuse it.")
    elif workspace.settings.feedback.successors:
        say("No automatic reply has named a successor that waits for you.")
    else:
        say(
            "Automatic replies are not read for successors. To have them read, set successors = true under "
            "[feedback] in mailer.toml."
        )


@successors.command()
@click.argument("number", type=int)
@_as_option
@click.option("--basis", metavar="TEXT", help="Why you may write to the new person. Recorded.")
@click.option("--left", is_flag=True, help="The predecessor has left: send them no more mail.")
@detail_options
@json_option
@pass_context
def accept(
    context: CliContext,
    /,
    number: int,
    by: str | None,
    basis: str | None,
    left: bool,
    as_json: bool,
    **details: str | None,
) -> None:
    """Add a successor to the list, with the predecessor's organisation, country and sectors.

    Options change what is proposed. The predecessor stays on the list unless you say --left. Example: mailer
    feedback successors accept 3 --as 'Mei Lin' --basis 'took over the office' --left
    """
    from mailer.feedback.successors import accept_successor

    if basis is None and sys.stdin.isatty():
        basis = click.prompt("Why may you write to this person?", err=True)
    if not (basis or "").strip():
        raise click.UsageError("Say why you may write to this person: --basis TEXT. It is kept on record.")
    workspace = context.open_workspace()
    with context.write_session(workspace) as session:
        decision = accept_successor(
            session,
            workspace,
            number,
            by=by or "",
            basis=basis or "",
            changes=read_changes(details),
            has_left=left,
            now=datetime.now(UTC),
        )
    if as_json:
        emit_json(vars(decision))
        return
    kept = "gets no more mail" if decision.has_left else "stays on the list (--left ends the mail to them)"
    say(f"Added {decision.email}. {decision.predecessor} {kept}.")


@successors.command()
@click.argument("number", type=int)
@_as_option
@json_option
@pass_context
def refuse(context: CliContext, number: int, by: str | None, as_json: bool) -> None:
    """Refuse a successor. They are not proposed for the same reader again."""
    from mailer.feedback.successors import refuse_successor

    workspace = context.open_workspace()
    with context.write_session(workspace) as session:
        proposal = refuse_successor(session, number, by=by or "", now=datetime.now(UTC))
    if as_json:
        emit_json({"number": proposal.number, "email": proposal.email, "predecessor": proposal.predecessor})
        return
    say(f"{proposal.email} is not added, and not proposed for {proposal.predecessor} again.")


def _print(proposal: SuccessorProposal) -> None:
    person = f"{proposal.name} <{proposal.email}>" if proposal.name else proposal.email
    predecessor = proposal.predecessor_name or proposal.predecessor
    place = ", ".join(filter(None, (proposal.organisation, proposal.country, ", ".join(proposal.sectors))))
    emit(f"{proposal.number}  {person}")
    emit(f"    follows {predecessor} <{proposal.predecessor}>, {proposal.predecessor_status}")
    if place:
        emit(f"    would get: {place}")
    emit(f"    {format_utc(proposal.at)}: “{proposal.words}”")
    emit("")
