"""Compare how fast a campaign is sent with smtp-source and with a typical aiosmtplib program."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.bench_context import BenchContext
from bench.measurement import Bound, Measurement
from bench.newsletters import NewsletterSize
from bench.prepared_campaigns import PreparedCampaign
from bench.reference_senders import run_aiosmtplib, run_smtp_source
from bench.relays import NoRelayError, Postfix, running_postfix, running_sink, running_slow_sink
from bench.runs import Run, RunComparison, cpu_each, rate
from tests.servers.smtp_sink import smtp_sink

# A few seconds each, so that starting and stopping hardly affect the rate.
_LARGE, _SMALL, _SLOW, _WHOLE, _ORDINARY = 12_000, 40_000, 4_000, 4_000, 400
_MILLISECONDS = 10


def measure_large(context: BenchContext) -> Iterator[Measurement]:
    """Send 60 kB messages over 10 connections to smtp-sink: the rate, and the CPU time of each message."""
    campaign = context.prepare(NewsletterSize.large, _LARGE)
    with running_sink() as port:
        turns = _compare_with_source(context, campaign, port, connections=10, source=campaign.readers)
    yield _make_rate_measurement(
        turns, f"{_describe_size(campaign)}, 10 connections: messages/s against smtp-source", bar=1.0
    )
    ratio = turns.ratio("ours", "source", cpu_each)
    ours, theirs = turns.median("ours", cpu_each), turns.median("source", cpu_each)
    yield Measurement(
        what="    CPU per message against smtp-source",
        measured=ratio.median,
        bound=Bound.at_most,
        bar=2.6,
        note=f"{ours:,.0f} µs against {theirs:,.0f} µs; {ratio}",
    )


def measure_small(context: BenchContext) -> Iterator[Measurement]:
    """Send 5 kB messages over 10 and over 20 connections to smtp-sink."""
    campaign = context.prepare(NewsletterSize.small, _SMALL)
    for connections, bar in ((10, 0.9), (20, 1.2)):
        with running_sink() as port:
            turns = _compare_with_source(
                context, campaign, port, connections=connections, source=campaign.readers
            )
        what = f"{_describe_size(campaign)}, {connections} connections: messages/s against smtp-source"
        yield _make_rate_measurement(turns, what, bar=bar)


def measure_slow(context: BenchContext) -> Iterator[Measurement]:
    """Send 60 kB messages over 10 connections to a server that replies after 10 ms."""
    campaign = context.prepare(NewsletterSize.large, _SLOW)
    with running_slow_sink(_MILLISECONDS) as port:
        # smtp-source waits four times per message, so a quarter as many take as long.
        turns = _compare_with_source(context, campaign, port, connections=10, source=campaign.readers // 4)
    what = f"{_describe_size(campaign)}, replies after {_MILLISECONDS} ms: messages/s against smtp-source"
    yield _make_rate_measurement(turns, what, bar=3.5)


def measure_ordinary(context: BenchContext) -> Iterator[Measurement]:
    """Send 60 kB messages over 10 connections to smtp-sink; compare with aiosmtplib without a ledger."""
    campaign, few = context.prepare(NewsletterSize.large, _LARGE), context.scaled(_ORDINARY)
    with running_sink() as port:
        works = {
            "ours": partial(campaign.send, port),
            "usual": partial(run_aiosmtplib, port, campaign, messages=few, connections=10),
        }
        turns = context.compare(works)
    ratio = turns.ratio("ours", "usual", rate)
    yield Measurement(
        what=f"{_describe_size(campaign)}: messages/s against aiosmtplib, no ledger",
        measured=ratio.median,
        bar=15,
        note=f"{turns.median('ours', rate):,.0f}/s against {turns.median('usual', rate):,.0f}/s; {ratio}; "
        "both on uvloop with 10 connections",
    )


def measure_postfix(context: BenchContext) -> Iterator[Measurement]:
    """Send 60 kB messages over 10 connections to a real Postfix, whose queue is empty before each round."""
    what = "60 kB into a real Postfix: messages/s against smtp-source"
    campaign = context.prepare(NewsletterSize.large, _WHOLE)
    try:
        with running_postfix(context.campaigns.folder) as postfix:
            works = {
                "ours": lambda: _drain(postfix, campaign.send(postfix.port)),
                "source": lambda: _drain(postfix, _send_source(campaign, postfix.port, campaign.readers)),
            }
            turns = context.compare(works)
    except NoRelayError as error:
        yield Measurement(what=what, note=f"{error}.")
        return
    yield _make_rate_measurement(turns, what, bar=0.8)


def measure_dkim(context: BenchContext) -> Iterator[Measurement]:
    """Send 60 kB messages over 10 connections to smtp-sink, with and without an RSA-2048 signature."""
    what = "60 kB signed with RSA-2048: messages/s against unsigned"
    campaign = context.prepare(NewsletterSize.large, _LARGE)
    environ = _make_key(context.campaigns.folder / "dkim.pem")
    if not _is_signed(context, environ):
        yield Measurement(what=what, note="The messages are not signed.")
        return
    with running_sink() as port:
        works = {
            "signed": partial(campaign.send, port, environ=environ),
            "plain": partial(campaign.send, port),
        }
        turns = context.compare(works)
    ratio = turns.ratio("signed", "plain", rate)
    yield Measurement(
        what=what,
        measured=ratio.median,
        bar=0.55,
        note=f"{turns.median('signed', rate):,.0f}/s against {turns.median('plain', rate):,.0f}/s; {ratio}",
    )


def _compare_with_source(
    context: BenchContext, campaign: PreparedCampaign, port: int, *, connections: int, source: int
) -> RunComparison:
    return context.compare(
        {
            "ours": partial(campaign.send, port, connections=connections),
            "source": partial(_send_source, campaign, port, source, connections=connections),
        }
    )


def _send_source(campaign: PreparedCampaign, port: int, messages: int, *, connections: int = 10) -> Run:
    return run_smtp_source(port, messages=messages, length=campaign.message_bytes, connections=connections)


def _make_rate_measurement(turns: RunComparison, what: str, *, bar: float) -> Measurement:
    ratio = turns.ratio("ours", "source", rate)
    return Measurement(
        what=what,
        measured=ratio.median,
        bar=bar,
        note=f"{turns.median('ours', rate):,.0f}/s against {turns.median('source', rate):,.0f}/s; {ratio}",
    )


def _describe_size(campaign: PreparedCampaign) -> str:
    return f"{campaign.message_bytes / 1000:.1f} kB"


def _drain(postfix: Postfix, run: Run) -> Run:
    postfix.drain()
    return run


def _make_key(path: Path) -> dict[str, str]:
    """Create a key at ``path`` and return the settings for signing with it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    return {"MAILER_DKIM__SELECTOR": "bench", "MAILER_DKIM__KEY_FILE": str(path)}


def _is_signed(context: BenchContext, environ: dict[str, str]) -> bool:
    """Return whether every message of a short campaign arrives signed."""
    campaign = context.campaigns.prepare(NewsletterSize.large, 20)
    with smtp_sink() as sink:
        campaign.send(sink.port, environ=environ)
        messages = sink.messages()
    return bool(messages) and all(b"DKIM-Signature:" in message for message in messages)
