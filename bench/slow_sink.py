"""An SMTP server that replies after a delay and keeps nothing: ``slow_sink PORT SECONDS``.

Commands that arrive together are answered together, so a client that pipelines waits once. It offers
PIPELINING and little else, and finds the end of a message with a single search, to use little CPU itself.
"""

import asyncio
import contextlib
import sys
from typing import cast

_END = b"\r\n.\r\n"
_REPLIES = {
    b"EHLO": b"250-slow.example.org\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 Go on\r\n",
    b"QUIT": b"221 Bye\r\n",
}


class SinkConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._rest = b""
        self._in_message = False
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: uvloop's transports are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._answer(b"220 slow.example.org ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        replies: list[bytes] = []
        rest = self._rest + data if self._rest else data
        while rest:
            taken = (
                self._skip_message(rest, replies) if self._in_message else self._read_command(rest, replies)
            )
            if not taken:
                break
            rest = rest[taken:]
        # Inside a message only its last bytes can be the start of the end marker.
        self._rest = rest[-len(_END) + 1 :] if self._in_message else rest
        if replies:
            self._answer(b"".join(replies))

    def _skip_message(self, rest: bytes, replies: list[bytes]) -> int:
        found = rest.find(_END)
        if found < 0:
            return 0
        self._in_message = False
        replies.append(b"250 2.0.0 kept\r\n")
        return found + len(_END)

    def _read_command(self, rest: bytes, replies: list[bytes]) -> int:
        found = rest.find(b"\n")
        if found < 0:
            return 0
        verb = rest[:4].upper()
        self._in_message = verb == b"DATA"
        replies.append(_REPLIES.get(verb, b"250 2.0.0 OK\r\n"))
        return found + 1

    def _answer(self, replies: bytes) -> None:
        self._loop.call_later(self._delay, self._write, replies)

    def _write(self, replies: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(replies)
            if replies.endswith(_REPLIES[b"QUIT"]):
                self._transport.close()


async def serve(port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SinkConnection(delay), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    with contextlib.suppress(ModuleNotFoundError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))


if __name__ == "__main__":
    main()
