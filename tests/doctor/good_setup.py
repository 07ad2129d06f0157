"""A set-up without a fault: a workspace, its relay, its public address, and what its DNS says."""

import ssl
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import AuthResult, LoginPassword

from mailer.dispatch.sending_settings import load_signer
from mailer.doctor import Diagnosis, Health, diagnose_workspace
from mailer.settings import Settings
from mailer.web.app import create_app
from mailer.workspace import Workspace, open_workspace, write_keys
from tests.servers.dns_server import DnsServer, running_dns_server
from tests.servers.fake_proxy import FakeProxy, listening
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.servers.reverse_proxy import write_certificate
from tests.web.site import served

DOMAIN = "ministry.int"
KEY = f"news1._domainkey.{DOMAIN}"
ADDRESS = "198.51.100.25"
PTR = "25.100.51.198.in-addr.arpa"
PASSWORD = b"correct horse"

SETTINGS = """\
[sender]
name = "Ministry of Examples"
address = "news@ministry.int"
organisation = "Ministry of Examples"
postal_address = "1 Main Street, Capital"

[sectors]
education = "Education"

[smtp]
url = "smtp://news@localhost:{relay}"
password_file = "relay.password"
starttls = "require"
timeout = 2
sending_addresses = ["198.51.100.25"]

[web]
base_url = "https://localhost:{pages}"
accessibility_contact = "access@ministry.int"

[feedback]
bounce_address = "bounce@ministry.int"
leave_address = "leave@ministry.int"
maildir = "incoming"

[dkim]
selector = "news1"
key_file = "dkim.pem"

[dns]
resolver = "127.0.0.1:{dns}"
timeout = 5
"""

MACHINE = {"templates-unconfined", "disk-slow", "disk-full"}
"""Findings about the machine that runs the tests."""


@dataclass(kw_only=True)
class SetUp:
    """The parts, which a test changes and puts back. ``records`` is what the DNS says when all is well."""

    workspace: Workspace
    dns: DnsServer
    relay: MisbehavingServer
    proxy: FakeProxy
    folder: Path
    records: dict[str, list[str]]

    def look(self, **sections: dict[str, Any]) -> list[Diagnosis]:
        """What the doctor finds, with other values in ``sections`` of the settings."""
        settings = self.workspace.settings
        if sections:
            values = settings.model_dump(mode="json", exclude_unset=True)
            for name, changed in sections.items():
                values[name] = {**values.get(name, {}), **changed}
            settings = Settings.model_validate(values)
        return list(diagnose_workspace(replace(self.workspace, settings=settings)))


def list_wrong(findings: Iterable[Diagnosis]) -> list[Diagnosis]:
    """The findings that are not good, but for those about this machine."""
    return [each for each in findings if each.verdict is not Health.good and each.code not in MACHINE]


@contextmanager
def good_setup(folder: Path, sqlite_template: Path) -> Iterator[SetUp]:
    """Run it in ``folder``; SSL_CERT_FILE must name ``folder / "authority.pem"``."""
    write_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    root = folder / "workspace"
    for name in ("editions", "incoming/new", "incoming/cur", "incoming/tmp"):
        (root / name).mkdir(parents=True)
    (root / "mailer.db").write_bytes(sqlite_template.read_bytes())
    (root / "relay.password").write_bytes(PASSWORD)
    write_keys(root / "keys.toml")
    subprocess.run(["openssl", "genrsa", "-out", root / "dkim.pem", "2048"], check=True, capture_output=True)
    with ExitStack() as stack:
        dns = stack.enter_context(running_dns_server())
        options = {"tls_context": context, "authenticator": let_in, "auth_required": True}
        relay = stack.enter_context(MisbehavingServer(options=options))
        proxy = FakeProxy("")
        port = stack.enter_context(listening(proxy, context))
        text = SETTINGS.format(relay=relay.port, pages=port, dns=dns.port)
        (root / "mailer.toml").write_text(text, encoding="utf-8")
        for path in (root, *root.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
        workspace = open_workspace(root, environ={})
        proxy.upstream = stack.enter_context(served(create_app(workspace))).url
        records = list_records(workspace)
        dns.publish(records)
        yield SetUp(workspace=workspace, dns=dns, relay=relay, proxy=proxy, folder=folder, records=records)


def let_in(*asked: object) -> AuthResult:
    password = asked[-1]
    assert isinstance(password, LoginPassword)
    return AuthResult(success=password.password == PASSWORD, handled=False)


def list_records(workspace: Workspace) -> dict[str, list[str]]:
    signer = load_signer(workspace.settings, workspace.root)
    assert signer is not None
    return {
        DOMAIN: [
            "SOA ns.ministry.int. host.ministry.int. 1 3600 600 86400 60",
            f'TXT "v=spf1 ip4:{ADDRESS} -all"',
            "MX 10 mx.ministry.int.",
        ],
        f"mx.{DOMAIN}": ["A 198.51.100.26"],
        f"relay.{DOMAIN}": [f"A {ADDRESS}"],
        PTR: [f"PTR relay.{DOMAIN}."],
        KEY: [signer.records[0].zone_line.partition(" IN ")[2].replace("( ", "").replace(" )", "")],
        f"_dmarc.{DOMAIN}": [f'TXT "v=DMARC1; p=reject; rua=mailto:dmarc@{DOMAIN}"'],
        f"_mta-sts.{DOMAIN}": ['TXT "v=STSv1; id=2026"'],
        f"mta-sts.{DOMAIN}": ["A 198.51.100.27"],
        f"_smtp._tls.{DOMAIN}": [f'TXT "v=TLSRPTv1; rua=mailto:tls@{DOMAIN}"'],
        f"default._bimi.{DOMAIN}": [f'TXT "v=BIMI1; l=https://{DOMAIN}/logo.svg; a=https://{DOMAIN}/a.pem"'],
        # Somebody else's, which nothing may depend on.
        "elsewhere.int": ['TXT "v=spf1 -all"', "MX 10 mx.ministry.int.", "A 198.51.100.30"],
        "_dmarc.elsewhere.int": ['TXT "v=DMARC1; p=reject"'],
    }
