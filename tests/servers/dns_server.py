"""A DNS server on loopback with the records a test gives it, which is slow, silent or broken on command."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from mailer.settings import DnsSettings

Records = Mapping[str, Sequence[str]]
"""By name, each as a zone file writes it: ``{"example.org": ["MX 10 mail.example.org."]}``."""


@dataclass
class DnsServer:
    """Answers from ``records``; a name that has none does not exist, unless names below it do.

    ``delay`` is in seconds. Names in ``silent`` are never answered, and those in ``broken`` with SERVFAIL.
    ``questions`` are those that came, as "name TYPE".
    """

    records: dict[str, list[str]] = field(default_factory=dict)
    delay: float = 0.0
    silent: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    questions: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def settings(self) -> DnsSettings:
        """The section ``[dns]`` that asks this server."""
        return DnsSettings(resolver=f"127.0.0.1:{self.port}", timeout=2)

    def publish(self, records: Records) -> None:
        """Have these records for their names, instead of what the names had."""
        self.records |= {name.lower().rstrip("."): list(texts) for name, texts in records.items()}

    def answer(self, wire: bytes) -> bytes | None:
        """The reply to one message; None for silence."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text().lower().rstrip(".")
        self.questions.append(f"{name} {dns.rdatatype.to_text(question.rdtype)}")
        if self.delay:
            time.sleep(self.delay)
        if name in self.silent:
            return None
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA | dns.flags.AA
        if name in self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply.to_wire()
        self._fill(reply, question.name, question.rdtype)
        return reply.to_wire()

    def _fill(self, reply: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        key = name.to_text().lower().rstrip(".")
        if key not in self.records:
            if not any(other.endswith(f".{key}") for other in self.records):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            return
        split = [text.split(" ", 1) for text in self.records[key]]
        wanted = {dns.rdatatype.to_text(kind), "CNAME"}
        for found in sorted({each for each, _ in split} & wanted):
            values = [value for each, value in split if each == found]
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", found, *values))
            if found == "CNAME" and dns.rdatatype.to_text(kind) != "CNAME":
                self._fill(reply, dns.name.from_text(values[0]), kind)


@contextlib.contextmanager
def running_dns_server(records: Records | None = None) -> Iterator[DnsServer]:
    """Run a server with ``records`` on a free port of 127.0.0.1, by UDP and TCP."""
    server = DnsServer()
    server.publish(records or {})
    datagrams, stream = _bind_both()
    server.port = datagrams.getsockname()[1]
    stopping = threading.Event()
    for each in (datagrams, stream):
        each.settimeout(0.05)
    threads = [
        threading.Thread(target=_serve_datagrams, args=(server, datagrams, stopping), daemon=True),
        threading.Thread(target=_serve_stream, args=(server, stream, stopping), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
        datagrams.close()
        stream.close()


def _bind_both() -> tuple[socket.socket, socket.socket]:
    """Sockets for UDP and TCP with one port, which may be taken for one of them only."""
    for _ in range(50):
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stream.bind(("127.0.0.1", 0))
        try:
            datagrams.bind(stream.getsockname())
        except OSError:
            stream.close()
            datagrams.close()
            continue
        stream.listen()
        return datagrams, stream
    raise AssertionError("no port is free for both UDP and TCP")


def _serve_datagrams(server: DnsServer, sock: socket.socket, stopping: threading.Event) -> None:
    while not stopping.is_set():
        with contextlib.suppress(TimeoutError):
            wire, peer = sock.recvfrom(4096)
            if reply := server.answer(wire):
                sock.sendto(reply, peer)


def _serve_stream(server: DnsServer, sock: socket.socket, stopping: threading.Event) -> None:
    while not stopping.is_set():
        with contextlib.suppress(TimeoutError, ConnectionError):
            connection, _ = sock.accept()
            with connection:
                connection.settimeout(2)
                size = int.from_bytes(_read(connection, 2), "big")
                if reply := server.answer(_read(connection, size)):
                    connection.sendall(len(reply).to_bytes(2, "big") + reply)


def _read(connection: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        more = connection.recv(size - len(read))
        if not more:
            raise ConnectionResetError
        read += more
    return read
