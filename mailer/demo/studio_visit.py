"""The end of the demo: Studio, where a guest looks at what the demo has sent."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.team_models import Role, SignInLinkPurpose
from mailer.team.members import add_member
from mailer.team.sign_in_links import create_link
from mailer.web.server import serve
from mailer.web.site import create_local_studio
from mailer.workspace import open_workspace

CAMPAIGN = 3
"""The campaign that the guest sees first: it went to everybody, and somebody left in the middle."""

_GUEST = "guest@demo.example.org"
_PORT = 8028


def show_in_studio(root: Path, *, announce: Callable[[str], None], free_port: Callable[[int], int]) -> None:
    """Serve Studio for the demo in ``root``, on this machine alone, until Ctrl-C. ``announce`` gets the link
    that signs the guest in: once, within a quarter of an hour."""
    # Nothing of it is sent: the folder takes the place of the relay inside the demo, which has stopped.
    environ = {"MAILER_SMTP__URL": "maildir:received", "MAILER_LOG__FILE": "mailer.log"}
    workspace = open_workspace(root, environ=environ)
    port = free_port(_PORT)
    # Browsers take passkeys for the name of a host alone, so not for 127.0.0.1.
    address = f"http://localhost:{port}/studio"
    with workspace.use_database() as engine:
        secret = _let_guest_in(engine)
    serve(
        create_local_studio(workspace, address=address),
        host="127.0.0.1",
        port=port,
        announce=lambda _: announce(f"{address}/link/{secret}"),
    )


def _let_guest_in(engine: Engine) -> str:
    """Make the guest, and return the secret of their link."""
    now = datetime.now(UTC)
    with Session(engine) as session:
        guest = add_member(session, _GUEST, "Guest", Role.guest, now=now)
        secret = create_link(
            session,
            SignInLinkPurpose.sign_in,
            now=now,
            member_id=guest.id,
            next_path=f"/campaigns/{CAMPAIGN}/report",
        )
        session.commit()
    return secret
