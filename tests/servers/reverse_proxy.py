"""nginx and Caddy as docs/serving.md sets them up, with a certificate of an authority of the test's own."""

import contextlib
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.paths import ROOT
from tests.servers.process import await_server, can_connect, end_server, free_port

NAME = "news.example.org"
_PAGE = ROOT / "docs" / "serving.md"
_PROGRAMS = {"nginx": ("nginx", "/usr/sbin/nginx"), "caddy": ("caddy", "/usr/bin/caddy")}
_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/log/main.log;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/log/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  include {folder}/site;
}}
"""


@dataclass(frozen=True, kw_only=True)
class ReverseProxy:
    """A running proxy: its ports, the client's side of its TLS, and the folder of all that it logs."""

    http_port: int
    https_port: int
    trust: ssl.SSLContext
    logs: Path

    def read_logs(self) -> str:
        return "".join(log.read_text(errors="replace") for log in self.logs.iterdir())


def read_block(language: str) -> str:
    """The only block of the page in this language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return str(block)


def find_proxy(kind: str) -> str:
    """The program; skips the test where it is not installed, and fails it with CI=true."""
    name, usual = _PROGRAMS[kind]
    program = shutil.which(name) or (usual if Path(usual).exists() else None)
    if program is None:
        message = f"{name} is not installed (scripts/system-packages installs it)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return program


@contextlib.contextmanager
def reverse_proxy(kind: str, folder: Path, *, upstream_port: int) -> Iterator[ReverseProxy]:
    """Run ``nginx`` or ``caddy`` with the page's file in front of ``upstream_port``.

    Only its places are changed: ports, folders and the certificate; and ten seconds become two.
    """
    program = find_proxy(kind)
    authority = write_certificate(folder)
    http_port, https_port = free_port(), free_port()
    (folder / "log").mkdir()
    text = read_block({"nginx": "nginx", "caddy": "caddyfile"}[kind])
    for here, there in (("127.0.0.1:8025", f"127.0.0.1:{upstream_port}"), (" 10s", " 2s")):
        assert here in text
        text = text.replace(here, there)
    prepare = _prepare_nginx if kind == "nginx" else _prepare_caddy
    command = prepare(program, folder, text, http_port, https_port)
    output = folder / "log" / "output"
    environ = {
        **os.environ,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "HOME": str(folder),
    }
    with output.open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
    try:
        await_server(
            server,
            lambda: can_connect(https_port) and can_connect(http_port),
            name=kind,
            logs=sorted((folder / "log").iterdir()),
        )
        trust = ssl.create_default_context(cafile=str(authority))
        yield ReverseProxy(http_port=http_port, https_port=https_port, trust=trust, logs=folder / "log")
    finally:
        end_server(server)


def _prepare_nginx(program: str, folder: Path, text: str, http_port: int, https_port: int) -> list[str]:
    for here, there in (
        ("/var/cache/nginx/newsletter", f"{folder}/cache"),
        ("/var/log/nginx/", f"{folder}/log/"),
        (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", f"{folder}/certificate.pem"),
        (f"/etc/letsencrypt/live/{NAME}/privkey.pem", f"{folder}/key.pem"),
        ("listen 80;", f"listen 127.0.0.1:{http_port};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{https_port} ssl;"),
        # A machine of tests need not have IPv6.
        ("    listen [::]:80;\n", ""),
        ("    listen [::]:443 ssl;\n", ""),
    ):
        assert here in text, here
        text = text.replace(here, there)
    (folder / "site").write_text(text)
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder))
    if os.geteuid() == 0:
        # Its worker is another user then, who must reach the cache.
        (folder / "nginx.conf").write_text(f"user root;\n{_NGINX.format(folder=folder)}")
    return [
        program,
        "-p",
        str(folder),
        "-c",
        str(folder / "nginx.conf"),
        "-e",
        str(folder / "log" / "start.log"),
    ]


def _prepare_caddy(program: str, folder: Path, text: str, http_port: int, https_port: int) -> list[str]:
    assert text.startswith("{\n")
    ports = f"\tadmin off\n\thttp_port {http_port}\n\thttps_port {https_port}\n\tdefault_bind 127.0.0.1\n"
    text = text.replace("{\n", f"{{\n{ports}", 1)
    site = f"\n{NAME} {{\n"
    assert site in text
    text = text.replace(site, f"{site}\ttls {folder}/certificate.pem {folder}/key.pem\n")
    (folder / "Caddyfile").write_text(text)
    return [program, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def write_certificate(folder: Path) -> Path:
    """Make an authority and a certificate for the name, as ``certificate.pem`` and ``key.pem``; returns the
    authority's file.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")])
    root = _sign(authority, authority, authority_key.public_key(), authority_key, is_authority=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    leaf = _sign(name, authority, key.public_key(), authority_key, is_authority=False)
    (folder / "authority.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (folder / "certificate.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "authority.pem"


def _sign(
    name: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(identifier.digest, None, None), critical=False)
        .add_extension(key_usage(is_authority=is_authority), critical=True)
    )
    if not is_authority:
        # localhost is for programs that look up the name.
        names = [x509.DNSName(NAME), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
