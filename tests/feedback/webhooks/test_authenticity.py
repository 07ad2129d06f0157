"""Who sent a request: secrets, signatures, and the certificate of Amazon."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mailer.errors import ConfigurationError
from mailer.feedback.incoming_message import ProviderEvent
from mailer.feedback.webhooks.registry import find_faults, open_webhooks
from mailer.feedback.webhooks.request import (
    ForgedRequestError,
    MalformedRequestError,
    UnverifiableRequestError,
    WebhookRequest,
)
from mailer.feedback.webhooks.sns import SnsVerifier, fetch_from_amazon, find_host
from mailer.settings import load_settings
from mailer.workspace import Workspace
from tests.factories import webhook_requests as sent
from tests.factories.sns import (
    CERTIFICATE_URL,
    HOST,
    Authority,
    SnsServer,
    SnsSigner,
    serving_sns,
)
from tests.factories.webhook_requests import DEAD, SECRET, TOPIC, UNSUBSCRIBES, Posted

NOW = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
BOUNCES = {name: make("lost@partner.example", "01" * 25) for name, make in DEAD.items()}
GENUINE = {
    "postmark": sent.post_with_password(BOUNCES["postmark"]),
    "brevo": sent.post_with_password(BOUNCES["brevo"]),
    "mailjet": sent.post_with_password([BOUNCES["mailjet"]]),
    "mailgun": sent.post_as_mailgun(BOUNCES["mailgun"], at=NOW),
    "sendgrid": sent.post_as_sendgrid([BOUNCES["sendgrid"]]),
    "generic": sent.post_as_standard(BOUNCES["generic"], at=NOW),
}
OTHER_SECRET = SECRET[::-1]
UNSIGNED = ("postmark", "brevo", "mailjet")


class Webhooks:
    """Every webhook, with its secret; Amazon is out of reach."""

    def __init__(self, root: Path) -> None:
        self.root = root
        sent.write_settings(root)
        self.settings = load_settings(root, {}).feedback
        self._hooks = {hook.name: hook for hook in open_webhooks(self.settings, root, fetch=_fail)}

    def read(self, name: str, posted: Posted, *, at: datetime = NOW) -> tuple[ProviderEvent, ...]:
        request = WebhookRequest(headers=posted.headers, body=posted.body, received_at=at)
        return self._hooks[name].read_events(request)


def _fail(url: str) -> bytes:
    raise OSError(f"{url} does not answer")


@pytest.fixture
def webhooks(workspace: Workspace) -> Webhooks:
    return Webhooks(workspace.root)


@pytest.mark.parametrize("name", sorted(GENUINE))
def test_a_genuine_request_is_read_and_read_again(webhooks: Webhooks, name: str) -> None:
    first, again = (webhooks.read(name, GENUINE[name]) for _ in range(2))
    assert len(first) == 1
    assert first == again


@pytest.mark.parametrize("name", sorted(GENUINE))
def test_without_its_secret_or_signature_nothing_is_read(webhooks: Webhooks, name: str) -> None:
    with pytest.raises(ForgedRequestError):
        webhooks.read(name, replace(GENUINE[name], headers={}, body=b"{}" if name == "mailgun" else b"[]"))


@pytest.mark.parametrize("name", ["sendgrid", "generic"])
def test_a_signature_covers_every_byte(webhooks: Webhooks, name: str) -> None:
    genuine = GENUINE[name]
    for changed in (genuine.body.replace(b"lost", b"mei!"), genuine.body + b" ", b"[]"):
        with pytest.raises(ForgedRequestError):
            webhooks.read(name, replace(genuine, body=changed))


@pytest.mark.parametrize(
    ("name", "forged"),
    [
        *((name, sent.post_with_password([], secret=OTHER_SECRET)) for name in UNSIGNED),
        *((name, sent.post_with_password([], secret="")) for name in UNSIGNED),
        ("mailgun", sent.post_as_mailgun(BOUNCES["mailgun"], at=NOW, secret=OTHER_SECRET)),
        ("sendgrid", sent.post_as_sendgrid([BOUNCES["sendgrid"]], key=sent.SendGridKey())),
        ("generic", sent.post_as_standard(BOUNCES["generic"], at=NOW, secret="whsec_" + "A" * 32)),
    ],
)
def test_another_secret_or_key_is_refused(webhooks: Webhooks, name: str, forged: Posted) -> None:
    with pytest.raises(ForgedRequestError):
        webhooks.read(name, forged)


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ???",
        "Basic " + "é" * 9,
        "Bearer",
        f"bearer  {OTHER_SECRET}",
        f"Digest {SECRET}",
        SECRET,
    ],
)
def test_a_header_that_shows_no_secret_is_refused(webhooks: Webhooks, header: str) -> None:
    with pytest.raises(ForgedRequestError):
        webhooks.read("postmark", Posted(b"[]", {"authorization": header}))


def test_a_secret_may_come_as_a_bearer_token(webhooks: Webhooks) -> None:
    posted = replace(GENUINE["brevo"], headers={"authorization": f"Bearer {SECRET}"})
    assert len(webhooks.read("brevo", posted)) == 1


def test_a_secret_is_read_for_every_request(webhooks: Webhooks) -> None:
    (webhooks.root / "postmark.secret").write_text(OTHER_SECRET, encoding="utf-8")
    with pytest.raises(ForgedRequestError):
        webhooks.read("postmark", GENUINE["postmark"])
    (webhooks.root / "postmark.secret").unlink()
    with pytest.raises(UnverifiableRequestError):
        webhooks.read("postmark", GENUINE["postmark"])


@pytest.mark.parametrize("late", [timedelta(hours=25), timedelta(minutes=-6)])
def test_an_old_signature_of_mailgun_is_refused(webhooks: Webhooks, late: timedelta) -> None:
    with pytest.raises(ForgedRequestError):
        webhooks.read("mailgun", GENUINE["mailgun"], at=NOW + late)
    assert webhooks.read("mailgun", GENUINE["mailgun"], at=NOW + timedelta(hours=8))


def test_a_signature_of_mailgun_serves_one_event_only(webhooks: Webhooks) -> None:
    """It does not cover the event, so whoever saw one could write another below it."""
    webhooks.read("mailgun", GENUINE["mailgun"])
    stolen = json.loads(GENUINE["mailgun"].body)
    stolen["event-data"] = UNSUBSCRIBES["mailgun"]("mei@example.org", "")
    with pytest.raises(ForgedRequestError):
        webhooks.read("mailgun", replace(GENUINE["mailgun"], body=json.dumps(stolen).encode()))
    assert webhooks.read("mailgun", GENUINE["mailgun"])


@pytest.mark.parametrize("late", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_standard_webhook_is_refused_after_five_minutes(webhooks: Webhooks, late: timedelta) -> None:
    with pytest.raises(ForgedRequestError):
        webhooks.read("generic", GENUINE["generic"], at=NOW + late)


def test_one_right_signature_of_several_is_enough(webhooks: Webhooks) -> None:
    genuine = GENUINE["generic"]
    right = genuine.headers["webhook-signature"]
    shown = f"v1a,AAAA v1,AAAA {right}"
    assert webhooks.read("generic", replace(genuine, headers={**genuine.headers, "webhook-signature": shown}))


def test_the_standards_own_example_is_accepted() -> None:
    """The example of the specification: its secret, ID, time, body and signature."""
    from mailer.feedback.webhooks.generic import check_signature

    request = WebhookRequest(
        headers={
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        body=b'{"test": 2432232314}',
        received_at=datetime.fromtimestamp(1614265330, UTC),
    )
    check_signature(request, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_the_doctor_hears_of_every_secret_that_is_missing_short_or_wrong(webhooks: Webhooks) -> None:
    assert find_faults(webhooks.settings, webhooks.root) == {}
    (webhooks.root / "postmark.secret").unlink()
    (webhooks.root / "mailgun.secret").write_text("\n", encoding="utf-8")
    (webhooks.root / "brevo.secret").write_text("guess me", encoding="utf-8")
    (webhooks.root / "generic.secret").write_text("not base64, but long enough", encoding="utf-8")
    faults = find_faults(webhooks.settings, webhooks.root)
    assert set(faults) == {"postmark", "mailgun", "brevo", "generic"}
    assert "16 characters" in faults["brevo"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[feedback.webhooks.ses]\ntopics = []", "topics"),
        ('[feedback.webhooks.ses]\ntopics = ["arn:aws:s3:::bucket"]', "not the ARN of an SNS topic"),
        ('[feedback.webhooks.ses]\ntopics = ["arn:aws:sns:evil.example/:123456789012:x"]', "not the ARN"),
        ('[feedback.webhooks.sendgrid]\nverification_key = "abc"', "begins with MFkw"),
        ("[feedback.webhooks.postmark]", "secret_file"),
        ('[feedback.webhooks.postmrak]\nsecret_file = "x"', "unknown setting"),
    ],
)
def test_settings_say_what_is_wrong(workspace: Workspace, table: str, words: str) -> None:
    path = workspace.root / "mailer.toml"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{table}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words):
        load_settings(workspace.root, {})


# Amazon SNS


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


def check(verifier: SnsVerifier, posted: Posted) -> None:
    verifier.check(WebhookRequest(headers=posted.headers, body=posted.body, received_at=NOW))


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_signatures_of_amazon_are_verified_with_one_certificate(
    amazon: SnsServer, signer: SnsSigner, version: str
) -> None:
    verifier = SnsVerifier([TOPIC], amazon.fetch)
    for _ in range(3):
        check(verifier, signer.notify(BOUNCES["ses"], SignatureVersion=version))
    assert amazon.asked == ["/SimpleNotificationService-0a1b.pem"]


def test_a_message_of_amazon_that_was_changed_is_refused(amazon: SnsServer, signer: SnsSigner) -> None:
    verifier = SnsVerifier([TOPIC], amazon.fetch)
    genuine = json.loads(signer.notify(BOUNCES["ses"]).body)
    changes: list[dict[str, object]] = [
        *({field: "x"} for field in ("Message", "MessageId", "Subject", "Timestamp", "Signature")),
        {"Type": "UnsubscribeConfirmation"},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "3"},
        {"SignatureVersion": None},
        {"Signature": "AAAA"},
        {"Subject": None},
        {"TopicArn": TOPIC + "-of-others"},
        {"TopicArn": 7},
    ]
    for change in changes:
        with pytest.raises(ForgedRequestError):
            check(verifier, Posted(json.dumps({**genuine, **change}).encode()))


def test_a_genuine_message_of_somebody_elses_topic_is_refused_before_anything_is_fetched(
    amazon: SnsServer, signer: SnsSigner
) -> None:
    with pytest.raises(ForgedRequestError):
        check(SnsVerifier([TOPIC], amazon.fetch), signer.notify(BOUNCES["ses"], TopicArn=TOPIC + "2"))
    assert amazon.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem",
        "https://bucket.s3.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://user@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://sns.eu-west-1.amazonaws.com/?Action=x&a.pem",
        "https://sns.eu-west-1.amazonaws.com/../a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem#x",
        "https://SNS.eu-west-1.amazonaws.com\\@evil.example/a.pem",
        "https://[",
        "file:///etc/passwd.pem",
        "",
    ],
)
def test_a_certificate_comes_from_sns_in_the_topics_region_only(
    amazon: SnsServer, signer: SnsSigner, url: str
) -> None:
    with pytest.raises(ForgedRequestError):
        check(SnsVerifier([TOPIC], amazon.fetch), signer.notify(BOUNCES["ses"], SigningCertURL=url))
    assert amazon.asked == []


def test_a_server_that_is_not_amazons_by_its_certificate_gives_none(
    authority: Authority, signer: SnsSigner, tmp_path: Path
) -> None:
    with (
        serving_sns(authority, signer, tmp_path, host="evil.example") as server,
        pytest.raises(UnverifiableRequestError),
    ):
        check(SnsVerifier([TOPIC], server.fetch), signer.notify(BOUNCES["ses"]))
    assert server.asked == []


def test_a_certificate_that_is_out_of_date_or_none_is_not_used(authority: Authority) -> None:
    old = SnsSigner(authority, until=NOW - timedelta(days=1))
    for answer in (old.pem, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(UnverifiableRequestError):
            check(SnsVerifier([TOPIC], lambda _, answer=answer: answer), old.notify(BOUNCES["ses"]))


def test_certificates_that_cannot_be_had_are_not_asked_for_again_and_again(signer: SnsSigner) -> None:
    asked: list[str] = []

    def fail(url: str) -> bytes:
        asked.append(url)
        raise OSError("no answer")

    verifier = SnsVerifier([TOPIC], fail)
    for number in range(100):
        url = CERTIFICATE_URL.replace("0a1b", str(number // 2))
        with pytest.raises(UnverifiableRequestError):
            check(verifier, signer.notify(BOUNCES["ses"], SigningCertURL=url))
    assert len(asked) == 8


def test_a_subscription_is_confirmed_for_a_topic_of_the_settings_only(
    amazon: SnsServer, signer: SnsSigner, workspace: Workspace
) -> None:
    sent.write_settings(workspace.root)
    settings = load_settings(workspace.root, {}).feedback
    hooks = open_webhooks(settings, workspace.root, fetch=amazon.fetch)
    ses = next(hook for hook in hooks if hook.name == "ses")

    def post(posted: Posted) -> None:
        ses.read_events(WebhookRequest(headers=posted.headers, body=posted.body, received_at=NOW))

    with pytest.raises(ForgedRequestError):
        post(signer.ask_to_confirm(TopicArn=TOPIC + "2"))
    for address in (f"https://evil.example/?TopicArn={TOPIC}", f"https://{HOST}/?Action=DeleteTopic", ""):
        with pytest.raises(ForgedRequestError):
            post(signer.ask_to_confirm(SubscribeURL=address))
    assert not [path for path in amazon.asked if "Action" in path]
    post(signer.ask_to_confirm())
    assert len([path for path in amazon.asked if "Action=ConfirmSubscription" in path]) == 1


def test_what_is_no_message_of_sns_is_malformed() -> None:
    verifier = SnsVerifier([TOPIC], _fail)
    for body in (b"{}", b"[]", b'{"Type": "Other"}', b'{"Type": ["Notification"]}', b"7", b"{"):
        with pytest.raises(MalformedRequestError):
            check(verifier, Posted(body))


@pytest.mark.parametrize(
    ("topic", "host"),
    [
        (TOPIC, HOST),
        ("arn:aws-cn:sns:cn-north-1:123456789012:x", "sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:x", "sns.us-gov-west-1.amazonaws.com"),
        ("arn:aws:sns:eu-west-1.evil.example:123456789012:x", None),
        ("arn:aws:sqs:eu-west-1:123456789012:x", None),
    ],
)
def test_the_host_of_sns_follows_from_the_topic(topic: str, host: str | None) -> None:
    assert find_host(topic) == host


class _Redirecting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response({"/there": 302, "/huge": 200, "/": 200}[self.path])
        self.send_header("location", "/")
        self.end_headers()
        self.wfile.write(b"x" * (200_000 if self.path == "/huge" else 2))

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_what_is_fetched_is_small_public_and_not_somewhere_else() -> None:
    with HTTPServer(("127.0.0.1", 0), _Redirecting) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            assert fetch_from_amazon(f"{base}/", is_allowed=lambda _: True) == b"xx"
            for path in ("/there", "/huge"):
                with pytest.raises(OSError, match="answer"):
                    fetch_from_amazon(base + path, is_allowed=lambda _: True)
            with pytest.raises(OSError, match=r"127\.0\.0\.1"):
                fetch_from_amazon(f"{base}/")
        finally:
            server.shutdown()
