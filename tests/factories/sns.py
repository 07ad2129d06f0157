"""A signer like Amazon SNS, and a real https server with its certificate, from an authority of our own."""

import base64
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.factories.webhook_requests import TOPIC, Posted
from tests.servers.reverse_proxy import key_usage

HOST = "sns.eu-west-1.amazonaws.com"
CERTIFICATE_URL = f"https://{HOST}/SimpleNotificationService-0a1b.pem"
_SIGNED = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._issue("Test authority", self._key.public_key(), is_authority=True)

    def issue(self, host: str, public_key: Any, *, until: datetime | None = None) -> x509.Certificate:
        return self._issue(host, public_key, until=until)

    def _issue(
        self, host: str, public_key: Any, *, is_authority: bool = False, until: datetime | None = None
    ) -> x509.Certificate:
        until = until or datetime.now(UTC) + timedelta(days=365)
        names = x509.SubjectAlternativeName([x509.DNSName("authority.test" if is_authority else host)])
        return (
            x509.CertificateBuilder()
            .subject_name(_name(host))
            .issuer_name(_name("Test authority"))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            # Python 3.13 asks an authority for it (RFC 5280, section 4.2.1.3).
            .add_extension(key_usage(is_authority=is_authority), critical=True)
            .add_extension(names, critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, SHA256())
        )


class SnsSigner:
    """Signs messages as SNS does."""

    def __init__(self, authority: Authority, *, until: datetime | None = None) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = authority.issue("sns.amazonaws.com", self._key.public_key(), until=until)
        self.pem = certificate.public_bytes(Encoding.PEM)

    def notify(self, event: object, **changes: str) -> Posted:
        """A notification with an event of SES; ``changes`` are made before it is signed."""
        message = event if isinstance(event, str) else json.dumps(event)
        return self.post({"Type": "Notification", "Message": message, "Subject": "Amazon SES", **changes})

    def ask_to_confirm(self, *, host: str = HOST, **changes: str) -> Posted:
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": TOPIC, "Token": "2336412f"})
        fields = {"Type": "SubscriptionConfirmation", "Message": "Please confirm.", "Token": "2336412f"}
        return self.post({**fields, "SubscribeURL": f"https://{host}/?{query}", **changes})

    def post(self, fields: dict[str, str]) -> Posted:
        whole = {
            "MessageId": "11111111-2222-4333-8444-555555555555",
            "TopicArn": TOPIC,
            "Timestamp": "2026-03-01T09:00:00.000Z",
            "SignatureVersion": "2",
            "SigningCertURL": CERTIFICATE_URL,
            **fields,
        }
        signed = "".join(f"{name}\n{whole[name]}\n" for name in _SIGNED if name in whole)
        algorithm = SHA1() if whole["SignatureVersion"] == "1" else SHA256()
        signature = self._key.sign(signed.encode(), PKCS1v15(), algorithm)
        whole["Signature"] = base64.b64encode(signature).decode()
        return Posted(json.dumps(whole).encode(), {"content-type": "text/plain; charset=UTF-8"})


@dataclass
class SnsServer:
    """An https server that answers as SNS would, and what it was asked for."""

    port: int
    trust: ssl.SSLContext
    asked: list[str]

    def fetch(self, url: str) -> bytes:
        """Get ``url`` from this server instead of Amazon's, and verify its certificate for the name."""
        parts = urlsplit(url)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection = http.client.HTTPSConnection(parts.netloc, timeout=10)
        connection.sock = self.trust.wrap_socket(plain, server_hostname=parts.hostname)
        try:
            connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise OSError(f"the answer was {answer.status}")
        return body


@contextmanager
def serving_sns(
    authority: Authority, signer: SnsSigner, folder: Path, *, host: str = HOST
) -> Iterator[SnsServer]:
    """Serve the signer's certificate over https, with a certificate of ``authority`` for ``host``."""
    key = ec.generate_private_key(ec.SECP256R1())
    chain = folder / "sns.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(private + authority.issue(host, key.public_key()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    trust = ssl.create_default_context(cadata=authority.certificate.public_bytes(Encoding.PEM).decode())
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            is_known = self.path == urlsplit(CERTIFICATE_URL).path or self.path.startswith("/?")
            self.send_response(200 if is_known else 404)
            self.end_headers()
            self.wfile.write(signer.pem if is_known else b"")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield SnsServer(port=server.server_address[1], trust=trust, asked=asked)
        finally:
            server.shutdown()
            thread.join()
