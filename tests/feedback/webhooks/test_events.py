"""What each provider's events become."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import ProviderEvent
from mailer.feedback.webhooks import brevo, generic, mailgun, mailjet, postmark, sendgrid, ses
from mailer.feedback.webhooks.request import (
    MalformedRequestError,
    WebhookRequest,
    list_objects,
    parse_json,
    read_line,
    read_moment,
)
from mailer.reasons.reason import Reason
from tests.factories import webhook_requests as sent
from tests.factories.naughty_strings import NAUGHTY
from tests.factories.webhook_requests import COMPLAINTS, DEAD, DELAYS, PROVIDERS, UNSUBSCRIBES, Make

NOW = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
LOST, TOKEN = "lost@partner.example", "01" * 25


def _as_request(body: sent.Posted) -> WebhookRequest:
    return WebhookRequest(headers=body.headers, body=body.body, received_at=NOW)


READERS: Mapping[str, Callable[[Any], Iterable[ProviderEvent]]] = {
    "ses": lambda event: ses.read_events(sent.dump(event).decode()),
    "postmark": postmark.read_event,
    "mailgun": lambda event: mailgun.read_request(_as_request(sent.post_as_mailgun(event))),
    "sendgrid": sendgrid.read_event,
    "brevo": brevo.read_event,
    "mailjet": mailjet.read_event,
    "generic": lambda event: generic.read_request(
        _as_request(sent.post_as_standard(event, told=f"msg_{event.get('type')}"))
    ),
}


def mailgun_drop(reason: str) -> Make:
    return lambda address, token: sent.mailgun_failure(address, token, reason=reason)


def read_one(provider: str, make: Make | Mapping[str, Make]) -> ProviderEvent:
    made = make[provider] if isinstance(make, Mapping) else make
    (event,) = READERS[provider](made(LOST, TOKEN))
    return event


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_mailbox_that_does_not_exist_is_dead(provider: str) -> None:
    event = read_one(provider, DEAD)
    (recipient,) = event.message.recipients
    assert (event.provider, event.message.kind) == (provider, FeedbackKind.bounce)
    assert (recipient.reason, recipient.action) == (Reason.no_such_user, "failed")
    assert (recipient.address, recipient.status) == (LOST, "5.1.1")
    assert "User unknown" in recipient.words
    assert event.happened_at is not None
    assert event.happened_at.replace(microsecond=0) == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("provider", sorted(DELAYS))
def test_while_the_provider_goes_on_trying_the_message_is_only_late(provider: str) -> None:
    (recipient,) = read_one(provider, DELAYS).message.recipients
    assert (recipient.action, recipient.reason) == ("delayed", Reason.full)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_complaint_is_a_complaint_and_an_unsubscribe_leaves(provider: str) -> None:
    complaint, leave = read_one(provider, COMPLAINTS), read_one(provider, UNSUBSCRIBES)
    assert (complaint.message.kind, complaint.message.recipients[0].reason) == (
        FeedbackKind.complaint,
        Reason.complaint,
    )
    assert leave.message.kind is FeedbackKind.leave
    assert {each.message.recipients[0].address for each in (complaint, leave)} == {LOST}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_our_token_comes_back_with_every_event(provider: str) -> None:
    told = [made[provider] for made in (DEAD, DELAYS, COMPLAINTS, UNSUBSCRIBES) if provider in made]
    assert {read_one(provider, make).message.original.feedback_token for make in told} == {TOKEN}


@pytest.mark.parametrize("provider", ["ses", "mailgun", "sendgrid", "brevo"])
def test_the_message_id_comes_back_with_its_brackets(provider: str) -> None:
    assert read_one(provider, DEAD).message.original.message_id == "<c7.s1.ab@example.org>"


@pytest.mark.parametrize("provider", ["ses", "mailgun"])
def test_the_sender_of_the_envelope_comes_back(provider: str) -> None:
    assert read_one(provider, DEAD).message.original.envelope_sender == "bounce@news.example.org"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_same_event_has_the_same_fingerprint_and_another_has_another(provider: str) -> None:
    told = [made[provider] for made in (DEAD, DELAYS, COMPLAINTS, UNSUBSCRIBES) if provider in made]
    first, again = ([read_one(provider, make).fingerprint for make in told] for _ in range(2))
    assert first == again
    assert len(set(first)) == len(told)


def test_the_servers_words_are_believed_before_the_providers_category() -> None:
    """A provider calls a block or a full mailbox a hard bounce too."""
    blocked = sent.BLOCKED
    told = {
        "ses": lambda address, token: sent.ses_bounce(address, token, words=blocked, status="5.7.1"),
        "postmark": lambda address, token: sent.postmark_bounce(address, token, words=blocked),
        "mailgun": lambda address, token: sent.mailgun_failure(address, token, words=blocked),
        "sendgrid": sent.sendgrid_event("bounce", reason=blocked, bounce_classification="Invalid Address"),
        "brevo": sent.brevo_event("hard_bounce", reason=blocked),
        "mailjet": sent.mailjet_event("bounce", hard_bounce=True, error="user unknown", comment=blocked),
        "generic": sent.generic_event("bounce", words=blocked, reason="no_such_user"),
    }
    reasons = {name: read_one(name, make).message.recipients[0].reason for name, make in told.items()}
    assert reasons == dict.fromkeys(PROVIDERS, Reason.blocked)


@pytest.mark.parametrize(
    ("provider", "make", "reason"),
    [
        ("ses", lambda a, t: sent.ses_bounce(a, t, subtype="NoEmail"), Reason.no_such_user),
        ("ses", lambda a, t: sent.ses_bounce(a, t, subtype="OnAccountSuppressionList"), Reason.suspended),
        ("ses", lambda a, t: sent.ses_bounce(a, t, kind="Transient", subtype="MailboxFull"), Reason.full),
        ("ses", lambda a, t: sent.ses_bounce(a, t, kind="Transient"), Reason.other),
        ("postmark", lambda a, t: sent.postmark_bounce(a, t, kind="BadEmailAddress"), Reason.no_such_user),
        ("postmark", lambda a, t: sent.postmark_bounce(a, t, kind="DnsError"), Reason.no_such_host),
        ("postmark", lambda a, t: sent.postmark_bounce(a, t), Reason.other),
        ("mailgun", lambda a, t: sent.mailgun_failure(a, t, reason="suppress-bounce"), Reason.suspended),
        ("mailgun", lambda a, t: sent.mailgun_failure(a, t, reason="espblock"), Reason.blocked),
        (
            "sendgrid",
            sent.sendgrid_event("bounce", bounce_classification="Invalid Address"),
            Reason.no_such_user,
        ),
        ("sendgrid", sent.sendgrid_event("bounce", type="blocked"), Reason.blocked),
        ("sendgrid", sent.sendgrid_event("dropped", reason="Bounced Address"), Reason.suspended),
        ("brevo", sent.brevo_event("invalid_email"), Reason.no_such_user),
        ("brevo", sent.brevo_event("blocked"), Reason.suspended),
        ("brevo", sent.brevo_event("hard_bounce"), Reason.other),
        (
            "mailjet",
            sent.mailjet_event("bounce", hard_bounce=True, error="user unknown"),
            Reason.no_such_user,
        ),
        ("mailjet", sent.mailjet_event("bounce", hard_bounce=False, error="user unknown"), Reason.other),
        ("mailjet", sent.mailjet_event("blocked", error="preblocked"), Reason.suspended),
        ("generic", sent.generic_event("bounce", reason="too_big"), Reason.too_big),
        ("generic", sent.generic_event("bounce", reason="a bad day"), Reason.other),
    ],
)
def test_without_words_the_providers_category_decides(provider: str, make: Make, reason: Reason) -> None:
    assert read_one(provider, make).message.recipients[0].reason is reason


@pytest.mark.parametrize("provider", sorted(DELAYS))
def test_a_delay_never_makes_anybody_dead(provider: str) -> None:
    told = {
        "ses": lambda a, t: {
            **sent.ses_delay(a, t),
            "deliveryDelay": {"delayedRecipients": [{"emailAddress": a, "diagnosticCode": sent.UNKNOWN}]},
        },
        "postmark": lambda a, t: sent.postmark_bounce(a, t, kind="Transient", words=sent.UNKNOWN),
        "mailgun": lambda a, t: sent.mailgun_failure(a, t, severity="temporary", words=sent.UNKNOWN),
        "sendgrid": sent.sendgrid_event("deferred", response=sent.UNKNOWN),
        "brevo": sent.brevo_event("deferred", reason=sent.UNKNOWN),
        "generic": sent.generic_event("delay", words=sent.UNKNOWN, reason="no_such_user"),
    }
    assert not read_one(provider, told[provider]).message.recipients[0].is_dead


@pytest.mark.parametrize(
    ("provider", "make", "kind"),
    [
        (
            "mailgun",
            mailgun_drop("suppress-complaint"),
            FeedbackKind.complaint,
        ),
        (
            "mailgun",
            mailgun_drop("suppress-unsubscribe"),
            FeedbackKind.leave,
        ),
        ("sendgrid", sent.sendgrid_event("dropped", reason="Spam Reporting Address"), FeedbackKind.complaint),
        ("sendgrid", sent.sendgrid_event("dropped", reason="Unsubscribed Address"), FeedbackKind.leave),
        ("sendgrid", sent.sendgrid_event("group_unsubscribe"), FeedbackKind.leave),
        ("postmark", lambda a, t: sent.postmark_bounce(a, t, kind="Unsubscribe"), FeedbackKind.leave),
    ],
)
def test_what_a_provider_did_not_send_for_the_readers_sake_says_what_they_did(
    provider: str, make: Make, kind: FeedbackKind
) -> None:
    assert read_one(provider, make).message.kind is kind


@pytest.mark.parametrize(
    ("provider", "make"),
    [
        ("ses", lambda a, t: {"eventType": "Delivery", "delivery": {}, "mail": sent.ses_mail(a, t)}),
        ("ses", lambda a, t: sent.ses_complaint(a, t, kind="not-spam")),
        ("postmark", lambda a, t: {**sent.postmark_bounce(a, t), "RecordType": "Open"}),
        ("postmark", lambda a, t: sent.postmark_bounce(a, t, kind="AutoResponder")),
        ("postmark", lambda a, t: sent.postmark_unsubscribe(a, t, origin="Admin")),
        ("mailgun", sent.mailgun_event("opened")),
        ("sendgrid", sent.sendgrid_event("click")),
        ("sendgrid", sent.sendgrid_event("group_resubscribe")),
        ("brevo", sent.brevo_event("request")),
        ("mailjet", sent.mailjet_event("sent")),
        ("mailjet", sent.mailjet_event("blocked", error="duplicate in campaign")),
        ("generic", sent.generic_event("opened")),
    ],
)
def test_what_does_not_concern_us_is_passed_over(provider: str, make: Make) -> None:
    assert list(READERS[provider](make(LOST, TOKEN))) == []


def test_each_recipient_of_a_bounce_is_an_event_of_its_own() -> None:
    bounce = sent.ses_bounce(LOST, TOKEN, words=sent.UNKNOWN, status="5.1.1")
    bounce["bounce"]["bouncedRecipients"].append({"emailAddress": "full@partner.example", "status": "5.2.2"})
    events = list(READERS["ses"](bounce))
    assert [each.message.recipients[0].reason for each in events] == [Reason.no_such_user, Reason.full]
    assert len({each.fingerprint for each in events}) == 2


def test_the_sentence_with_which_ses_announces_itself_is_passed_over() -> None:
    assert list(ses.read_events("Successfully validated the topic for event publishing.")) == []


def test_the_returned_message_in_a_webhook_of_postmark_has_our_header() -> None:
    event = {**sent.postmark_bounce(LOST, ""), "Content": f"Subject: News\r\nX-Feedback-Token: {TOKEN}\r\n"}
    (read,) = postmark.read_event(event)
    assert read.message.original.feedback_token == TOKEN


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(NAUGHTY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bent_events(draw: st.DrawFn) -> tuple[str, Any]:
    """An event of a provider with some of its values replaced by anything at all."""
    provider = draw(st.sampled_from(PROVIDERS))
    made = draw(
        st.sampled_from([m[provider] for m in (DEAD, DELAYS, COMPLAINTS, UNSUBSCRIBES) if provider in m])
    )

    def bend(value: Any) -> Any:
        if draw(st.integers(0, 4)) == 0:
            return draw(JSON)
        if isinstance(value, dict):
            return {name: bend(inner) for name, inner in value.items()}
        return [bend(each) for each in value] if isinstance(value, list) else value

    return provider, bend(made(LOST, TOKEN))


@settings(max_examples=300, deadline=None)
@given(bent_events())
def test_no_value_of_any_field_breaks_a_reader(bent: tuple[str, Any]) -> None:
    provider, event = bent
    try:
        read = list(READERS[provider](event)) if isinstance(event, dict) else []
    except MalformedRequestError:
        return
    for each in read:
        (recipient,) = each.message.recipients
        shown = (recipient.address, recipient.words, recipient.status, each.message.original.message_id)
        assert all(len(text) <= 1002 and "\0" not in text and "\n" not in text for text in shown)
        assert each.happened_at is None or each.happened_at.tzinfo is not None


def test_a_character_that_was_cut_in_two_keeps_nothing_from_us() -> None:
    whole = sent.dump(sent.sendgrid_event("bounce", reason="550 5.1.1 User unknown @")(LOST, TOKEN))
    for broken in (b"\\ud83d", b"\xe9", b"\x00", b"\n", b"\\u0000"):
        (said,) = list_objects(parse_json(whole.replace(b"@", broken)))
        (event,) = sendgrid.read_event(said)
        (recipient,) = event.message.recipients
        assert recipient.reason is Reason.no_such_user
        recipient.words.encode()
        assert "\0" not in recipient.words


def test_a_number_of_any_length_is_read() -> None:
    assert read_line(10**5000) == ""
    assert read_moment(10**400) is None
    assert read_moment("1e999") is None


@pytest.mark.parametrize(
    "body", [b"", b"{", b"7", b'"x"', b"\xff\xfe", b"[" * 100_000, b"null", b"event=bounce"]
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    request = WebhookRequest(headers={}, body=body, received_at=NOW)
    for read in (mailgun.read_request, generic.read_request):
        with pytest.raises(MalformedRequestError):
            list(read(request))
