"""Where a choice came from, as evidence keeps it."""

import pytest

from subscribers.consent.ip_evidence import Keeping, describe_origin
from subscribers.consent.suppression import SuppressionKey

KEY = SuppressionKey(b"s" * 32)


def test_an_origin_is_hashed_with_a_key_unless_told_otherwise() -> None:
    words = describe_origin("203.0.113.7", key=KEY)
    assert words.startswith("from hmac-sha256:")
    assert len(words) == len("from hmac-sha256:") + 32
    assert "203" not in words.removeprefix("from hmac-sha256:")[:3]
    assert words == describe_origin("::ffff:203.0.113.7", key=KEY)
    assert words != describe_origin("203.0.113.8", key=KEY)
    assert words != describe_origin("203.0.113.7", key=SuppressionKey(b"x" * 32))
    assert KEY.digest("203.0.113.7")[:32] not in words


def test_it_is_kept_as_the_settings_say() -> None:
    assert describe_origin(" 2001:DB8::1%eth0", key=KEY, keeping=Keeping.plain) == "from 2001:db8::1"
    assert describe_origin("203.0.113.7", key=KEY, keeping=Keeping.nothing) == ""


@pytest.mark.parametrize("address", ["", "testclient", "203.0.113", "evil\n203.0.113.7 x"])
def test_what_is_no_network_address_is_no_evidence(address: str) -> None:
    for keeping in Keeping:
        assert describe_origin(address, key=KEY, keeping=keeping) == ""
