"""Compare the rate over a relay whose tokens end all the time with that over one whose tokens last.

Both are the same relay, with a provider that signs in beside it, in a process of its own.
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.bench_context import BenchContext
from bench.measurement import Measurement
from bench.newsletters import NewsletterSize
from bench.prepared_campaigns import PreparedCampaign
from bench.relays import running_token_relay
from bench.runs import Run, rate
from bench.token_relay import INITIAL_TOKEN
from mailer.oauth.grant_store import Grant, GrantStore
from mailer.settings import SETTINGS_FILE
from tests.servers.oauth_provider import CLIENT_ID

_MESSAGES, _PER_TOKEN, _BAR = 10_000, 100, 0.9
_USER = "news%40example.org"


def measure_sign_in(context: BenchContext) -> Iterator[Measurement]:
    """Send 5 kB messages over 10 connections, 50 on each, while every token ends after 100 messages."""
    campaign = context.prepare(NewsletterSize.small, _MESSAGES)
    path = campaign.audience.workspace.root / SETTINGS_FILE
    settings = path.read_text(encoding="utf-8")
    relays = {"lasting": (0, False), "ending": (_PER_TOKEN, False), "strict": (_PER_TOKEN, True)}
    works: dict[str, Callable[[], Run]] = {}
    with contextlib.ExitStack() as running:
        for name, (messages, is_strict) in relays.items():
            ports = running.enter_context(running_token_relay(messages, is_strict=is_strict))
            works[name] = partial(_send, campaign, settings, *ports)
        turns = context.compare(works)
    path.write_text(settings, encoding="utf-8")
    lasting = turns.median("lasting", rate)
    for name, what, bar in (
        ("ending", f"{campaign.readers:,} messages, logins renewed every {_PER_TOKEN}: rate", _BAR),
        ("strict", "    and every session ends with its token", None),
    ):
        ratio = turns.ratio(name, "lasting", rate)
        note = f"{turns.median(name, rate):,.0f}/s against {lasting:,.0f}/s with a token that lasts; {ratio}"
        yield Measurement(what=what, measured=ratio.median, bar=bar, note=note)


def _send(campaign: PreparedCampaign, settings: str, port: int, provider_port: int) -> Run:
    root, token_url = campaign.audience.workspace.root, f"http://127.0.0.1:{provider_port}/token"
    oauth = f'provider = "microsoft"\nclient_id = "{CLIENT_ID}"\ntoken_url = "{token_url}"'
    (root / SETTINGS_FILE).write_text(f"{settings}\n[smtp.oauth]\n{oauth}\n", encoding="utf-8")
    long_ago = datetime.now(UTC) - timedelta(days=1)
    grant = Grant(
        client_id=CLIENT_ID,
        token_url=token_url,
        received_at=long_ago,
        expires_at=long_ago,
        refresh_token=INITIAL_TOKEN,
        signed_in_at=long_ago,
    )
    GrantStore(root=root).write("main", grant)
    environ = {
        "MAILER_SMTP__URL": f"smtp://{_USER}@127.0.0.1:{port}",
        "MAILER_SMTP__MESSAGES_PER_CONNECTION": "50",
    }
    return campaign.send(port, environ=environ)
