"""Thunderbird, which opens a mail from its file in a window of its own."""

from pathlib import Path

from PIL import Image

from scripts.mail_programs.display import Display
from scripts.mail_programs.mailbox import PicturedMail

NAME = "thunderbird"
COMMANDS = {"thunderbird": "thunderbird"}
_THEMES = {"light": "thunderbird-compact-light@mozilla.org", "dark": "thunderbird-compact-dark@mozilla.org"}
# No questions on the first start, and pictures shown: they are on this machine.
_PREFERENCES = {
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mail.inappnotifications.enabled": False,
    "mailnews.start_page.enabled": False,
    "mailnews.message_display.disable_remote_image": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
}


def picture(mail: PicturedMail, scheme: str, display: Display, folder: Path) -> Image.Image:
    """``mail`` as Thunderbird shows it in ``scheme``, light or dark."""
    home = folder / f"thunderbird-{mail.name}-{scheme}"
    profile = home / "profile"
    profile.mkdir(parents=True)
    own = {
        "ui.systemUsesDarkTheme": int(scheme == "dark"),
        "browser.theme.toolbar-theme": int(scheme == "light"),
        "browser.theme.content-theme": int(scheme == "light"),
        "extensions.activeThemeID": _THEMES[scheme],
    }
    lines = [f'user_pref("{name}", {_write(value)});' for name, value in (_PREFERENCES | own).items()]
    (profile / "user.js").write_text("\n".join(lines))
    with display.running(["thunderbird", "--profile", profile, mail.file], home):
        shown = display.await_picture()
    # Its window, without the empty screen around it.
    return shown.crop(shown.getbbox())


def _write(value: bool | int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
