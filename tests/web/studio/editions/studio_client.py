"""A member of the team who uses Studio without a browser, and editions for them."""

from pathlib import Path
from urllib.parse import urlencode, urlsplit

from mailer.database.team_models import Role
from tests.factories.draft_edition import Draft
from tests.web.site import HttpResponse, send_request
from tests.web.studio.conftest import Studio

FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


class StudioClient:
    """A signed-in member; paths are below /studio."""

    def __init__(self, studio: Studio, role: Role = Role.author) -> None:
        self.studio = studio
        self.cookie = studio.sign_in(studio.add_member(role, f"{role.value.title()} Member"))

    def get(self, path: str, **headers: str) -> HttpResponse:
        """Request a page."""
        return self._request("GET", path, None, headers)

    def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> HttpResponse:
        """Send a form."""
        return self._request("POST", path, urlencode(fields or {}).encode(), {**FORM, **headers})

    def send(self, path: str, body: bytes, **headers: str) -> HttpResponse:
        """Send a form that is written already."""
        return self._request("POST", path, body, {**FORM, **headers})

    def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> HttpResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        parts = urlsplit(self.studio.url)
        return send_request(
            self.studio.url, method, f"{parts.path}{path}", body, {"cookie": self.cookie, **named}
        )


def write_story(draft: Draft, name: str, title: str, sector: str = "culture") -> None:
    """Add a story file to an edition."""
    draft.write(
        f"stories/{name}", f"---\ntitle: {title}\nsector: {sector}\ncountries: [MN]\n---\n\nWhat we did.\n"
    )


def list_files(folder: Path) -> list[str]:
    """The files of an edition, with those that are hidden."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
