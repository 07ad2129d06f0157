"""Picture our mails in Thunderbird and Roundcube, light and dark, for the gallery.

Run with `make clients`. A program that is not installed is named, with how to install it, and left out. The
pictures are of this machine's versions, so it is no part of the tests.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from scripts.image_grid import save_drawing
from scripts.mail_programs import roundcube, thunderbird
from scripts.mail_programs.display import open_display
from scripts.mail_programs.mailbox import PicturedMail, serving, write_pictured_mails

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SCHEMES = ("light", "dark")
_WIDEST, _TALLEST = 700, 560
_SCREEN = {"Xvfb": "xvfb", "import": "imagemagick"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NEEDS: Mapping[str, Mapping[str, str]] = {
    thunderbird.NAME: _SCREEN | thunderbird.COMMANDS,
    roundcube.NAME: roundcube.COMMANDS,
}


def main() -> None:
    """Write docs/images/program-*.png for every program that is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", default=list(_NEEDS), help="only these programs")
    parser.add_argument("--images", type=Path, default=IMAGES, help="the folder of the pictures")
    options = parser.parse_args()
    present = [name for name in options.programs if is_installed(name)]
    # Not in a folder that only this user may read: Dovecot reads mail as a user of its own.
    with tempfile.TemporaryDirectory(prefix="mail-programs-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        (folder / "mails").mkdir()
        with serving(folder / "mails") as base_url:
            mails = write_pictured_mails(folder / "mails", base_url)
            for name in present:
                for picture_name, picture in take_pictures(name, mails, folder):
                    path = options.images / f"program-{name}-{picture_name}.png"
                    picture.thumbnail((_WIDEST, picture.height), Image.Resampling.LANCZOS)
                    top = picture.crop((0, 0, picture.width, min(picture.height, _TALLEST)))
                    save_drawing(top, path)
                    print(f"clients: {path.name}, {path.stat().st_size // 1000} kB", flush=True)


def is_installed(name: str) -> bool:
    """Whether the program ``name`` is here; if not, say how to install it."""
    needs = _NEEDS[name]
    missing = [package for command, package in needs.items() if not shutil.which(command, path=_PATH)]
    if name == roundcube.NAME and not roundcube.PROGRAM.is_dir():
        missing += ["roundcube-core", "roundcube-sqlite3"]
    if missing:
        packages = " ".join(missing)
        print(
            f"clients: {name} is left out. To install it: apt-get install --no-install-recommends {packages}"
        )
    return not missing


def take_pictures(
    name: str, mails: Sequence[PicturedMail], folder: Path
) -> Iterator[tuple[str, Image.Image]]:
    """The pictures of one program: each mail, light and dark."""
    if name == thunderbird.NAME:
        with open_display() as display:
            for mail, scheme in product(mails, SCHEMES):
                yield f"{mail.name}-{scheme}", thunderbird.picture(mail, scheme, display, folder)
        return
    with (
        roundcube.running_roundcube(mails, folder / "roundcube") as (address, password),
        sync_playwright() as playwright,
    ):
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in SCHEMES:
            for shown, png in roundcube.take_pictures(browser, address, password, mails, scheme):
                yield f"{shown}-{scheme}", Image.open(io.BytesIO(png)).convert("RGB")
        browser.close()


if __name__ == "__main__":
    main()
