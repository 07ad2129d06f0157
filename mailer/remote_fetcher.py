"""Fetching the files of a feed: from public addresses only, and within limits of bytes, time and number."""

import re
import socket
import ssl
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from editions.imports.source_document import FetchError, RemoteFile
from locales.phrase import Phrase, gettext_noop
from mailer.background import TooSlowError, run_within
from mailer.public_http import AddressRule, ForbiddenAddressError, is_public, open_public_client

if TYPE_CHECKING:
    import httpx2

_USER_AGENT = "partner-mailer import"
_STEP_SECONDS = 10.0
_ALL_SECONDS = 180.0
_MAX_FILES = 300
_MAX_BYTES = 200_000_000
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_TOO_LONG = gettext_noop("an import stops fetching after %(seconds)s seconds.")


class RemoteFetcher:
    """Fetches files for one import. They take at most ``seconds``, ``max_files`` requests and 200 MB."""

    def __init__(
        self,
        *,
        is_allowed: AddressRule = is_public,
        step_seconds: float = _STEP_SECONDS,
        seconds: float = _ALL_SECONDS,
        max_files: int = _MAX_FILES,
    ) -> None:
        self._client = open_public_client(is_allowed, timeout=step_seconds, user_agent=_USER_AGENT)
        self._seconds = seconds
        self._max_files = max_files
        self._ends = time.monotonic() + seconds
        self._files = 0
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def fetch(self, address: str, max_bytes: int) -> RemoteFile:
        """Return the file at ``address``, of at most ``max_bytes``. Raise FetchError if it is not fetched."""
        if urlsplit(address).scheme not in {"http", "https"}:
            raise FetchError(gettext_noop("only addresses that begin with https:// or http:// are fetched."))
        self._files += 1
        if self._files > self._max_files:
            raise FetchError(
                Phrase(
                    "no more than %(most)s files are fetched in one import.",
                    most=self._max_files,
                )
            )
        left = self._ends - time.monotonic()
        try:
            return run_within(left, lambda: self._request(address, max_bytes), name="mailer-import")
        except TooSlowError as error:
            raise FetchError(Phrase(_TOO_LONG, seconds=f"{self._seconds:.0f}")) from error

    def _request(self, address: str, max_bytes: int) -> RemoteFile:
        import httpx2

        try:
            with self._client.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as response:
                return self._read(response, max_bytes)
        except ForbiddenAddressError as error:
            raise FetchError(
                Phrase(
                    "%(address)s is not a public address, and only public ones are fetched. Save what is "
                    "there with a browser and import that file.",
                    address=error,
                )
            ) from error
        except httpx2.TooManyRedirects as error:
            raise FetchError(gettext_noop("it leads from one address to the next without end.")) from error
        except httpx2.TimeoutException as error:
            raise FetchError(gettext_noop("there was no answer in time. Try again later.")) from error
        except httpx2.UnsupportedProtocol as error:
            raise FetchError(
                gettext_noop("it leads to an address that begins neither with https:// nor http://.")
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
            raise FetchError(_explain(error)) from error

    def _read(self, response: "httpx2.Response", max_bytes: int) -> RemoteFile:
        if response.status_code >= 400:
            raise FetchError(
                Phrase(
                    "it answers with the error %(status)s. Open it in a browser.",
                    status=response.status_code,
                )
            )
        data = bytearray()
        # Counted as they are unpacked, so that a small file cannot become a large one.
        for piece in response.iter_bytes():
            data += piece
            self._bytes += len(piece)
            if len(data) > max_bytes:
                raise FetchError(
                    Phrase("it is larger than %(most)s MB.", most=f"{max_bytes / 1_000_000:.0f}")
                )
            if self._bytes > _MAX_BYTES:
                raise FetchError(
                    Phrase(
                        "no more than %(most)s MB are fetched in one import.",
                        most=_MAX_BYTES // 1_000_000,
                    )
                )
            if time.monotonic() > self._ends:
                raise FetchError(Phrase(_TOO_LONG, seconds=f"{self._seconds:.0f}"))
        found = _CHARSET.search(response.headers.get("content-type", ""))
        return RemoteFile(address=str(response.url), data=bytes(data), charset=found[1] if found else "")


def _explain(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return gettext_noop("there is no server of that name. Check the address.")
        if isinstance(cause, ssl.SSLCertVerificationError):
            words = gettext_noop("its certificate is not valid (%(error)s).")
            return Phrase(words, error=cause.verify_message)
        cause = cause.__cause__ or cause.__context__
    words = gettext_noop("it cannot be reached (%(error)s).")
    return Phrase(words, error=str(error).strip() or type(error).__name__)
