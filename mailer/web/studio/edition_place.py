"""Which edition the path of a request names."""

from pathlib import Path

from starlette.exceptions import HTTPException

from mailer.errors import ConfigurationError
from mailer.web.studio.page import StudioPage


def find_edition_folder(page: StudioPage, edition: str) -> Path:
    """The folder of the edition that a path names.

    Raises:
        HTTPException: 404, there is no such edition.
    """
    if edition.startswith("."):
        # Editions that are being made are in hidden folders.
        raise HTTPException(404)
    try:
        return page.state.workspace.edition_folder(edition)
    except (ConfigurationError, OSError, ValueError) as error:
        # The system refuses a name that is too long, and Python one with a NUL.
        raise HTTPException(404) from error
