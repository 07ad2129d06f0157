"""Every byte that a campaign sends, checked against the RFCs by a server that keeps all of it."""

import base64
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import update
from sqlmodel import col

from mailer.settings import DkimSettings, WebSettings
from mailer.workspace import Workspace, open_workspace
from subscribers.models import Subscriber
from tests.acceptance.campaign_driver import CampaignDriver, addresses
from tests.factories.sample_workspace import create_sample_workspace
from tests.servers.scripted_smtp import Mail, ScriptedServer

Figure = Callable[[str], None]
EDITION = "unesco-beijing-2021-2"

NAUGHTY = (
    'evil@example.com, "x" <other@example.com>',
    "a very long name with a comma, which folds, " + "and folds again " * 6,
    ".",
    "..",
    "...leading dots",
    "=?utf-8?q?encoded?=",
    "名字，很长" * 15,
    "مرحبا بالعالم",
    "\u202eright to left\u202c",
    "O'Brien; DROP TABLE subscriber;--",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %} ${7*7} %s %(name)s",
    'back\\slash "quote" (comment)',
    "Ω≈ç√∫˜µ≤≥÷ 👩‍👩‍👧‍👧 🇨🇳",
    "undefined",
    "=",
    "=20=0A.",
    "line\u2028separator\u2029paragraph",
    "next\u0085line",
)


def make_office(workspace: Workspace) -> CampaignDriver:
    return CampaignDriver(workspace=workspace, engine=workspace.open_database(durable=True), url="")


def with_base(workspace: Workspace, base: str) -> Workspace:
    web = WebSettings(base_url=base)
    return replace(workspace, settings=workspace.settings.model_copy(update={"web": web}))


def send(driver: CampaignDriver) -> ScriptedServer:
    with ScriptedServer() as server:
        driver.url = server.url
        driver.send_here()
    return server


def hold_to_the_rules(mail: Mail) -> None:
    raw = mail.raw
    assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n"), "a bare CR or LF"
    assert b"\0" not in raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    lines = raw.split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert all(line.startswith(b"..") for line in lines[:-2] if line.startswith(b".")), "a dot not doubled"
    assert raw.isascii()


def read_header(mail: Mail, name: str) -> list[str]:
    """The lines of a header as received, still folded."""
    head = mail.content.partition(b"\r\n\r\n")[0].decode("ascii")
    return re.findall(rf"^{name}:[^\r]*(?:\r\n[ \t][^\r]*)*", head, re.MULTILINE | re.IGNORECASE)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_sample_workspace(tmp_path_factory.mktemp("wire") / "W").root


@pytest.fixture
def driver(sample: Path, tmp_path: Path) -> Iterator[CampaignDriver]:
    """The sample edition launched to 300 readers with names that break things."""
    driver = make_office(open_workspace(Path(shutil.copytree(sample, tmp_path / "W")), environ={}))
    with driver.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM subscriber_sector")
        connection.exec_driver_sql("DELETE FROM subscriber")
    driver.launch(addresses(300), edition=EDITION)
    with driver.engine.begin() as connection:
        for number in range(300):
            name = NAUGHTY[number % len(NAUGHTY)]
            reader = col(Subscriber.email) == f"reader{number}@example.org"
            connection.execute(update(Subscriber).where(reader).values(name=name))
    yield driver
    driver.engine.dispose()


def test_every_byte_of_a_campaign_conforms_to_the_rfcs(driver: CampaignDriver, figure: Figure) -> None:
    server = send(driver)
    assert driver.count().sent == len(server.kept) == 300, driver.count()
    for mail in server.kept:
        hold_to_the_rules(mail)
        message = message_from_bytes(mail.content, policy=policy.compat32)
        assert [len(message.get_all(name, [])) for name in ("From", "To", "Date", "Message-ID")] == [1] * 4
        assert mail.recipient in message["To"]
        assert message["To"].count("@") == 1, message["To"]
        assert message.get_all("Bcc") is None
    for stream in server.streams:
        assert stream.count(b"\r") == stream.count(b"\n") == stream.count(b"\r\n")
    size = sum(len(mail.raw) for mail in server.kept)
    longest = max(len(line) for mail in server.kept for line in mail.raw.split(b"\r\n"))
    figure(
        f"{len(server.kept)} messages, {size:,} bytes of DATA: 0 bare CR or LF, longest line {longest} "
        "bytes, every dot doubled, every header once"
    )


