"""HMAC-SHA256 of many messages that begin alike."""

import hashlib

_BLOCK_BYTES = 64
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


class PrefixHmac:
    """HMAC-SHA256 (RFC 2104) of messages with a common prefix. The key and the prefix are hashed once, which
    halves the time of ``hmac.digest`` for a token; every mail contains up to five.
    """

    def __init__(self, key: bytes, beginning: bytes) -> None:
        # Keys are usually shorter than a block (64 bytes); a longer one is hashed first, as the RFC requires.
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER_PAD) + beginning)
        self._outer = hashlib.sha256(block.translate(_OUTER_PAD))

    def digest(self, message: bytes) -> bytes:
        """Return the HMAC of the prefix and ``message``: 32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()
