"""Send a campaign in this process: build its messages from the frozen content and dispatch them."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from types import FrameType

from sqlalchemy import Engine

from editions.model import Personalisation
from mailer.campaigns.content_versions import read_contents
from mailer.campaigns.counted_links import CountedLinks, index_links, read_counted_links
from mailer.campaigns.lifecycle import CampaignStateError, find_campaign, reopen_for_doubts
from mailer.database.engine import open_session
from mailer.database.models import CampaignState
from mailer.dispatch.deliveries import Claim, Counts
from mailer.dispatch.dispatcher import dispatch
from mailer.dispatch.event_log import EventLog, RunResult
from mailer.dispatch.relays import BackoffPolicy, open_relays
from mailer.providers.domain_lookup import BackgroundLookup
from mailer.rendering.body.variants import Interests, encode_stories
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import interests_of, reader_for
from mailer.rendering.message import MessageBuilder
from mailer.settings import Settings
from mailer.workspace import Workspace
from subscribers.click_tokens import ClickToken, encode_sectors, sign_click_token
from subscribers.tokens import LinkPurpose, TokenSigner

_SENDABLE_STATES = {
    CampaignState.sending,
    CampaignState.paused,
    CampaignState.finished,
    CampaignState.cancelled,
}


def _terminate(_: int, __: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)


@contextlib.contextmanager
def stop_on_signals(stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """Yield an event that is set on SIGTERM and SIGINT; a second signal ends the process as usual. SIGHUP,
    which a terminal sends when it is closed, ends it like SIGTERM, unless it is ignored, as under ``nohup``.
    If ``stop`` is given, or outside the main thread, signal handlers are not changed."""
    if stop is not None or threading.current_thread() is not threading.main_thread():
        yield stop or threading.Event()
        return
    stopping = threading.Event()

    def ask_to_stop(number: int, _: FrameType | None) -> None:
        stopping.set()
        signal.signal(number, former[signal.Signals(number)])

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    former = {number: signal.getsignal(number) for number in numbers}
    if former[signal.SIGHUP] is signal.SIG_IGN:
        del former[signal.SIGHUP]
    for number in former:
        # Raised again as SIGTERM, which a web server may have taken over.
        hung_up = number == signal.SIGHUP
        signal.signal(number, _terminate if hung_up else ask_to_stop)
    try:
        yield stopping
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def send_campaign(
    workspace: Workspace,
    campaign_id: int,
    *,
    on_progress: Callable[[Counts], None] | None = None,
    resend_in_doubt: bool = False,
    wait: bool = False,
    stop: threading.Event | None = None,
    ending: threading.Event | None = None,
    backoff: BackoffPolicy | None = None,
    looks_up_providers: bool = True,
) -> RunResult:
    """Send what is due in a campaign now, and return the result.

    ``resend_in_doubt`` sends once more to readers in doubt. With ``wait`` it continues until deferred
    messages have been tried again. Called from the main thread without ``stop``, it finishes the messages
    being sent and returns on SIGTERM, SIGHUP or Ctrl-C; ``ending`` is as for ``dispatch``. Meanwhile the
    providers of domains that are not known are looked up, unless the caller does that.

    Raises:
        CampaignStateError: it was never launched.
        ConfigurationError: the relay's settings are wrong.
        LedgerUnreachableError: the database failed.
    """
    relays = open_relays(workspace.settings, workspace.root, backoff=backoff or BackoffPolicy())
    # The program may run for months; the key that was current when it started may have been replaced.
    signer = workspace.keys.tokens.newest()
    with workspace.use_database() as engine:
        contents, counted = _prepare(engine, campaign_id, resend_in_doubt=resend_in_doubt)
        # Read here: a database that fails while a message is built would be taken for a fault of the message.
        series = signer.series()
        signer = replace(signer, series=lambda: series)
        find_token = make_token_finder(campaign_id, signer)
        with (
            stop_on_signals(stop) as stopping,
            EventLog(workspace.settings.log, workspace.root) as chronicle,
            look_up_providers(workspace) if looks_up_providers else contextlib.nullcontext(),
        ):
            return dispatch(
                engine,
                campaign_id,
                relays=relays,
                settings=workspace.settings,
                root=workspace.root,
                build_message=make_message_builder(
                    contents, campaign_id, workspace.settings, signer, find_token, counted
                ),
                find_stories=make_story_finder(contents[0]),
                find_token=find_token,
                on_progress=on_progress,
                stop=stopping,
                ending=ending,
                wait=wait,
                resend_in_doubt=resend_in_doubt,
                event_log=chronicle,
                suppression=workspace.keys.suppression,
            )


def look_up_providers(workspace: Workspace) -> BackgroundLookup:
    """Look up who receives the list's domains, for as long as the context lasts."""
    return BackgroundLookup(workspace.settings.dns, lambda: workspace.open_database(durable=False))


