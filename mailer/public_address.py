"""Ask the public address what a reader's browser and mail program would, and name what is wrong with it."""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.network import parse_address
from mailer.settings import LOOPBACK_HOSTS
from mailer.site_proof import QUESTION_HEADER, RequestOrigin, read_answer, sign_question
from mailer.workspace import Workspace

_SECONDS = 10.0
_ALL_SECONDS = 60.0
_LARGEST_BODY = 65_536
_CERTIFICATE_WARNING = timedelta(days=14)
_MADE_UP = "192.0.2.1"
"""An address of nobody (RFC 5737), which we claim to be."""
_HTTP_PORT = 80
_ANOTHER = gettext_noop("another address")


class Gravity(StrEnum):
    """How serious a finding about the public address is."""

    good = "good"
    """As it should be."""

    doubtful = "doubtful"
    """Readers can do everything, but something should be better."""

    bad = "bad"
    """Readers cannot unsubscribe, or something private is open."""


@dataclass(frozen=True, kw_only=True)
class AddressFinding:
    """What was found: how serious it is, and in words what is wrong and what to do."""

    gravity: Gravity
    message: str


class _UnreachableError(Exception):
    """There is no answer; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    location: str
    is_ours: bool
    text: str
    certificate_ends: datetime | None


def check_public_address(
    workspace: Workspace, *, http_port: int = _HTTP_PORT, seconds: float = _ALL_SECONDS
) -> tuple[AddressFinding, ...]:
    """Ask ``[web] base_url`` as readers do. Returns after ``seconds`` at the latest; changes nothing.

    Nothing is asked of an address that only this machine can open.
    """
    base = urlsplit(workspace.settings.web.base_url)
    if base.hostname in LOOPBACK_HOSTS and base.scheme == "http":
        return ()
    found: list[AddressFinding] = []

    failures: list[Exception] = []

    def ask() -> None:
        try:
            # One by one: what was found in time counts.
            for finding in _examine(workspace, base, http_port):
                found.append(finding)
        except Exception as error:
            failures.append(error)

    # In a thread of its own: neither looking up a name nor a server that drips bytes has a time limit.
    thread = threading.Thread(target=ask, name="mailer-doctor", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        words = Phrase(
            gettext_noop("%(base)s had not answered every question after %(seconds)s s. Try again later."),
            base=base.geturl(),
            seconds=f"{seconds:.0f}",
        )
        return (*found, _bad(words))
    if failures:
        raise failures[0]
    return tuple(found)


def _examine(workspace: Workspace, base: SplitResult, http_port: int) -> Iterator[AddressFinding]:
    question = sign_question(workspace.keys.suppression, datetime.now(UTC))
    try:
        health = _ask(base, "GET", "/healthz", {QUESTION_HEADER: question, "X-Forwarded-For": _MADE_UP})
    except _UnreachableError as error:
        yield _bad(str(error))
        return
    if fault := _explain_health(base, health):
        yield _bad(fault)
        return
    origin = read_answer(workspace.keys.suppression, question, health.text)
    if origin is None:
        yield _bad(
            Phrase(
                gettext_noop(
                    "%(base)s is served by a mailer with other keys, or by an older version. Start `mailer "
                    "serve` for this workspace again, or correct [web] base_url."
                ),
                base=base.geturl(),
            )
        )
        return
    yield AddressFinding(
        gravity=Gravity.good,
        message=Phrase(gettext_noop("%(base)s shows this workspace's pages"), base=base.geturl()),
    )
    yield from _judge_certificate(health)
    yield _judge_origin(origin)
    for judge in (_judge_one_click, _judge_metrics):
        try:
            yield judge(base)
        except _UnreachableError as error:
            yield _bad(str(error))
    yield from _judge_plain_http(base, http_port)


def _explain_health(base: SplitResult, health: _Answer) -> str:
    """What is wrong with the answer to the first question; empty if nothing is."""
    place = base.geturl()
    if 300 <= health.status < 400:
        return Phrase(
            gettext_noop(
                "%(place)s leads to %(location)s. Mail programs do not follow with a click on their "
                "own unsubscribe button. Set [web] base_url to the address that answers itself."
            ),
            place=place,
            location=health.location or _ANOTHER,
        )
    if health.status in {502, 503, 504}:
        return Phrase(
            gettext_noop(
                "%(place)s: the proxy answers, but `mailer serve` behind it does not (HTTP "
                "%(status)s). Start it, and compare its port with the one in the proxy's file."
            ),
            place=place,
            status=health.status,
        )
    if health.status == 421 or health.status != 200 or not health.is_ours:
        return Phrase(
            gettext_noop(
                "%(place)s: another program answers there (HTTP %(status)s for /healthz). Let the "
                "proxy pass this name on to `mailer serve`, as docs/serving.md shows, or correct [web] "
                "base_url."
            ),
            place=place,
            status=health.status,
        )
    return ""


def _judge_certificate(answer: _Answer) -> Iterator[AddressFinding]:
    if answer.certificate_ends is None:
        return
    ends = answer.certificate_ends
    if ends - datetime.now(UTC) < _CERTIFICATE_WARNING:
        words = Phrase(
            gettext_noop("the certificate expires on %(ends)s. Find out why it was not renewed."),
            ends=f"{ends:%Y-%m-%d}",
        )
        yield AddressFinding(gravity=Gravity.doubtful, message=words)
    else:
        yield AddressFinding(
            gravity=Gravity.good,
            message=Phrase(gettext_noop("the certificate is valid until %(ends)s"), ends=f"{ends:%Y-%m-%d}"),
        )


def _judge_origin(origin: RequestOrigin) -> AddressFinding:
    last = parse_address(origin.forwarded[-1]) if origin.forwarded else None
    if not origin.forwarded:
        return _bad(
            Phrase(
                gettext_noop(
                    "the proxy at %(peer)s does not say who the visitor is, so all visitors share one "
                    "limit. Let it set X-Forwarded-For, as docs/serving.md shows."
                ),
                peer=origin.peer,
            )
        )
    if str(last) == _MADE_UP:
        return _bad(
            gettext_noop(
                "the proxy passes on the X-Forwarded-For of visitors, so anybody can choose the "
                "address that is seen. Let the proxy replace it or add to it, as docs/serving.md shows."
            )
        )
    if origin.client == str(parse_address(origin.peer) or origin.peer) and str(last) != origin.client:
        return _bad(
            Phrase(
                gettext_noop(
                    "the proxy at %(peer)s is not trusted, so all visitors share one limit. If it is "
                    'yours, add "%(peer)s" to [web] trusted_proxies.'
                ),
                peer=origin.peer,
            )
        )
    message = Phrase(
        gettext_noop("the proxy says who the visitor is (here %(client)s)"), client=origin.client
    )
    return AddressFinding(gravity=Gravity.good, message=message)


def _judge_one_click(base: SplitResult) -> AddressFinding:
    """Post as a mail program does, with a token of nobody: the pages answer that there is no such link."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = _ask(base, "POST", "/u/doctor", form, b"List-Unsubscribe=One-Click")
    if answer.status == 404 and answer.is_ours:
        message = gettext_noop("a mail program's unsubscribe button reaches the pages")
        return AddressFinding(gravity=Gravity.good, message=message)
    if 300 <= answer.status < 400:
        return _bad(
            Phrase(
                gettext_noop(
                    "a mail program's unsubscribe button is sent on to %(location)s, and mail programs do "
                    "not follow. Let the proxy pass POST requests for /u/ on to `mailer serve`."
                ),
                location=answer.location or _ANOTHER,
            )
        )
    return _bad(
        Phrase(
            gettext_noop(
                "a mail program's unsubscribe button gets HTTP %(status)s and does not reach the pages. "
                "Let the proxy pass POST requests for /u/ on to `mailer serve`, without a login, a "
                "challenge or a check."
            ),
            status=answer.status,
        )
    )


