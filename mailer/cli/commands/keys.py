"""The commands of ``mailer keys``: list, rotate and retire the keys that sign links."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say

if TYPE_CHECKING:
    from mailer.keys import TokenKey


@click.group()
def keys() -> None:
    """List, rotate and retire the keys that sign the links in mails."""


@keys.command(name="list")
@json_option
@pass_context
def list_(context: CliContext, as_json: bool) -> None:
    """List the keys by number, without their secrets, and show which one signs new links."""
    from mailer.keys import KEYS_FILE, list_keys

    found = list_keys(context.open_workspace().root / KEYS_FILE)
    if as_json:
        emit_json([asdict(key) for key in found])
        return
    rows = [(key.number, key.made or "–", key.last_day or "–", _describe_use(key)) for key in found]
    emit(columns(rows, head=("key", "made", "last day", "what it does"), right=(0,)))


def _describe_use(key: TokenKey) -> str:
    if key.signs:
        return "signs and reads"
    return f"nothing: retired on {key.retired}" if key.retired else "reads"


@keys.command()
@json_option
@pass_context
def rotate(context: CliContext, as_json: bool) -> None:
    """Create a new key to sign links from now on. Links in newsletters already sent keep working.

    Single-use links, such as those that confirm an erasure, stop working and have to be requested again.
    Whoever has a copy of an older key can still unsubscribe people with it; `mailer keys retire` ends that.
    """
    from mailer.keys import KEYS_FILE, rotate_keys

    path = context.open_workspace().root / KEYS_FILE
    number = rotate_keys(path, now=datetime.now(UTC))
    if as_json:
        emit_json({"number": number})
    say(
        f"Key {number} signs new links from now on. Older keys still verify the links in newsletters already "
        f"sent. Back up {path.name}, and copy it to every machine that uses this workspace today: from "
        "tomorrow, links that the older key signs for a new campaign are refused. Programs that are running "
        "notice by themselves; a campaign that is being sent is finished with the key it began with."
    )


@keys.command()
@click.argument("number", metavar="KEY", type=int)
@click.option("--confirm", is_flag=True, help="Retire it; without this option, only show what would stop.")
@json_option
@pass_context
def retire(context: CliContext, number: int, confirm: bool, as_json: bool) -> None:
    """End all links that an older key has signed, because somebody else may have the key.

    A reader who opens one of them, or whose mail program uses one to unsubscribe, changes nothing; the page
    offers to mail a new link. DKIM keys and Message-IDs are not affected. Example: mailer keys retire 1
    """
    from mailer.campaigns.report import count_readers
    from mailer.campaigns.uses import find_key_use
    from mailer.keys import KEYS_FILE, find_retirable_key, retire_key

    workspace = context.open_workspace()
    path = workspace.root / KEYS_FILE
    key = find_retirable_key(path, number)
    with context.read_session(workspace) as session:
        use = find_key_use(session, key)
    now = datetime.now(UTC)
    if confirm:
        retire_key(path, number, now=now)
    if as_json:
        emit_json({"number": number, "retired": confirm or bool(key.retired), **use.as_dict()})
    show = say if as_json else emit
    if use.campaigns:
        show(
            f"Key {number} may have signed links in {use.campaigns:,} "
            f"campaign{'' if use.campaigns == 1 else 's'} to {count_readers(use.readers)}, the last launched "
            f"on {use.last_launch}."
        )
    else:
        show(f"Key {number} signed links in no campaign.")
    if use.is_protected(now.date()):
        say(
            "The law of some countries asks that a link to unsubscribe works for 30 days (US) or 60 days "
            "(Canada) after a mail. Answer requests to unsubscribe by hand until then, or send those "
            "readers a mail with new links."
        )
    if not confirm:
        command = context.command_line("keys", "retire", str(number), "--confirm")
        say(f"Would end those links. To do it: {command}")
        return
    say(
        f"Key {number} is retired: its links change nothing and lead to a page that mails a new one. Back up "
        f"{path.name}, and copy it to every machine that uses this workspace. Programs that are running "
        "notice by themselves."
    )
