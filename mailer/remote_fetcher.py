"""Fetching the files of a feed: from public addresses only, and within limits of bytes, time and number."""

import re
import socket
import ssl
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from editions.imports.remote_file import FetchError, RemoteFile
from mailer.public_http import AddressRule, ForbiddenAddressError, is_public, open_public_client

if TYPE_CHECKING:
    import httpx2

_USER_AGENT = "partner-mailer import"
_STEP_SECONDS = 10.0
_ALL_SECONDS = 180.0
_MAX_FILES = 300
_MAX_BYTES = 200_000_000
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)


class RemoteFetcher:
    """Fetches files for one import. All of them together take at most ``seconds``, ``max_files`` requests and
    200 MB."""

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
        """The file at ``address``, of at most ``max_bytes``.

        Raises:
            FetchError: there is none, or it is not fetched.
        """
        if urlsplit(address).scheme not in {"http", "https"}:
            raise FetchError("only addresses that begin with https:// or http:// are fetched.")
        self._files += 1
        if self._files > self._max_files:
            raise FetchError(f"no more than {self._max_files} files are fetched in one import.")
        outcome: list[RemoteFile | Exception] = []

        def run() -> None:
            try:
                outcome.append(self._request(address, max_bytes))
            except Exception as error:
                outcome.append(error)

        # In a thread of its own: neither looking up a name nor a server that drips bytes has a time limit.
        thread = threading.Thread(target=run, name="mailer-import", daemon=True)
        thread.start()
        thread.join(max(self._ends - time.monotonic(), 0))
        if not outcome:
            raise FetchError(f"an import stops fetching after {self._seconds:.0f} seconds.")
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def _request(self, address: str, max_bytes: int) -> RemoteFile:
        import httpx2

        try:
            with self._client.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as response:
                return self._read(response, max_bytes)
        except ForbiddenAddressError as error:
            raise FetchError(
                f"{error} is not a public address, and only public ones are fetched. Save what is there with "
                "a browser and import that file."
            ) from error
        except httpx2.TooManyRedirects as error:
            raise FetchError("it leads from one address to the next without end.") from error
        except httpx2.TimeoutException as error:
            raise FetchError("there was no answer in time. Try again later.") from error
        except httpx2.UnsupportedProtocol as error:
            raise FetchError(
                "it leads to an address that begins neither with https:// nor http://."
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
            raise FetchError(_explain(error)) from error

    def _read(self, response: "httpx2.Response", max_bytes: int) -> RemoteFile:
        if response.status_code >= 400:
            raise FetchError(f"it answers with the error {response.status_code}. Open it in a browser.")
        data = bytearray()
        # Counted as they are unpacked, so that a small file cannot become a large one.
        for piece in response.iter_bytes():
            data += piece
            self._bytes += len(piece)
            if len(data) > max_bytes:
                raise FetchError(f"it is larger than {max_bytes / 1_000_000:.0f} MB.")
            if self._bytes > _MAX_BYTES:
                raise FetchError(f"no more than {_MAX_BYTES // 1_000_000} MB are fetched in one import.")
            if time.monotonic() > self._ends:
                raise FetchError(f"an import stops fetching after {self._seconds:.0f} seconds.")
        found = _CHARSET.search(response.headers.get("content-type", ""))
        return RemoteFile(address=str(response.url), data=bytes(data), charset=found[1] if found else "")


def _explain(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return "there is no server of that name. Check the address."
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({cause.verify_message})."
        cause = cause.__cause__ or cause.__context__
    return f"it cannot be reached ({str(error).strip() or type(error).__name__})."
