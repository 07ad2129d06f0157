"""IP addresses as stored in the evidence of a consent record."""

import pytest

from subscribers.consent.status_changes import IpRetention, describe_ip_address
from subscribers.consent.suppression import SuppressionKey

KEY = SuppressionKey(b"s" * 32)


def test_an_ip_address_is_hashed_with_a_key_by_default() -> None:
    words = describe_ip_address("203.0.113.7", key=KEY)
    assert words.startswith("from hmac-sha256:")
    assert len(words) == len("from hmac-sha256:") + 32
    assert "203" not in words.removeprefix("from hmac-sha256:")[:3]
    assert words == describe_ip_address("::ffff:203.0.113.7", key=KEY)
    assert words != describe_ip_address("203.0.113.8", key=KEY)
    assert words != describe_ip_address("203.0.113.7", key=SuppressionKey(b"x" * 32))
    assert KEY.digest("203.0.113.7")[:32] not in words


def test_an_ip_address_is_stored_according_to_the_setting() -> None:
    assert (
        describe_ip_address(" 2001:DB8::1%eth0", key=KEY, retention=IpRetention.plain) == "from 2001:db8::1"
    )
    assert describe_ip_address("203.0.113.7", key=KEY, retention=IpRetention.nothing) == ""


@pytest.mark.parametrize("address", ["", "testclient", "203.0.113", "evil\n203.0.113.7 x"])
def test_invalid_ip_addresses_are_not_stored(address: str) -> None:
    for keeping in IpRetention:
        assert describe_ip_address(address, key=KEY, retention=keeping) == ""
