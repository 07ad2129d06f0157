"""The addresses for mail providers, over real HTTP: genuine, forged, replayed, out of order, large."""

import http.client
import json
import logging
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.database.feedback_models import FeedbackEvent
from mailer.web import webhooks
from mailer.web.app import create_app
from mailer.workspace import Workspace, open_workspace
from tests.factories import webhook_requests as sent
from tests.factories.feedback import add_sent_campaign, read_messages, read_statuses, sign
from tests.factories.naughty_strings import NAUGHTY
from tests.factories.sns import Authority, SnsServer, SnsSigner, serving_sns
from tests.factories.webhook_requests import COMPLAINTS, DEAD, DELAYS, PROVIDERS, UNSUBSCRIBES, Posted
from tests.paths import ROOT
from tests.web.site import HttpResponse, dump_tables, opened_engine, send_request, served

UNSIGNED = ("postmark", "brevo", "mailjet")


class Provider:
    """Posts events to the running app, each provider in its own way."""

    def __init__(self, url: str, signer: SnsSigner) -> None:
        self.url, self._signer, self._number = url, signer, 0

    def sign(self, name: str, event: sent.Event) -> Posted:
        self._number += 1
        match name:
            case "ses":
                return self._signer.notify(event)
            case "mailgun":
                return sent.post_as_mailgun(event, token=f"token-{self._number}")
            case "sendgrid":
                return sent.post_as_sendgrid([event])
            case "generic":
                return sent.post_as_standard(event, told=f"msg_{zlib.crc32(sent.dump(event))}")
        return sent.post_with_password(event)

    def post(self, name: str, posted: Posted) -> HttpResponse:
        return send_request(self.url, "POST", f"/hooks/{name}", posted.body, dict(posted.headers))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def signer(authority: Authority) -> SnsSigner:
    return SnsSigner(authority)


@pytest.fixture
def amazon(authority: Authority, signer: SnsSigner, tmp_path: Path) -> Iterator[SnsServer]:
    with serving_sns(authority, signer, tmp_path) as server:
        yield server


@pytest.fixture
def hooked(workspace: Workspace) -> Workspace:
    """A workspace with every webhook."""
    sent.write_settings(workspace.root)
    return open_workspace(workspace.root, environ={})


@pytest.fixture
def engine(hooked: Workspace) -> Iterator[Engine]:
    with opened_engine(hooked) as engine:
        yield engine


@pytest.fixture
def campaign(engine: Engine) -> int:
    """A campaign that readers 1 to 9 were sent yesterday; their numbers are one more than in the address."""
    return add_sent_campaign(engine, 9, at=datetime.now(UTC) - timedelta(days=1))


@pytest.fixture
def provider(hooked: Workspace, amazon: SnsServer, signer: SnsSigner) -> Iterator[Provider]:
    with served(create_app(hooked, fetch=amazon.fetch)) as running:
        yield Provider(running.url, signer)


