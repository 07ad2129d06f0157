"""Evolution, whose own folder on this machine is a maildir that holds one mail."""

import shutil
from pathlib import Path

from PIL import Image

from scripts.mail_programs.display import Display
from scripts.mail_programs.mailbox import PicturedMail

NAME = "evolution"
COMMANDS = {"evolution": "evolution", "xdotool": "xdotool", "dbus-run-session": "dbus-daemon"}
# An account that does nothing: without any, Evolution asks for one.
_ACCOUNT = """\
[Data Source]
DisplayName=Pictures
Enabled=true
Parent=

[Mail Account]
BackendName=none
IdentityUid=pictures-identity
"""
_IDENTITY = """\
[Data Source]
DisplayName=Pictures
Enabled=true
Parent=pictures

[Mail Identity]
Address=reader@example.org
Name=Reader
"""


def picture(mail: PicturedMail, scheme: str, display: Display, folder: Path) -> Image.Image:
    """``mail`` as Evolution shows it in ``scheme``, light or dark."""
    home = folder / f"evolution-{mail.name}-{scheme}"
    mailbox = home / ".local/share/evolution/mail/local"
    for part in ("cur", "new", "tmp"):
        (mailbox / part).mkdir(parents=True)
    (mailbox / "..maildir++").touch()
    shutil.copy(mail.file, mailbox / "new" / "1700000001.M1.pictures")
    sources = home / ".config/evolution/sources"
    sources.mkdir(parents=True)
    (sources / "pictures.source").write_text(_ACCOUNT)
    (sources / "pictures-identity.source").write_text(_IDENTITY)
    theme = "Adwaita:dark" if scheme == "dark" else "Adwaita"
    environ = {
        "GTK_THEME": theme,
        "GSETTINGS_BACKEND": "memory",
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
    }
    command = ["dbus-run-session", "--", "evolution", "-c", "mail", "folder://local/Inbox"]
    with display.running(command, home, environ):
        display.await_picture()
        # The next unread mail, wherever it is.
        display.press("bracketright")
        shown = display.await_picture()
    return shown.crop(shown.getbbox())