def test_the_unsubscribe_link_is_one_line_unencoded_whatever_its_length(
    workspace: Workspace, figure: Figure
) -> None:
    # The shortest possible base leaves a link of some 54 characters: most of that is the reader's token.
    lengths = []
    driver = make_office(workspace)
    driver.launch(addresses(1))
    shortest = _read_link(send(driver))
    rest = len(shortest) - len(workspace.settings.web.base_url)
    for wanted in (20, *range(70, 82), 100, 200, 255, 256, 400, 500, 700, 898, 899, 900):
        base = "https://a.io"
        padding = wanted - rest - len(base)
        driver.workspace = with_base(workspace, base if padding < 2 else f"{base}/{'p' * (padding - 1)}")
        with driver.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE delivery SET state = 'queued', code = NULL, attempts = 0")
            connection.exec_driver_sql("UPDATE campaign SET state = 'sending'")
        server = send(driver)
        assert driver.count().sent == 1, (wanted, driver.read()[0].reason[:200])
        link = _read_link(server)
        assert link.startswith(driver.workspace.settings.web.base_url + "/")
        lengths.append(len(link))
    driver.engine.dispose()
    assert max(lengths) == 900
    figure(
        f"List-Unsubscribe: {len(lengths)} links of {min(lengths)} to {max(lengths)} characters, each on one "
        "line and unencoded"
    )


def _read_link(server: ScriptedServer) -> str:
    (mail,) = server.kept
    hold_to_the_rules(mail)
    (header,) = read_header(mail, "List-Unsubscribe")
    assert "\r\n" not in header
    assert "=?" not in header
    assert read_header(mail, "List-Unsubscribe-Post") == ["List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
    return header.partition("<")[2].partition(">")[0]


def test_every_message_has_a_dkim_signature_that_verifies(
    workspace: Workspace, tmp_path: Path, figure: Figure
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file = workspace.root / "dkim.pem"
    encoding, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(encoding, pkcs8, serialization.NoEncryption()))
    file.chmod(0o600)
    der = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(key.public_key().public_bytes(*der))
    settings = DkimSettings(domain="example.org", selector="s1", key_file=Path("dkim.pem"))
    driver = make_office(
        replace(workspace, settings=workspace.settings.model_copy(update={"dkim": settings}))
    )
    driver.launch(addresses(len(NAUGHTY)))
    with driver.engine.begin() as connection:
        for number, name in enumerate(NAUGHTY):
            reader = col(Subscriber.email) == f"reader{number}@example.org"
            connection.execute(update(Subscriber).where(reader).values(name=name))
    server = send(driver)
    driver.engine.dispose()
    assert len(server.kept) == len(NAUGHTY)
    for mail in server.kept:
        hold_to_the_rules(mail)
        message = mail.content
        (signature,) = read_header(mail, "DKIM-Signature")
        assert dkim.verify(message, dnsfunc=lambda *_args, **_named: record)
        signed = re.sub(r"\s", "", signature).lower().partition("h=")[2].partition(";")[0].split(":")
        assert {"from", "list-unsubscribe", "list-unsubscribe-post"} <= set(signed)
        tampered = message.replace(b"Subject: ", b"Subject: Re ", 1)
        assert not dkim.verify(tampered, dnsfunc=lambda *_args, **_named: record)
    figure(f"{len(server.kept)} messages signed by us: each verified by dkimpy, each refused when changed")
