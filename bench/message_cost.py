"""Measure the cost of building one reader's message."""

import dataclasses
import hashlib
import itertools
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from bench.conventional_mailer import ConventionalMailer
from bench.measurement import Bound, Measurement
from bench.sample_workspace import Sample
from bench.timed_rounds import TimedRounds, time_call
from mailer.campaigns.counted_links import index_links, number_links
from mailer.rendering.body.counted_links import find_links
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.message import MessageBuilder, build_message
from subscribers.click_tokens import ClickToken, sign_click_token

_KILOBYTES = 60
_COUNTED_LINKS = 60


def measure_messages(sample: Sample) -> Iterator[Measurement]:
    """Compare one message with the conventional way, and with the SHA-256 of its bytes."""
    # cssutils logs a warning about every unusual rule of email CSS.
    logging.getLogger("CSSUTILS").setLevel(logging.CRITICAL)
    yield measure_conventional(sample)
    yield measure_hash(sample)
    yield measure_counted_links(sample)


def measure_conventional(sample: Sample) -> Measurement:
    compiled = sample.compile()
    classic = ConventionalMailer(compiled, sample.mjml(), sample.inline_css())
    readers, others = itertools.cycle(sample.readers), itertools.cycle(sample.readers)
    builder, now = MessageBuilder([compiled], sample.settings), datetime.now(UTC)
    rounds = TimedRounds(
        {
            "ours": time_call(lambda: builder.build(next(readers), now=now), 200),
            "classic": time_call(lambda: classic.build(next(others))),
        },
        rounds=9,
        warmup=2,
    )
    return Measurement(
        what="one reader's message, faster than Jinja2, MJML, premailer, as_bytes",
        measured=rounds.ratio("classic", "ours"),
        bar=1000,
        note=f"{rounds.median('ours') * 1000:,.1f} µs against {rounds.median('classic'):,.0f} ms; "
        f"{len(compiled.stories)} stories",
    )


def measure_hash(sample: Sample) -> Measurement:
    now, readers = datetime.now(UTC), itertools.cycle(sample.readers)
    builder = MessageBuilder([_compile_to_size(sample, now)], sample.settings)
    message = builder.build(sample.readers[0], now=now)
    rounds = TimedRounds(
        {
            "ours": time_call(lambda: builder.build(next(readers), now=now), 500),
            "sha256": time_call(lambda: hashlib.sha256(message).digest(), 500),
        },
        rounds=15,
        warmup=2,
    )
    return Measurement(
        what=f"one reader's message of {len(message) / 1000:.0f} kB, against the SHA-256 of its bytes",
        measured=rounds.ratio("ours", "sha256"),
        bound=Bound.at_most,
        bar=0.5,
        note=f"{rounds.median('ours') * 1000:,.1f} µs against {rounds.median('sha256') * 1000:,.1f} µs",
    )


def measure_counted_links(sample: Sample) -> Measurement:
    """Compare a message whose links are counted with the same message without."""
    compiled, now = _add_links(sample.compile(), _COUNTED_LINKS), datetime.now(UTC)
    base_url = sample.settings.web.base_url
    counted = number_links([compiled], base_url, sample.settings.sectors)
    token = sign_click_token(
        sample.workspace.keys.tokens, ClickToken(campaign_id=1, country="MN", sectors=0b101)
    )
    with_clicks = [reader._replace(click_token=token) for reader in sample.readers]
    readers, others = itertools.cycle(with_clicks), itertools.cycle(sample.readers)
    counting = MessageBuilder([compiled], sample.settings, links=index_links(counted, [compiled], base_url))
    plain = MessageBuilder([compiled], sample.settings)
    rounds = TimedRounds(
        {
            "counted": time_call(lambda: counting.build(next(readers), now=now), 500),
            "plain": time_call(lambda: plain.build(next(others), now=now), 500),
        },
        rounds=15,
        warmup=2,
    )
    sizes = [
        len(counting.build(with_clicks[0], now=now)),
        len(plain.build(sample.readers[0], now=now)),
    ]
    return Measurement(
        what=f"one reader's message with {len(counted.links)} counted links, against without",
        measured=rounds.ratio("counted", "plain"),
        bound=Bound.at_most,
        bar=2,
        note=f"{rounds.median('counted') * 1000:,.1f} µs against {rounds.median('plain') * 1000:,.1f} µs; "
        f"{sizes[0]:,} bytes against {sizes[1]:,}",
    )


def _add_links(compiled: CompiledEdition, number: int) -> CompiledEdition:
    """Give the edition ``number`` links to other sites, with those it has."""
    missing = number - len(list(find_links(compiled.html_parts, "https://news.example.org")))
    more = "".join(
        f'<p><a href="https://example.org/stories/{place}">Read more</a></p>' for place in range(missing)
    )
    return dataclasses.replace(compiled, html=compiled.html.replace("</body>", f"{more}</body>", 1))


def _compile_to_size(sample: Sample, now: datetime) -> CompiledEdition:
    """Compile as many stories of the sample as make a message of about 60 kB."""

    def compile_first(count: int) -> CompiledEdition:
        return sample.compile(dataclasses.replace(sample.edition, stories=sample.edition.stories[:count]))

    def miss(compiled: CompiledEdition) -> int:
        size = len(build_message(compiled, sample.readers[0], sample.settings, now=now))
        return abs(size - _KILOBYTES * 1000)

    return min(map(compile_first, range(1, len(sample.edition.stories) + 1)), key=miss)