def _prepare(
    engine: Engine, campaign_id: int, *, resend_in_doubt: bool
) -> tuple[Sequence[CompiledEdition], CountedLinks | None]:
    """Check the campaign, reopen it if deliveries in doubt are to be resent, and read what it has frozen."""
    with open_session(engine) as session:
        campaign = find_campaign(session, campaign_id)
        if campaign.state not in _SENDABLE_STATES:
            raise CampaignStateError(campaign_id, "sent", campaign.state, "Launch it first.")
        contents = tuple(read_contents(session.connection(), campaign_id).values())
        counted = read_counted_links(session, campaign_id)
        if resend_in_doubt:
            reopen_for_doubts(session, campaign_id)
        session.commit()
    return contents, counted


def make_token_finder(campaign_id: int, signer: TokenSigner) -> Callable[[Claim], str]:
    """Return a function that signs the token by which the bounce of a claim's message is recognised."""

    # A message has it in a header, and its envelope again, once a connection takes the message.
    @lru_cache(maxsize=4096)
    def sign(subscriber_id: int) -> str:
        return signer.sign_mail(LinkPurpose.bounce, subscriber_id=subscriber_id, campaign_id=campaign_id)

    return lambda claim: sign(claim.subscriber.id)


def make_message_builder(
    contents: Sequence[CompiledEdition],
    campaign_id: int,
    settings: Settings,
    signer: TokenSigner,
    find_token: Callable[[Claim], str],
    counted: CountedLinks | None = None,
) -> Callable[[Claim], bytes]:
    """Return a function that builds the message for a claim from the campaign's frozen content."""
    links = index_links(counted, contents, settings.web.base_url) if counted else {}
    builder = MessageBuilder(contents, settings, links=links)
    find_click_token = _make_click_token_finder(campaign_id, counted, signer) if counted else None

    def build(claim: Claim) -> bytes:
        reader = reader_for(
            claim.subscriber,
            campaign_id,
            settings,
            signer,
            sectors=claim.sectors,
            countries=claim.countries,
            bounce_token=find_token(claim),
            click_token=find_click_token(claim) if find_click_token else "",
        )
        return builder.build(reader, now=_time_of_second(int(time.time())))

    return build


def _make_click_token_finder(
    campaign_id: int, counted: CountedLinks, signer: TokenSigner
) -> Callable[[Claim], str]:
    """Return a function that signs the token in the counted links of a claim's message. It says where the
    reader is and what they follow; only those who have agreed to it are named."""

    # As many as there are different countries and sets of sectors.
    @lru_cache(maxsize=4096)
    def sign(country: str, sectors: frozenset[str], subscriber_id: int) -> str:
        return sign_click_token(
            signer,
            ClickToken(
                campaign_id=campaign_id,
                country=country,
                sectors=encode_sectors(sectors, counted.sectors),
                subscriber_id=subscriber_id,
            ),
        )

    def find(claim: Claim) -> str:
        reader = claim.subscriber
        return sign(reader.country or "", claim.sectors, reader.id if reader.click_consent else 0)

    return find


def make_story_finder(content: CompiledEdition) -> Callable[[Claim], str] | None:
    """Return a function that encodes the stories in the message for a claim, which are the same in each
    language; None if all readers get all stories."""
    if content.personalise is not Personalisation.filter:
        return None

    @lru_cache(maxsize=4096)
    def encode(interests: Interests) -> str:
        return encode_stories(content.stories, content.variant_for(interests).stories)

    def find(claim: Claim) -> str:
        return encode(interests_of(claim.subscriber.country, claim.sectors, claim.countries))

    return find


# Dates in mail have whole seconds, so thousands of messages share one.
@lru_cache(maxsize=2)
def _time_of_second(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
