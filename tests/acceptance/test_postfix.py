"""A campaign through a real Postfix, with STARTTLS and a login; its log and our ledger must agree."""

import random
import re
import smtplib
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from mailer.rendering.headers import find_token
from mailer.workspace import Workspace
from subscribers.tokens import LinkPurpose
from tests.acceptance.campaign_driver import CampaignDriver, S, addresses
from tests.servers.forked_programs import ForkTemplate
from tests.servers.postfix import PASSWORD, Relay, postfix_mailboxes, postfix_relay
from tests.servers.process import wait_until
from tests.servers.smtp_sink import smtp_sink

Figure = Callable[[str], None]


@pytest.fixture
def relay() -> Iterator[Relay]:
    with postfix_relay() as running:
        yield running


@pytest.fixture
def driver(workspace: Workspace, relay: Relay, template: ForkTemplate) -> Iterator[CampaignDriver]:
    password = workspace.root / "relay-password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    engine = workspace.open_database(durable=True)
    smtp = {"password_file": password, "starttls": "require", "connections": 5}
    yield CampaignDriver(workspace=workspace, engine=engine, url=relay.url, smtp=smtp, template=template)
    engine.dispose()


def send(driver: CampaignDriver, relay: Relay, *words: str, **environ: str) -> None:
    done = driver.run(*words, SSL_CERT_FILE=str(relay.certificate), **environ)
    assert done.returncode == 0, done.stderr


def read_ledger(driver: CampaignDriver) -> dict[str, str]:
    """Map the Message-ID of every message to the queue id the relay gave it."""
    lines = driver.read()
    assert {line.state for line in lines} == {S.sent}, driver.count()
    return {line.message_id: _queue_id(line.reason) for line in lines}


def _queue_id(words: str) -> str:
    found = re.search(r"queued as (\w+)", words)
    return found[1] if found else ""


def show_agreement(driver: CampaignDriver, relay: Relay, figure: Figure, readers: int) -> None:
    driver.launch(addresses(readers))
    send(driver, relay, "campaigns", "resume", "1")
    wait_until(lambda: relay.is_idle() and len(relay.queued()) == readers, what="the queue", seconds=120)
    assert sorted(relay.queued()) == sorted(read_ledger(driver).items())
    assert sorted(relay.sink.message_ids()) == sorted(read_ledger(driver))
    log = relay.log.read_text()
    assert f"sasl_username={driver.url.split('//')[1].split('@')[0]}" in log
    assert not re.search(r"improper|pipelining|warning: (?!.*dict)", log), log
    figure(f"{readers:,} messages through Postfix with STARTTLS and AUTH: its log and our ledger agree")


def has_resolved(driver: CampaignDriver, relay: Relay) -> bool:
    """Resolve doubts from the log; return whether none are left."""
    # A message missing from the log counts only once the log has later entries, as a busy relay's has.
    with smtplib.SMTP("127.0.0.1", relay.port) as line:
        line.noop()
    send(driver, relay, "campaigns", "resolve", "1", "--postfix-log", str(relay.log), "--not-found-resend")
    return driver.count().in_doubt == 0


def show_resolving(driver: CampaignDriver, relay: Relay, figure: Figure, readers: int, kills: int) -> None:
    driver.launch(addresses(readers))
    settled = 0
    for turn in range(kills):
        goal = (turn + 1) * readers // (kills + 2)
        process = driver.start("campaigns", "resume", "1", SSL_CERT_FILE=str(relay.certificate))
        wait_until(lambda: driver.count().sent >= goal, what=f"{goal} sent", seconds=120)  # noqa: B023
        time.sleep(random.uniform(0, 0.02))
        process.kill()
        process.communicate()
        assert process.returncode == -9, "it ended before it was killed"
        wait_until(relay.is_idle, what="the queue", seconds=120)
        settled += driver.count().in_doubt
        wait_until(lambda: has_resolved(driver, relay), what="the log to settle every doubt", seconds=60)
    send(driver, relay, "campaigns", "resume", "1")
    wait_until(lambda: relay.is_idle() and len(relay.queued()) >= readers, what="the queue", seconds=120)
    lines, taken = driver.read(), Counter(ident for ident, _ in relay.queued())
    assert {line.state for line in lines} == {S.sent}
    assert taken == Counter(line.message_id for line in lines)
    assert Counter(relay.sink.message_ids()) == taken
    figure(
        f"{readers:,} readers, {kills} kills, doubts settled by Postfix's log: 0 lost, 0 duplicates "
        f"({settled} had been in doubt)"
    )


def test_the_log_of_postfix_agrees_with_the_ledger(
    driver: CampaignDriver, relay: Relay, figure: Figure
) -> None:
    show_agreement(driver, relay, figure, readers=150)


def test_after_a_kill_the_log_of_postfix_tells_who_has_it(
    driver: CampaignDriver, relay: Relay, figure: Figure
) -> None:
    show_resolving(driver, relay, figure, readers=150, kills=1)


def test_postfix_returns_the_headers_to_an_address_that_names_the_reader(
    workspace: Workspace,
) -> None:
    reader, ours = "li+news@there.example.net", "x.example.org"
    with (
        smtp_sink() as sink,
        postfix_mailboxes({"mei@there.example.net": "mei"}, full={}, routes={ours: sink.port}) as server,
    ):
        engine = workspace.open_database(durable=True)
        driver = CampaignDriver(workspace=workspace, engine=engine, url=server.url)
        driver.launch([reader])
        engine.dispose()
        done = driver.run("campaigns", "resume", "1", MAILER_FEEDBACK__BOUNCE_ADDRESS=f"bounce@{ours}")
        assert done.returncode == 0, done.stderr
        wait_until(lambda: server.is_idle() and len(sink.messages()) == 1, what="the bounce")
        (bounce,), (returned_to,) = sink.messages(), sink.recipients()
    token = find_token(returned_to)
    assert token is not None
    assert workspace.keys.tokens.read_mail(token, LinkPurpose.bounce).campaign_id == 1
    for line in (
        f"Original-Envelope-Id: {token}",
        f"Original-Recipient: rfc822;{reader}",
        f"X-Feedback-Token: {token}",
        "Content-Type: text/rfc822-headers",
    ):
        assert line in bounce.decode(), line
    # Not the newsletter itself.
    assert b"text/html" not in bounce


@pytest.mark.soak
def test_the_log_of_postfix_agrees_with_the_ledger_on_two_thousand(
    driver: CampaignDriver, relay: Relay, figure: Figure
) -> None:
    show_agreement(driver, relay, figure, readers=2000)


@pytest.mark.soak
def test_after_ten_kills_the_log_of_postfix_tells_who_has_it(
    driver: CampaignDriver, relay: Relay, figure: Figure
) -> None:
    show_resolving(driver, relay, figure, readers=2000, kills=10)
