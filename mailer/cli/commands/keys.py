"""The commands of ``mailer keys``: list and rotate the keys that sign links."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say


@click.group()
def keys() -> None:
    """List and rotate the keys that sign the links in mails."""


@keys.command(name="list")
@json_option
@pass_context
def list_(context: CliContext, as_json: bool) -> None:
    """List the keys by number, without their secrets, and show which one signs new links."""
    from mailer.keys import KEYS_FILE, list_keys

    found = list_keys(context.open_workspace().root / KEYS_FILE)
    if as_json:
        emit_json([{"number": key.number, "made": key.made, "signs": key.signs} for key in found])
        return
    rows = [(key.number, key.made or "–", "signs and reads" if key.signs else "reads") for key in found]
    emit(columns(rows, head=("key", "made", "what it does"), right=(0,)))


@keys.command()
@json_option
@pass_context
def rotate(context: CliContext, as_json: bool) -> None:
    """Create a new key to sign links from now on. Links in newsletters already sent keep working.

    Single-use links, such as those that confirm an erasure, stop working and have to be requested again.
    """
    from mailer.keys import KEYS_FILE, rotate_keys

    path = context.open_workspace().root / KEYS_FILE
    number = rotate_keys(path, now=datetime.now(UTC))
    if as_json:
        emit_json({"number": number})
    say(
        f"Key {number} signs new links from now on. Older keys still verify the links in newsletters already "
        f"sent. Back up {path.name}, copy it to every machine that uses this workspace, then restart `mailer "
        "serve` and `mailer work`: they sign with the key they started with."
    )
