"""Turning templates into pages, and the files that go with them."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from mailer.settings import Settings
from templates import ROOT

FOLDER = ROOT / "web"
FOREVER = "public, max-age=31536000, immutable"
"""For what is named by a hash of its content."""

_TICKED = re.compile(r"`([^`]+)`")
# Written down: the system's own table may be wrong, and a style sheet of another type is not applied.
_MEDIA_TYPES = MappingProxyType({".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"})

_ERRORS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: (
            "That did not arrive well",
            "What your browser sent could not be read. Please go back and try again.",
        ),
        403: (
            "Please use our own page",
            "This was sent from another site, so nothing was changed. Open the link in your mail again.",
        ),
        404: (
            "This page is not here",
            "The link may be incomplete. Open it again from the mail, or copy all of it.",
        ),
        405: (
            "That does not work here",
            "This address cannot be used that way. Open the link in your mail again.",
        ),
        409: (
            "This needs a person",
            "The team took this address off the list, so it cannot be put back here. Please write to us.",
        ),
        413: (
            "That is too much",
            "What your browser sent is larger than any of our forms. Nothing was changed.",
        ),
        415: (
            "That did not arrive well",
            "What your browser sent could not be read. Please go back and try again.",
        ),
        421: ("Not this address", "This page answers only on this machine, as 127.0.0.1 or localhost."),
        500: ("Something broke", "It is our fault, not yours. Please try again in a while."),
    }
)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file that goes with the pages. ``name`` holds a hash of ``data``."""

    name: str
    data: bytes
    media_type: str


class Pages:
    """The templates of one application and the words its pages share. ``prefix`` stands before all paths."""

    def __init__(self, settings: Settings, *, prefix: str = "") -> None:
        self.prefix = prefix
        self._assets = _load_assets()
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(day=write_day, ticks=mark_ticks)
        self._environment.globals.update(
            asset=self._asset_path,
            prefix=self.prefix,
            sender_name=settings.sender.name,
            organisation=settings.sender.organisation,
            postal_address=settings.sender.postal_address,
            contact=settings.sender.reply_to or settings.sender.address,
        )

    def show(self, template: str, *, status: int = 200, **words: object) -> HTMLResponse:
        """The page of ``template`` filled with ``words``."""
        return HTMLResponse(self._environment.get_template(template).render(words), status_code=status)

    def refuse(self, status: int) -> HTMLResponse:
        """The page for an error. It repeats nothing that was asked, so it is the same for everybody."""
        title, words = _ERRORS.get(status) or (HTTPStatus(status).phrase, "Please go back and try again.")
        return self.show("error.html", status=status, title=title, words=words)

    def asset(self, name: str) -> Response | None:
        """The file called ``name``, hash included; None where there is none."""
        found = next((asset for asset in self._assets.values() if asset.name == name), None)
        if found is None:
            return None
        return Response(found.data, media_type=found.media_type, headers={"cache-control": FOREVER})

    def icon(self) -> Response:
        """The icon for pages that name none: a mail in its sandbox, which is of another origin than ours."""
        icon = self._assets["icon.svg"]
        headers = {"cache-control": "public, max-age=86400", "cross-origin-resource-policy": "cross-origin"}
        return Response(icon.data, media_type=icon.media_type, headers=headers)

    def _asset_path(self, file: str) -> str:
        return f"{self.prefix}/static/{self._assets[file].name}"


def write_day(day: date) -> str:
    """``day`` as a letter writes it: 5 March 2027."""
    return f"{day.day} {day:%B %Y}"


def mark_ticks(text: str) -> Markup:
    """``text`` with what stands between backticks set as code."""
    return Markup(_TICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


def _load_assets() -> dict[str, Asset]:
    assets = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix not in _MEDIA_TYPES:
            continue
        data = path.read_bytes()
        name = f"{path.stem}.{hashlib.sha256(data).hexdigest()[:12]}{path.suffix}"
        assets[path.name] = Asset(name=name, data=data, media_type=_MEDIA_TYPES[path.suffix])
    return assets
