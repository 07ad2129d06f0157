"""Commands about the secrets of a workspace: list, rotate."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from mailer.cli.home import Home, pass_home
from mailer.cli.output import columns, emit, emit_json, json_option, say


@click.group()
def keys() -> None:
    """Look at and renew the keys by which links in mails are signed."""


@keys.command(name="list")
@json_option
@pass_home
def list_(home: Home, as_json: bool) -> None:
    """List the keys by number, without their secrets: which one signs, which only read."""
    from mailer.keys import KEYS_FILE, list_keys

    found = list_keys(home.open().root / KEYS_FILE)
    if as_json:
        emit_json([{"number": key.number, "made": key.made, "signs": key.signs} for key in found])
        return
    rows = [(key.number, key.made or "–", "signs and reads" if key.signs else "reads") for key in found]
    emit(columns(rows, head=("key", "made", "what it does"), right=(0,)))


@keys.command()
@json_option
@pass_home
def rotate(home: Home, as_json: bool) -> None:
    """Make a new key that signs from now on. Links in mails that are out go on working.

    Links that were mailed for one thing, such as to be erased, stop working and have to be asked for again.
    """
    from mailer.keys import KEYS_FILE, rotate_keys

    path = home.open().root / KEYS_FILE
    number = rotate_keys(path, now=datetime.now(UTC))
    if as_json:
        emit_json({"number": number})
    say(
        f"Key {number} signs from now on; older ones go on reading the links of newsletters. Put {path.name} "
        "into the backup, copy it to every machine of this workspace, then restart `mailer serve` and "
        "`mailer work`, which sign with the key they started with."
    )
