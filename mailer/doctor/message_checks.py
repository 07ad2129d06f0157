"""Checks of one message: one built here as a campaign would, or one that a relay signed and sent.

What receivers ask of a sender stands in the message itself: one way to unsubscribe, headers that occur once,
and a signature that covers all of it.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from locales.phrase import AND, Phrase, gettext_noop, join_phrases
from mailer.dispatch.sending_settings import load_signer
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.errors import ConfigurationError, MailerError
from mailer.feedback.mime_part import MimePart, parse_message
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import reader_for
from mailer.rendering.message import build_message
from mailer.smtp.dkim_verifier import DkimResult, DkimVerdict, is_aligned, verify_dkim
from mailer.verification.submitted_mail import SubmittedMail, look_up_key, read_submission
from mailer.workspace import Workspace
from subscribers.models import Subscriber

_SUBJECT = "message"
_ONCE = ("from", "to", "subject", "date", "message-id")
_AT_MOST_ONCE = (*_ONCE, "reply-to", "list-unsubscribe", "list-unsubscribe-post", "list-id")
_MAX_LINE = 998  # RFC 5322, section 2.1.1
_CLIPPED_BYTES = 102 * 1024
"""Gmail shows no more of a message's HTML."""

_URI = re.compile(r"<([^<>\s]+)>")
_RESULT = re.compile(r"\b(spf|dkim|dmarc)\s*=\s*([a-z]+)", re.IGNORECASE)
_METHODS = {"spf": "message-spf-failed", "dkim": "message-dkim-failed", "dmarc": "message-dmarc-failed"}
_WHY_BROKEN = {
    DkimVerdict.body_changed: gettext_noop("the text was changed after it was signed"),
    DkimVerdict.header_changed: gettext_noop(
        "a header was changed after it was signed, or the key in the DNS is another"
    ),
    DkimVerdict.no_key: gettext_noop("the DNS has no such key"),
    DkimVerdict.unreachable: gettext_noop("the DNS did not answer"),
    DkimVerdict.expired: gettext_noop("it says that it counts no more"),
    DkimVerdict.malformed: gettext_noop("it breaks the rules"),
}
_NAMES = {
    "message-id": "Message-ID",
    "list-id": "List-Id",
    "cfbl-address": "CFBL-Address",
    "cfbl-feedback-id": "CFBL-Feedback-ID",
}


class UnreadableMessageError(MailerError):
    """The file is no message."""


def check_built_message(workspace: Workspace) -> Iterator[Diagnosis]:
    """Build one message as a campaign would, sign it if a key is set, and check it."""
    try:
        signer = load_signer(workspace.settings, workspace.root)
        message = _build_sample(workspace)
    except (ConfigurationError, MailerError):
        # The checks of the sender, of the keys and of the signing keys say what is wrong.
        return
    now = datetime.now(UTC)
    part = parse_message(message)
    findings = [*_check_headers(part), *_check_lines(message)]
    if workspace.settings.web.base_url.startswith("https://"):
        findings += _check_unsubscribing(part)
    if signer is not None:
        keys = {record.name: record.text for record in signer.records}
        signed = signer.sign(message, now=now)
        # Whether the domain that signs is the sender's, the checks of the DNS say.
        findings += _check_coverage(part, verify_dkim(signed, keys.get, now=now))
    if findings:
        yield from findings
    elif signer is not None:
        words = gettext_noop("a message built and signed here has what receivers ask for")
        yield find_good(_SUBJECT, words)
    else:
        words = gettext_noop(
            "a message built here has what receivers ask for. Your relay signs it: send yourself a "
            "test, save it as a file where it arrived, and run mailer doctor --message FILE"
        )
        yield find_good(_SUBJECT, words)


def check_received_message(workspace: Workspace, source: bytes) -> Iterator[Diagnosis]:
    """Check a message as it was received. Raise UnreadableMessageError if ``source`` is no message."""
    mails = read_submission(source)
    if not isinstance(mails, tuple):
        raise UnreadableMessageError(
            gettext_noop(
                "The file is no message. Save one of yours where it arrived: in Gmail, Show original "
                "and Download; in Thunderbird and Apple Mail, Save as."
            )
        )
    part = mails[0].part
    # The DNS is asked, as every receiver does: a key file that fits proves nothing of what is published.
    find_key = partial(look_up_key, workspace.settings)
    results = verify_dkim(source, find_key, now=datetime.now(UTC))
    findings = [
        *_check_headers(part),
        *_check_unsubscribing(part),
        *_check_signatures(part, results),
        *_check_coverage(part, results),
        *_check_receiver(part),
        *_check_lines(source),
        *_check_size(mails[0]),
    ]
    yield from findings
    if all(finding.verdict == "good" for finding in findings):
        yield find_good(_SUBJECT, gettext_noop("the message has what receivers ask for"))


