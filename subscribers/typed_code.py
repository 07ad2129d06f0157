"""Codes that people type: 80 bits in Crockford's base32, in four groups of four, the last one a check.

The alphabet has neither I, L, O nor U, and whoever types one of the first three is understood
(https://www.crockford.com/base32.html). The check is the value at a primitive element of GF(32) of the
polynomial whose coefficients are the characters. It finds every single wrong character, and every two that
changed places. It is no protection against forgery.
"""

import re
import unicodedata

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 16
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_ALIKE = str.maketrans("OIL", "011")
# Whatever people and mail programs put between the groups: spaces and every kind of dash.
_BETWEEN = re.compile(r"[\s\u00ad\u2010-\u2015\u2043\u2212\u30fc\u200b-\u200d\ufeff._-]+")


def _double(value: int) -> int:
    """Multiply by x in GF(32), modulo x^5 + x^2 + 1."""
    return (value << 1 ^ (0b100101 if value & 16 else 0)) & 31


def _weigh(pair: int, place: int) -> int:
    """Return what the ``place``-th pair of characters adds to the check."""
    value = _double(pair >> 5) ^ pair & 31
    for _ in range(_LENGTH - 2 * place - 2):
        value = _double(value)
    return value


# Every message has a code, so writing one is a handful of look-ups.
_A, _B, _C, _D, _E, _F, _G, _H = (
    bytes(_weigh(pair, place) for pair in range(1024)) for place in range(_LENGTH // 2)
)


def write_code(data: int) -> str:
    """Write ``data``, of at most 75 bits, as ``7K3M-QX9P-2HWD-5T8R``."""
    upper, lower = data >> 35, data << 5 & 0xFFFFFFFFFF
    a, b, c, d = upper >> 30, upper >> 20 & 1023, upper >> 10 & 1023, upper & 1023
    e, f, g, h = lower >> 30, lower >> 20 & 1023, lower >> 10 & 1023, lower & 1023
    h |= _A[a] ^ _B[b] ^ _C[c] ^ _D[d] ^ _E[e] ^ _F[f] ^ _G[g] ^ _H[h]
    pairs = _PAIRS
    return f"{pairs[a]}{pairs[b]}-{pairs[c]}{pairs[d]}-{pairs[e]}{pairs[f]}-{pairs[g]}{pairs[h]}"


def read_code(text: str) -> int | None:
    """Read what a person typed: small letters, other dashes or none. None if it is no code or mistyped."""
    compact = _BETWEEN.sub("", unicodedata.normalize("NFKC", text[:200])).upper().translate(_ALIKE)
    if len(compact) != _LENGTH:
        return None
    bits = check = 0
    for character in compact:
        value = _VALUES.get(character)
        if value is None:
            return None
        bits = bits << 5 | value
        check = _double(check) ^ value
    return None if check else bits >> 5
