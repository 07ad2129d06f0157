"""One request to the public address, as readers make it, and in words why there is no answer."""

import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import SplitResult

from locales.phrase import Phrase, gettext_noop

_SECONDS = 10.0
_LARGEST_BODY = 65_536


class UnreachableError(Exception):
    """There is no answer; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was answered, and to where it leads, "" if nowhere. ``is_ours`` says that our pages answered, and
    ``certificate_ends`` until when the certificate is valid; None without one."""

    status: int
    location: str
    is_ours: bool
    text: str
    certificate_ends: datetime | None

    @property
    def is_redirect(self) -> bool:
        return 300 <= self.status < 400


def request_page(
    base: SplitResult,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Request ``path`` below ``base``, without following where the answer leads.

    Raises:
        UnreachableError: there is no answer.
    """
    host, port = base.hostname or "", base.port or (443 if base.scheme == "https" else 80)
    connection = _make_connection(base.scheme, host, port)
    try:
        return _explain_failures(
            host, port, lambda: _exchange(connection, method, f"{base.path}{path}", headers or {}, body)
        )
    finally:
        connection.close()


def _make_connection(scheme: str, host: str, port: int) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=_SECONDS)


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes | None,
) -> Answer:
    connection.request(method, path, body=body, headers={**headers, "User-Agent": "partner-mailer-doctor"})
    ends = _read_certificate_end(connection.sock)
    response = connection.getresponse()
    return Answer(
        status=response.status,
        location=response.getheader("location", "") or "",
        # A header that all of our pages have, and no error page of a proxy.
        is_ours="default-src 'none'" in (response.getheader("content-security-policy", "") or ""),
        text=response.read(_LARGEST_BODY).decode("utf-8", "replace"),
        certificate_ends=ends,
    )


def _read_certificate_end(connected: socket.socket | ssl.SSLSocket) -> datetime | None:
    certificate = connected.getpeercert() if isinstance(connected, ssl.SSLSocket) else None
    if not certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def _explain_failures(host: str, port: int, exchange: Callable[[], Answer]) -> Answer:
    """Run ``exchange``, and turn what goes wrong into words."""
    try:
        return exchange()
    except socket.gaierror as error:
        words = Phrase(
            gettext_noop(
                "the name %(host)s is not known (%(error)s). Add it to your DNS, or correct [web] base_url."
            ),
            host=host,
            error=error.strerror,
        )
    except ssl.SSLCertVerificationError as error:
        fault = error.verify_message.rstrip(".")
        words = Phrase(
            gettext_noop(
                "the certificate of %(host)s is not valid: %(fault)s. Readers see a warning, and mail "
                "programs give up. Let the proxy use a valid one, with the whole chain."
            ),
            host=host,
            fault=fault,
        )
    except ssl.SSLError as error:
        words = Phrase(
            gettext_noop(
                "%(host)s port %(port)s does not speak https (%(reason)s). Check the proxy's "
                "certificate and port."
            ),
            host=host,
            port=port,
            reason=error.reason or error,
        )
    except TimeoutError:
        words = Phrase(
            gettext_noop(
                "%(host)s port %(port)s does not answer within %(seconds)s s. Check the firewall, and "
                "where the name points to."
            ),
            host=host,
            port=port,
            seconds=f"{_SECONDS:.0f}",
        )
    except ConnectionRefusedError:
        words = Phrase(
            gettext_noop(
                "nothing listens at %(host)s port %(port)s. Start the proxy, or correct where the name "
                "points to."
            ),
            host=host,
            port=port,
        )
    except (OSError, http.client.HTTPException) as error:
        words = Phrase(
            gettext_noop("%(host)s port %(port)s gives no answer (%(error)s). Check the proxy."),
            host=host,
            port=port,
            error=error or type(error).__name__,
        )
    raise UnreachableError(words)