def read_message_file(path: Path) -> bytes:
    """Read a message from a file. Raise UnreadableMessageError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableMessageError(
            Phrase("%(path)s cannot be read: %(error)s.", path=path, error=error.strerror)
        ) from error


# --- what is checked ----------------------------------------------------------------------------------------


def _check_headers(part: MimePart) -> Iterator[Diagnosis]:
    counts = {name: len(part.headers.all(name)) for name in _AT_MOST_ONCE}
    if missing := [name for name in _ONCE if not counts[name]]:
        words = Phrase(
            "the message has no %(missing)s. Many receivers refuse it or take it for spam.",
            missing=_list_names(missing),
        )
        yield find_bad(_SUBJECT, "message-header-missing", words)
    if repeated := [name for name, count in counts.items() if count > 1]:
        words = Phrase(
            "the message has more than one %(repeated)s. Find out which program adds it.",
            repeated=_list_names(repeated),
        )
        yield find_bad(_SUBJECT, "message-header-repeated", words)


def _check_unsubscribing(part: MimePart) -> Iterator[Diagnosis]:
    value = part.headers.raw("list-unsubscribe")
    if not value:
        words = gettext_noop(
            "the message has no List-Unsubscribe, so mail programs show no button to unsubscribe"
        )
        yield find_bad(_SUBJECT, "message-unsubscribe-missing", words)
        return
    if "=?" in value:
        words = gettext_noop(
            "List-Unsubscribe is encoded, so no mail program can read it. A program on the way rewrote it."
        )
        yield find_bad(_SUBJECT, "message-unsubscribe-encoded", words)
        return
    pages = [uri for uri in _URI.findall(value) if urlsplit(uri).scheme.lower() in ("http", "https")]
    if len(pages) != 1 or urlsplit(pages[0]).scheme.lower() != "https":
        words = Phrase(
            "List-Unsubscribe must have exactly one https address for unsubscribing with one click. "
            "It has: %(value)s",
            value=value[:200],
        )
        yield find_bad(_SUBJECT, "message-unsubscribe-not-https", words)
    post = part.headers.raw("list-unsubscribe-post").replace(" ", "").lower()
    if post != "list-unsubscribe=one-click":
        words = gettext_noop(
            "List-Unsubscribe-Post is missing or wrong, so Gmail and Yahoo do not count one-click unsubscribe"
        )
        yield find_bad(_SUBJECT, "message-one-click-missing", words)


def _check_signatures(part: MimePart, results: tuple[DkimResult, ...]) -> Iterator[Diagnosis]:
    if not results:
        words = gettext_noop("nobody signed the message. Set a key in [dkim], or have your relay sign")
        yield find_bad(_SUBJECT, "message-unsigned", words)
        return
    valid = [result for result in results if result.verdict is DkimVerdict.valid]
    for result in results:
        if result.verdict is not DkimVerdict.valid:
            why = _WHY_BROKEN[result.verdict]
            words = (
                Phrase(
                    "the signature of %(domain)s is not valid: %(why)s",
                    domain=result.domain,
                    why=why,
                )
                if result.domain
                else Phrase("the signature of nobody is not valid: %(why)s", why=why)
            )
            find = find_doubtful if valid else find_bad
            yield find(_SUBJECT, "message-signature-broken", words)
    sender = _find_sender_domain(part)
    if valid and not any(is_aligned(result.domain, sender) for result in valid):
        domains = ", ".join(result.domain for result in valid)
        words = Phrase(
            gettext_noop(
                "the message is from %(sender)s, and signed by %(domains)s alone, so DMARC does not count it"
            )
            if sender
            else gettext_noop(
                "the message is from nobody, and signed by %(domains)s alone, so DMARC does not count it"
            ),
            sender=sender,
            domains=domains,
        )
        yield find_bad(_SUBJECT, "message-signature-unaligned", words)
    if any(result.limits_body for result in valid):
        words = gettext_noop(
            "the signature covers only the beginning of the text (l=), so anybody can add to it"
        )
        yield find_doubtful(_SUBJECT, "message-signature-partial", words)


def _check_coverage(part: MimePart, results: tuple[DkimResult, ...]) -> Iterator[Diagnosis]:
    """Check which headers the signatures of the sender's domain cover, whether or not they are valid. A
    change on the way is named elsewhere."""
    sender = _find_sender_domain(part)
    own = [result for result in results if is_aligned(result.domain, sender)]
    if not own:
        return

    def is_open(name: str) -> bool:
        return name in part.headers and not any(result.covers(name) for result in own)

    if unsigned := [name for name in ("list-unsubscribe", "list-unsubscribe-post") if is_open(name)]:
        words = Phrase(
            "the signature does not cover %(names)s, so receivers do not offer one click. Have your "
            "relay add it to h=.",
            names=_list_names(unsigned),
        )
        yield find_bad(_SUBJECT, "message-unsubscribe-unsigned", words)
    if is_open("feedback-id"):
        open_id = gettext_noop(
            "the signature does not cover Feedback-ID, so Gmail shows no complaints by campaign"
        )
        yield find_doubtful(_SUBJECT, "message-feedback-id-unsigned", open_id)
    if unsigned := [name for name in ("cfbl-address", "cfbl-feedback-id") if is_open(name)]:
        words = Phrase(
            "the signature does not cover %(unsigned)s, so no provider reports complaints to it",
            unsigned=_list_names(unsigned),
        )
        yield find_doubtful(_SUBJECT, "message-complaint-address-unsigned", words)
    address = part.headers.raw("cfbl-address").partition(";")[0].strip()
    domain = address.rpartition("@")[2].lower()
    is_own = domain == sender or domain.endswith(f".{sender}")
    if domain and not is_own and not any(result.domain == domain for result in results):
        words = Phrase(
            "complaints go to %(address)s, which is not of the sender's domain. Providers then "
            "want a second signature, by that domain",
            address=address,
        )
        yield find_doubtful(_SUBJECT, "message-complaint-address-unaligned", words)


def _check_receiver(part: MimePart) -> Iterator[Diagnosis]:
    """Read what the server that received the message says of it. Its own header is the uppermost."""
    said = part.headers.raw("authentication-results")
    if not said:
        return
    server = said.partition(";")[0].strip()
    found: dict[str, list[str]] = {}
    for method, result in _RESULT.findall(said):
        found.setdefault(method.lower(), []).append(result.lower())
    for method, code in _METHODS.items():
        outcomes = found.get(method, [])
        if outcomes and "pass" not in outcomes:
            words = Phrase(
                "%(server)s says %(method)s=%(outcomes)s. To see why: mailer doctor %(method)s",
                server=server,
                method=method,
                outcomes=outcomes[0],
            )
            find = find_bad if method == "dmarc" or outcomes[0] in ("fail", "permerror") else find_doubtful
            yield find(_SUBJECT, code, words)
    if passed := [method for method in _METHODS if "pass" in found.get(method, [])]:
        yield find_good(
            _SUBJECT,
            Phrase(
                "%(server)s says that %(methods)s passed",
                server=server,
                methods=", ".join(passed),
            ),
        )


def _check_lines(source: bytes) -> Iterator[Diagnosis]:
    longest = max(map(len, source.replace(b"\r\n", b"\n").split(b"\n")))
    if longest > _MAX_LINE:
        words = Phrase(
            "a line has %(bytes)s bytes. Servers may break lines of more than %(most)s, and with them "
            "the signature",
            bytes=f"{longest:,}",
            most=_MAX_LINE,
        )
        yield find_bad(_SUBJECT, "message-line-too-long", words)


def _check_size(mail: SubmittedMail) -> Iterator[Diagnosis]:
    sizes = [len(part.body) for part in mail.part.all_parts if part.content_type == "text/html"]
    if sizes and max(sizes) > _CLIPPED_BYTES:
        words = Phrase(
            "the HTML has %(size)s kB, and Gmail cuts a message off at 102 kB. Make the edition shorter.",
            size=max(sizes) // 1024,
        )
        yield find_doubtful(_SUBJECT, "message-clipped", words)


# --- what it is checked with --------------------------------------------------------------------------------


def _build_sample(workspace: Workspace) -> bytes:
    """Build the message of a reader who does not exist, with the headers of every campaign's."""
    now = datetime.now(UTC)
    mail = CompiledEdition(
        slug="sample",
        language="en",
        title="Sample",
        subject="A sample",
        preheader="",
        sender_name=workspace.settings.sender.name,
        greeting="",
        one_story="",
        many_stories="{count}",
        html="<p>A sample. @@unsubscribe_url@@</p>\n",
        text="A sample.\n\n@@unsubscribe_url@@\n",
        stories=(),
        digest="0" * 64,
    )
    address = "reader@example.org"
    person = Subscriber(
        id=1, email=address, envelope=address, name="A Reader", created_at=now, updated_at=now
    )
    # No link of this message is followed, so it needs no database.
    signer = replace(workspace.keys.tokens.newest(), series=tuple)
    reader = reader_for(person, 1, workspace.settings, signer)
    return build_message(mail, reader, workspace.settings, now=now)


def _find_sender_domain(part: MimePart) -> str:
    match = re.search(r"@([A-Za-z0-9.-]+)>?\s*$", part.headers.get("from"))
    return match[1].lower() if match else ""


def _list_names(names: list[str]) -> str:
    return join_phrases([_NAMES.get(name, name.title()) for name in names], AND)