def _judge_metrics(base: SplitResult) -> AddressFinding:
    answer = _ask(base, "GET", "/metrics")
    if answer.status == 200 and "mailer_" in answer.text:
        return _bad(
            gettext_noop(
                "/metrics shows your figures to everybody. Let the proxy answer 404 there, as "
                "docs/serving.md shows."
            )
        )
    return AddressFinding(gravity=Gravity.good, message=gettext_noop("/metrics is closed to readers"))


def _judge_plain_http(base: SplitResult, port: int) -> Iterator[AddressFinding]:
    if base.scheme != "https" or (base.port not in {None, 443} and port == _HTTP_PORT):
        return
    plain = base._replace(scheme="http", netloc=f"{_bracket(base.hostname or '')}:{port}")
    advice = Phrase(
        gettext_noop("Let the proxy send visitors of http:// on to %(base)s, as docs/serving.md shows."),
        base=base.geturl(),
    )
    try:
        answer = _ask(plain, "GET", "/")
    except _UnreachableError:
        words = Phrase(
            gettext_noop("nothing answers at http://, where people arrive who type the address. %(advice)s"),
            advice=advice,
        )
        yield AddressFinding(gravity=Gravity.doubtful, message=words)
        return
    if 300 <= answer.status < 400 and answer.location.startswith("https://"):
        yield AddressFinding(gravity=Gravity.good, message=gettext_noop("http:// leads to https://"))
    else:
        words = Phrase(
            gettext_noop("http:// does not lead to https:// (HTTP %(status)s). %(advice)s"),
            status=answer.status,
            advice=advice,
        )
        yield AddressFinding(gravity=Gravity.doubtful, message=words)


def _ask(
    base: SplitResult,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> _Answer:
    """Make one request, without following where it leads.

    Raises:
        _UnreachableError: there is no answer.
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
) -> _Answer:
    connection.request(method, path, body=body, headers={**headers, "User-Agent": "partner-mailer-doctor"})
    ends = _read_certificate_end(connection.sock)
    response = connection.getresponse()
    return _Answer(
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


def _explain_failures(host: str, port: int, exchange: Callable[[], _Answer]) -> _Answer:
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
    raise _UnreachableError(words)


def _bad(message: str) -> AddressFinding:
    return AddressFinding(gravity=Gravity.bad, message=message)


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
