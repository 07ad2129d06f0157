import hmac

from hypothesis import given
from hypothesis import strategies as st

from subscribers.tokens import PrefixHmac


@given(key=st.binary(max_size=200), beginning=st.binary(max_size=100), message=st.binary(max_size=200))
def test_it_is_the_hmac_of_both_parts_together(key: bytes, beginning: bytes, message: bytes) -> None:
    made = PrefixHmac(key, beginning)
    assert made.digest(b"another") == hmac.digest(key, beginning + b"another", "sha256")
    assert made.digest(message) == hmac.digest(key, beginning + message, "sha256")
