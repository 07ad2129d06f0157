"""The numbers of a campaign as server-sent events (WHATWG HTML §9.2), one fragment a second.

A stream ends within a minute, and the browser opens another: settings that have changed meanwhile, a session
that has ended and a proxy that has lost the line are noticed soon. It ends at once when the server stops.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

from mailer.campaigns.progress import CampaignProgress, ProgressReader
from mailer.i18n import Translator
from mailer.team.sessions import find_signed_in
from mailer.web.page_renderer import PageRenderer
from mailer.web.server import find_stop_event
from mailer.web.studio.page import StudioPage

_LASTS = 60.0
_HEARTBEAT = 10.0
_RETRY_MILLISECONDS = 1500

Render = Callable[[PageRenderer, CampaignProgress, Translator], str]


async def stream_progress(page: StudioPage, reader: ProgressReader, render: Render) -> AsyncIterator[bytes]:
    """Send each reading of a campaign that says something new, until the stream's time is over."""
    loop = asyncio.get_running_loop()
    stopping = find_stop_event(page.request.scope)
    latest: list[CampaignProgress] = []
    changed = asyncio.Event()

    def take(progress: CampaignProgress) -> None:
        latest[:] = [progress]
        changed.set()

    def listen(progress: CampaignProgress) -> None:
        loop.call_soon_threadsafe(take, progress)

    reader.add_listener(listen)
    try:
        yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
        # Pages are opened together, when a campaign begins. What costs something is spread over time, or they
        # would all ask for it in one moment, and a reader who leaves just then would wait for them.
        part = random.uniform(0.1, 1)  # noqa: S311 - spreads look-ups, guards nothing
        ends_at = loop.time() + _LASTS * (1 - part / 4)
        beats_at, told = loop.time() + _HEARTBEAT * part, ""
        while loop.time() < ends_at and not stopping.is_set():
            await _wait_for(changed, stopping, seconds=1.0)
            if changed.is_set() and latest:
                changed.clear()
                fragment = _render_once(page, latest[0], render)
                if fragment != told:
                    told = fragment
                    yield encode_event("progress", fragment)
            if loop.time() >= beats_at:
                beats_at = loop.time() + _HEARTBEAT
                if not await asyncio.to_thread(_is_signed_in, page):
                    yield encode_event("ended", "")
                    return
                yield b": still here\n\n"
    finally:
        reader.remove_listener(listen)


def encode_event(name: str, data: str) -> bytes:
    """An event with lines of data, as the standard wants them."""
    lines = "\n".join(f"data: {line}" for line in data.splitlines()) or "data:"
    return f"event: {name}\n{lines}\n\n".encode()


def _render_once(page: StudioPage, progress: CampaignProgress, render: Render) -> str:
    """Render a reading once for all who read it in the same language."""
    renderer, translator = page.state.renderer, page.translator
    key = (progress.campaign_id, progress.read_at, translator.tag)
    return page.state.fragments.get_or_create(key, lambda: render(renderer, progress, translator))


async def _wait_for(*events: asyncio.Event, seconds: float) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _is_signed_in(page: StudioPage) -> bool:
    """Whether the session that opened the stream still is one, of a member with the same role."""
    state = page.state
    secret = page.request.cookies.get(state.cookie_name, "")
    with state.read_session() as session:
        found = find_signed_in(session, secret, lifetime=state.session_lifetime, now=state.clock())
    return found is not None and found.member.role is page.member.role