def read_reasons(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return [f"{one.reason}" for one in session.exec(select(FeedbackEvent).order_by(FeedbackEvent.id))]


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_tells_of_the_dead_the_late_the_complaining_and_the_leaving(
    hooked: Workspace, engine: Engine, campaign: int, provider: Provider, name: str
) -> None:
    """By token: the address in the event is that of nobody on the list."""
    told = [made.get(name) for made in (DEAD, COMPLAINTS, UNSUBSCRIBES, DELAYS)]
    for person, make in enumerate(told, 1):
        if make is not None:
            event = make("forwarded@elsewhere.example", sign(hooked, person, campaign))
            answer = provider.post(name, provider.sign(name, event))
            assert (answer.status, answer.text) == (200, "Received.\n")
            assert "set-cookie" not in answer.headers
            assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert list(read_statuses(engine).values())[:5] == [
        *("bounced", "complained", "unsubscribed", "active", "active")
    ]
    assert {message.source for message in read_messages(engine)} == {f"webhook:{name}"}


def test_an_address_alone_counts_if_it_was_sent_something(
    engine: Engine, campaign: int, provider: Provider
) -> None:
    for address in ("reader0@example.org", "READER1@EXAMPLE.ORG", "stranger@example.org"):
        event = {**sent.brevo_event("hard_bounce", reason=sent.UNKNOWN)(address, "")}
        assert provider.post("brevo", provider.sign("brevo", event)).status == 200
    statuses = list(read_statuses(engine).values())
    assert statuses.count("bounced") == 2
    assert statuses[:2] == ["bounced", "bounced"]


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_comes_again_or_in_another_order_counts_once(
    hooked: Workspace, engine: Engine, campaign: int, provider: Provider, name: str
) -> None:
    """First the complaint, then the delay that came before it, and all of it three times."""
    token = sign(hooked, 1, campaign)
    events = [made[name]("reader0@example.org", token) for made in (COMPLAINTS, DELAYS, DEAD) if name in made]
    for event in (*events, *events, *reversed(events)):
        assert provider.post(name, provider.sign(name, event)).status == 200
    assert len(read_messages(engine)) == len(events)
    assert read_statuses(engine)[1] == "complained"


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_is_forged_changes_nothing_and_learns_nothing(
    engine: Engine, campaign: int, provider: Provider, signer: SnsSigner, authority: Authority, name: str
) -> None:
    event = UNSUBSCRIBES[name]("reader0@example.org", "")
    forged = {
        "ses": SnsSigner(authority).notify(event),
        "mailgun": sent.post_as_mailgun(event, secret="f" * 32),
        "sendgrid": sent.post_as_sendgrid([event], key=sent.SendGridKey()),
        "generic": sent.post_as_standard(event, secret="whsec_" + "A" * 32),
    }.get(name) or sent.post_with_password(event, secret="f" * 32)
    before = dump_tables(engine)
    for posted in (forged, Posted(forged.body)):
        answer = provider.post(name, posted)
        assert answer.status == (401 if name in UNSIGNED else 403)
        assert ("www-authenticate" in answer.headers) == (name in UNSIGNED)
        assert "signature" not in answer.text
        assert "secret" not in answer.text
    assert dump_tables(engine) == before


def test_strangers_are_told_to_wait_and_a_burst_of_the_provider_never_is(
    hooked: Workspace, engine: Engine, campaign: int, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    forged = sent.post_with_password({}, secret="f" * 32)
    statuses = [provider.post("postmark", forged).status for _ in range(32)]
    assert statuses == [401] * 30 + [429] * 2
    events = [
        {**sent.brevo_event("deferred", reason=sent.FULL, ts_event=1772355600 + number)("", "")}
        for number in range(60)
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda event: provider.post("brevo", sent.post_with_password(event)), events))
    assert {answer.status for answer in answers} == {200}
    assert len(read_messages(engine)) == 60
    assert len([line for line in caplog.records if "refused" in line.getMessage()]) == 1


def post_raw(url: str, path: str, headers: Mapping[str, str], chunks: list[bytes]) -> int:
    """Post without looking at the answer before all is sent; a server that closes early has answered."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.putrequest("POST", path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            for chunk in chunks:
                connection.send(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return connection.getresponse().status
    finally:
        connection.close()


def test_ten_megabytes_are_refused_before_they_are_read(provider: Provider) -> None:
    # Nothing of the body is sent, so nothing of it can be waited for.
    headers = {"content-length": str(10 * 1024 * 1024)}
    answers = {name: post_raw(provider.url, f"/hooks/{name}", headers, []) for name in PROVIDERS}
    assert answers == dict.fromkeys(PROVIDERS, 413)


def test_a_body_without_a_length_is_read_to_one_megabyte(provider: Provider) -> None:
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert post_raw(provider.url, "/hooks/brevo", {"transfer-encoding": "chunked"}, [piece] * 17) == 413


def test_a_request_of_one_megabyte_with_many_events_is_read(engine: Engine, provider: Provider) -> None:
    events = [
        {
            **sent.sendgrid_event("deferred", response=sent.FULL)("", ""),
            "sg_event_id": f"{n}",
            "pad": "x" * 9000,
        }
        for n in range(110)
    ]
    posted = sent.post_as_sendgrid(events)
    assert 0.9 < len(posted.body) / webhooks.MAX_BODY_BYTES < 1
    assert provider.post("sendgrid", posted).status == 200
    assert len(read_messages(engine)) == 110


def test_bodies_that_are_held_at_the_same_time_have_a_limit(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_MAX_HELD_BYTES", 1000)
    answer = provider.post("brevo", sent.post_with_password([{"pad": "x" * 2000}]))
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert provider.post("brevo", sent.post_with_password([])).status == 200


def test_the_content_type_does_not_matter(engine: Engine, provider: Provider) -> None:
    """SNS says text/plain of JSON."""
    kinds = ("", "text/html", "multipart/form-data; boundary=b", "application/json; charset=utf-7", "\xe9")
    for number, kind in enumerate(kinds, 1):
        event = sent.brevo_event("deferred", ts_event=1772355600 + number)("", "")
        posted = sent.post_with_password(event)
        headers = {**posted.headers, "content-type": kind}
        assert provider.post("brevo", Posted(posted.body, headers)).status == 200
        assert len(read_messages(engine)) == number


def test_a_genuine_request_that_is_malformed_is_refused_without_a_word(provider: Provider) -> None:
    for body in (b"", b"{", b"event=spam&email=x", b"\xff", b'"x"', b"[" * 1000, b"\x1f\x8b\x08\x00"):
        answer = provider.post("brevo", Posted(body, sent.post_with_password([]).headers))
        assert answer.status == 400, body
        assert "JSON" not in answer.text


def test_events_of_one_request_are_each_on_their_own(
    engine: Engine, campaign: int, provider: Provider
) -> None:
    """What nobody understands does not keep the others."""
    bounce = sent.mailjet_event("bounce", hard_bounce=True, error="user unknown", comment=sent.UNKNOWN)
    events = [7, None, [], {"event": "bounce"}, {"event": "new"}, bounce("reader0@example.org", "")]
    assert provider.post("mailjet", sent.post_with_password(events)).status == 200
    assert read_statuses(engine)[1] == "bounced"


def test_while_the_database_is_away_the_provider_is_asked_to_try_again(
    engine: Engine, campaign: int, provider: Provider
) -> None:
    posted = provider.sign("postmark", DEAD["postmark"]("reader0@example.org", ""))
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE feedback_message RENAME TO away")
    answer = provider.post("postmark", posted)
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO feedback_message")
    assert read_statuses(engine)[1] == "active"
    assert provider.post("postmark", posted).status == 200
    assert read_statuses(engine)[1] == "bounced"


def test_while_the_secret_is_missing_the_provider_is_asked_to_try_again(
    hooked: Workspace, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    (hooked.root / "mailjet.secret").unlink()
    for _ in range(3):
        assert provider.post("mailjet", sent.post_with_password([])).status == 503
    # Strangers can ask for it too, so the log has it once.
    assert len([line for line in caplog.records if "mailjet.secret" in line.getMessage()]) == 1


def test_a_subscription_of_amazon_is_confirmed_by_itself(
    amazon: SnsServer, provider: Provider, signer: SnsSigner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert provider.post("ses", signer.ask_to_confirm()).status == 200
    assert any("ConfirmSubscription" in path for path in amazon.asked)
    assert "subscribed to" in caplog.text


def test_the_examples_of_the_documentation_work(
    hooked: Workspace, engine: Engine, campaign: int, provider: Provider
) -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    example = json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
    example["data"] |= {"recipient": "reader0@example.org", "token": ""}
    assert provider.post("generic", sent.post_as_standard(example)).status == 200
    assert read_statuses(engine)[1] == "bounced"
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    program = program.replace("https://news.example.org", provider.url)
    told = subprocess.run([sys.executable, "-c", program], cwd=hooked.root, capture_output=True, text=True)
    assert (told.stdout, told.stderr) == ("200\n", "")
    assert [message.kind for message in read_messages(engine)] == ["bounce", "complaint"]


def test_without_a_table_in_the_settings_there_is_no_webhook(workspace: Workspace) -> None:
    with served(create_app(workspace)) as running:
        for name in PROVIDERS:
            assert send_request(running.url, "POST", f"/hooks/{name}", b"[]").status == 404


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(NAUGHTY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)


def test_no_string_in_any_field_breaks_a_webhook_or_takes_anybody_off_the_list(
    engine: Engine, campaign: int, provider: Provider
) -> None:
    """Genuine requests with fields of all kinds; whoever is named in none of them stays."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def post(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(PROVIDERS))
        known = [made[name] for made in (DEAD, DELAYS, COMPLAINTS, UNSUBSCRIBES) if name in made]
        event = data.draw(st.sampled_from(known))("stranger@example.org", "00" * 25)
        for field in data.draw(st.lists(st.sampled_from(sorted(event)), max_size=3)):
            event[field] = data.draw(JSON)
        assert provider.post(name, provider.sign(name, event)).status in {200, 400}

    post()
    assert set(read_statuses(engine).values()) == {"active"}


def test_nobody_leaves_by_a_guess(
    hooked: Workspace, engine: Engine, campaign: int, provider: Provider
) -> None:
    """Not even with the provider's secret: a token that was made up is nobody's."""
    genuine = sign(hooked, 1, campaign)
    guesses = [
        genuine[:-1] + ("0" if genuine[-1] != "0" else "1"),
        "00" * 25,
        genuine[::-1],
        genuine[:49],
        "",
    ]
    for guess in guesses:
        event = UNSUBSCRIBES["brevo"]("stranger@example.org", guess)
        assert provider.post("brevo", provider.sign("brevo", event)).status == 200
    assert set(read_statuses(engine).values()) == {"active"}
