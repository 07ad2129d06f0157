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
        words = f"{base.geturl()} had not answered every question after {seconds:.0f} s. Try again later."
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
            f"{base.geturl()} is served by a mailer with other keys, or by an older version. Start `mailer "
            "serve` for this workspace again, or correct [web] base_url."
        )
        return
    yield AddressFinding(gravity=Gravity.good, message=f"{base.geturl()} shows this workspace's pages")
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
        return (
            f"{place} leads to {health.location or 'another address'}. Mail programs do not follow with a "
            "click on their own unsubscribe button. Set [web] base_url to the address that answers itself."
        )
    if health.status in {502, 503, 504}:
        return (
            f"{place}: the proxy answers, but `mailer serve` behind it does not (HTTP {health.status}). "
            "Start it, and compare its port with the one in the proxy's file."
        )
    if health.status == 421 or health.status != 200 or not health.is_ours:
        return (
            f"{place}: another program answers there (HTTP {health.status} for /healthz). Let the proxy pass "
            "this name on to `mailer serve`, as docs/serving.md shows, or correct [web] base_url."
        )
    return ""


def _judge_certificate(answer: _Answer) -> Iterator[AddressFinding]:
    if answer.certificate_ends is None:
        return
    ends = answer.certificate_ends
    if ends - datetime.now(UTC) < _CERTIFICATE_WARNING:
        words = f"the certificate expires on {ends:%Y-%m-%d}. Find out why it was not renewed."
        yield AddressFinding(gravity=Gravity.doubtful, message=words)
    else:
        yield AddressFinding(gravity=Gravity.good, message=f"the certificate is valid until {ends:%Y-%m-%d}")


def _judge_origin(origin: RequestOrigin) -> AddressFinding:
    last = parse_address(origin.forwarded[-1]) if origin.forwarded else None
    if not origin.forwarded:
        return _bad(
            f"the proxy at {origin.peer} does not say who the visitor is, so all visitors share one limit. "
            "Let it set X-Forwarded-For, as docs/serving.md shows."
        )
    if str(last) == _MADE_UP:
        return _bad(
            "the proxy passes on the X-Forwarded-For of visitors, so anybody can choose the address that is "
            "seen. Let the proxy replace it or add to it, as docs/serving.md shows."
        )
    if origin.client == str(parse_address(origin.peer) or origin.peer) and str(last) != origin.client:
        return _bad(
            f"the proxy at {origin.peer} is not trusted, so all visitors share one limit. If it is yours, "
            f'add "{origin.peer}" to [web] trusted_proxies.'
        )
    message = f"the proxy says who the visitor is (here {origin.client})"
    return AddressFinding(gravity=Gravity.good, message=message)


def _judge_one_click(base: SplitResult) -> AddressFinding:
    """Post as a mail program does, with a token of nobody: the pages answer that there is no such link."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = _ask(base, "POST", "/u/doctor", form, b"List-Unsubscribe=One-Click")
    if answer.status == 404 and answer.is_ours:
        message = "a mail program's unsubscribe button reaches the pages"
        return AddressFinding(gravity=Gravity.good, message=message)
    if 300 <= answer.status < 400:
        return _bad(
            "a mail program's unsubscribe button is sent on to "
            f"{answer.location or 'another address'}, and mail programs do not follow. Let the proxy pass "
            "POST requests for /u/ on to `mailer serve`."
        )
    return _bad(
        f"a mail program's unsubscribe button gets HTTP {answer.status} and does not reach the pages. Let "
        "the proxy pass POST requests for /u/ on to `mailer serve`, without a login, a challenge or a check."
    )


def _judge_metrics(base: SplitResult) -> AddressFinding:
    answer = _ask(base, "GET", "/metrics")
    if answer.status == 200 and "mailer_" in answer.text:
        return _bad(
            "/metrics shows your figures to everybody. Let the proxy answer 404 there, as docs/serving.md "
            "shows."
        )
    return AddressFinding(gravity=Gravity.good, message="/metrics is closed to readers")


def _judge_plain_http(base: SplitResult, port: int) -> Iterator[AddressFinding]:
    if base.scheme != "https" or (base.port not in {None, 443} and port == _HTTP_PORT):
        return
    plain = base._replace(scheme="http", netloc=f"{_bracket(base.hostname or '')}:{port}")
    advice = f"Let the proxy send visitors of http:// on to {base.geturl()}, as docs/serving.md shows."
    try:
        answer = _ask(plain, "GET", "/")
    except _UnreachableError:
        words = f"nothing answers at http://, where people arrive who type the address. {advice}"
        yield AddressFinding(gravity=Gravity.doubtful, message=words)
        return
    if 300 <= answer.status < 400 and answer.location.startswith("https://"):
        yield AddressFinding(gravity=Gravity.good, message="http:// leads to https://")
    else:
        words = f"http:// does not lead to https:// (HTTP {answer.status}). {advice}"
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
        words = (
            f"the name {host} is not known ({error.strerror}). Add it to your DNS, or correct [web] base_url."
        )
    except ssl.SSLCertVerificationError as error:
        fault = error.verify_message.rstrip(".")
        words = (
            f"the certificate of {host} is not valid: {fault}. Readers see a warning, and mail programs give "
            "up. Let the proxy use a valid one, with the whole chain."
        )
    except ssl.SSLError as error:
        words = (
            f"{host} port {port} does not speak https ({error.reason or error}). Check the proxy's "
            "certificate and port."
        )
    except TimeoutError:
        words = (
            f"{host} port {port} does not answer within {_SECONDS:.0f} s. Check the firewall, and where the "
            "name points to."
        )
    except ConnectionRefusedError:
        words = (
            f"nothing listens at {host} port {port}. Start the proxy, or correct where the name points to."
        )
    except (OSError, http.client.HTTPException) as error:
        words = f"{host} port {port} gives no answer ({error or type(error).__name__}). Check the proxy."
    raise _UnreachableError(words)


def _bad(message: str) -> AddressFinding:
    return AddressFinding(gravity=Gravity.bad, message=message)


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
