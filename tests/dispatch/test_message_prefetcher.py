"""Messages built ahead: in order, each with its own outcome, and none that is not needed."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailer.dispatch.deliveries import Claim
from mailer.dispatch.delivery_queue import MessagePrefetcher
from mailer.dispatch.sending_settings import load_signer
from mailer.errors import BuildError
from mailer.settings import DkimSettings, SenderSettings, Settings
from mailer.smtp.dkim import DkimSigner
from subscribers.models import Subscriber
from tests.servers.process import wait_until

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    made = {
        "rsa.pem": generate_private_key(public_exponent=65537, key_size=2048),
        "ed25519.pem": Ed25519PrivateKey.generate(),
    }
    for name, key in made.items():
        (folder / name).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder


def open_signer(root: Path, **values: str) -> DkimSigner:
    sender = SenderSettings(
        name="Us", address="news@example.org", organisation="Us", postal_address="1 Street"
    )
    signer = load_signer(Settings(sender=sender, dkim=DkimSettings.model_validate(values)), root)
    assert signer is not None
    return signer


@pytest.fixture(scope="module")
def rsa(keys: Path) -> DkimSigner:
    return open_signer(keys, selector="news1", key_file="rsa.pem")


@pytest.fixture(scope="module")
def ed25519(keys: Path) -> DkimSigner:
    return open_signer(keys, ed25519_selector="news2", ed25519_key_file="ed25519.pem")


def claim(number: int) -> Claim:
    address = f"reader{number}@example.org"
    reader = Subscriber(id=number, email=address, envelope=address, created_at=NOW, updated_at=NOW)
    return Claim(delivery_id=number, campaign_id=1, subscriber=reader)


def message_of(claim: Claim) -> bytes:
    return f"From: news@example.org\r\nTo: {claim.subscriber.envelope}\r\n\r\nText.\r\n".encode()


class Builder:
    """Builds messages and remembers of whom. Those of ``broken`` cannot be built; none is before ``gate``."""

    def __init__(self, broken: frozenset[int] = frozenset(), gate: threading.Event | None = None) -> None:
        self.built: list[int] = []
        self.threads: set[int] = set()
        self._broken = broken
        self._gate = gate

    def __call__(self, claim: Claim) -> bytes:
        self.built.append(claim.delivery_id)
        self.threads.add(threading.get_ident())
        if self._gate is not None:
            assert self._gate.wait(30)
        if claim.delivery_id in self._broken:
            raise BuildError(f"reader {claim.delivery_id} has no name")
        return message_of(claim)


MakePrefetcher = Callable[[Builder, DkimSigner | None], MessagePrefetcher]


@pytest.fixture
def make_prefetcher() -> Iterator[MakePrefetcher]:
    prefetchers: list[MessagePrefetcher] = []

    def make(build: Builder, signer: DkimSigner | None) -> MessagePrefetcher:
        prefetchers.append(MessagePrefetcher(build, signer, now=lambda: NOW))
        return prefetchers[-1]

    yield make
    for prefetcher in prefetchers:
        prefetcher.close()


def test_each_claim_gets_its_own_signed_message_in_any_order(
    rsa: DkimSigner, make_prefetcher: MakePrefetcher
) -> None:
    prefetcher = make_prefetcher(Builder(), rsa)
    claims = [claim(number) for number in range(70)]
    for each in claims:
        prefetcher.prefetch(each)
    (record,) = rsa.records

    def look_up(*_: object, **__: object) -> bytes:
        return record.text.encode()

    for each in [*claims[40:], *reversed(claims[:40])]:
        message = prefetcher.get(each)
        assert message.endswith(message_of(each))
        assert f"t={int(NOW.timestamp())};".encode() in message
        assert dkim.verify(message, dnsfunc=look_up)


def test_messages_are_built_ahead_in_the_order_of_the_claims(
    rsa: DkimSigner, make_prefetcher: MakePrefetcher
) -> None:
    build = Builder()
    prefetcher = make_prefetcher(build, rsa)
    for number in range(16):
        prefetcher.prefetch(claim(number))
    wait_until(lambda: len(build.built) == 16, what="16 messages to be built")
    assert build.built == list(range(16))
    assert threading.get_ident() not in build.threads


def test_a_message_built_ahead_is_not_built_again(rsa: DkimSigner, make_prefetcher: MakePrefetcher) -> None:
    build = Builder()
    prefetcher = make_prefetcher(build, rsa)
    claims = [claim(number) for number in range(100)]
    for each in [*claims, *claims]:
        prefetcher.prefetch(each)
    for each in claims:
        prefetcher.get(each)
    assert sorted(build.built) == list(range(100))


def test_a_message_not_built_ahead_is_built_on_request(
    rsa: DkimSigner, make_prefetcher: MakePrefetcher
) -> None:
    build = Builder()
    prefetcher = make_prefetcher(build, rsa)
    alone, never_started = claim(1), claim(2)
    prefetcher.prefetch(alone)
    assert prefetcher.get(alone).endswith(message_of(alone))
    assert prefetcher.get(never_started).endswith(message_of(never_started))
    assert build.built == [1, 2]


@pytest.mark.parametrize("signs", [False, True])
def test_an_error_affects_only_its_own_message(
    rsa: DkimSigner, make_prefetcher: MakePrefetcher, signs: bool
) -> None:
    prefetcher = make_prefetcher(Builder(broken=frozenset({3, 20})), rsa if signs else None)
    claims = [claim(number) for number in range(40)]
    for each in claims:
        prefetcher.prefetch(each)
    for each in claims:
        if each.delivery_id in {3, 20}:
            with pytest.raises(BuildError, match=f"reader {each.delivery_id} has no name"):
                prefetcher.get(each)
        else:
            assert prefetcher.get(each).endswith(message_of(each))


@pytest.mark.parametrize("kind", ["none", "ed25519"])
def test_nothing_is_built_ahead_where_signing_is_fast(
    ed25519: DkimSigner, make_prefetcher: MakePrefetcher, kind: str
) -> None:
    build = Builder()
    prefetcher = make_prefetcher(build, None if kind == "none" else ed25519)
    threads = threading.active_count()
    claims = [claim(number) for number in range(40)]
    for each in claims:
        prefetcher.prefetch(each)
    assert (build.built, threading.active_count()) == ([], threads)
    message = prefetcher.get(claims[7])
    assert message.endswith(message_of(claims[7]))
    assert message.startswith(b"DKIM-Signature:") == (kind == "ed25519")
    assert (build.built, build.threads) == ([7], {threading.get_ident()})


def test_discarded_messages_are_not_built(rsa: DkimSigner, make_prefetcher: MakePrefetcher) -> None:
    gate = threading.Event()
    build = Builder(gate=gate)
    prefetcher = make_prefetcher(build, rsa)
    claims = [claim(number) for number in range(48)]
    for each in claims:
        prefetcher.prefetch(each)
    wait_until(lambda: len(build.built) == 2, what="both threads to be at work")
    for each in claims[32:40]:
        prefetcher.discard(each)
    gate.set()
    for each in (*claims[:32], *claims[40:]):
        prefetcher.get(each)
    assert not set(range(32, 40)) & set(build.built)


def test_a_delivery_claimed_again_is_built_again(rsa: DkimSigner, make_prefetcher: MakePrefetcher) -> None:
    build = Builder()
    prefetcher = make_prefetcher(build, rsa)
    for number in range(16):
        prefetcher.prefetch(claim(number))
    wait_until(lambda: len(build.built) == 16, what="16 messages to be built")
    again = claim(5)
    again.subscriber.envelope = "moved@example.org"
    prefetcher.prefetch(again)
    assert prefetcher.get(again).endswith(message_of(again))
    other = claim(6)
    other.subscriber.envelope = "moved@example.org"
    assert prefetcher.get(other).endswith(message_of(other))


def test_closing_builds_no_more_messages(rsa: DkimSigner, make_prefetcher: MakePrefetcher) -> None:
    gate = threading.Event()
    build = Builder(gate=gate)
    prefetcher = make_prefetcher(build, rsa)
    claims = [claim(number) for number in range(64)]
    for each in claims:
        prefetcher.prefetch(each)
    wait_until(lambda: len(build.built) == 2, what="both threads to be at work")
    opening = threading.Timer(0.5, gate.set)
    opening.start()
    prefetcher.close()
    opening.join()
    assert sorted(build.built) == [0, 16]
    assert prefetcher.get(claims[40]).endswith(message_of(claims[40]))
    assert not any(thread.name.startswith("preparing") for thread in threading.enumerate())
