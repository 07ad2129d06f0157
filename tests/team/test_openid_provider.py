"""The organisation's sign-in: nothing is believed that its provider has not signed, for us, now."""

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from joserfc.jwk import ECKey, RSAKey

from mailer.team.openid_provider import Identity, IdentityRefusedError, OpenIdProvider, ProviderDownError
from tests.servers.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdServer
from tests.servers.process import free_port

BACK = "http://localhost:1/studio/sign-in/organisation/back"


@pytest.fixture
def server() -> Iterator[OpenIdServer]:
    with OpenIdServer() as server:
        yield server


def make_client(server: OpenIdServer, secret: str = CLIENT_SECRET) -> OpenIdProvider:
    return OpenIdProvider(server.url, CLIENT_ID, read_secret=lambda: secret)


def sign_in(client: OpenIdProvider, *, verifier: str = "", nonce: str = "", code: str = "") -> Identity:
    """The whole way of a browser."""
    asked = client.begin(BACK)
    back = httpx2.get(asked.url, trust_env=False).headers["location"]
    values = dict(parse_qsl(urlsplit(back).query))
    assert values["state"] == asked.state
    return client.redeem(
        code or values["code"],
        redirect_uri=BACK,
        verifier=verifier or asked.verifier,
        nonce=nonce or asked.nonce,
        now=datetime.now(UTC),
    )


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("in_body", [False, True])
def test_a_signed_token_says_who_it_is(server: OpenIdServer, in_body: bool) -> None:
    server.takes_secret_in_body = in_body
    assert sign_in(make_client(server)) == Identity(
        issuer=server.url, subject="subject-1", email="ann@example.org", is_verified=True
    )
    asked = server.requests[0][1]
    assert (asked["code_challenge_method"], asked["response_type"], asked["client_id"]) == (
        "S256",
        "code",
        CLIENT_ID,
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another app"},
        {"aud": [CLIENT_ID, "another app"]},
        {"aud": None},
        {"azp": "another app"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": 9_000_000_000},
        {"iat": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 300},
        {"sub": 7},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(server: OpenIdServer, claims: dict[str, object]) -> None:
    server.claims = claims
    with pytest.raises(IdentityRefusedError):
        sign_in(make_client(server))


@pytest.mark.parametrize("verified", [False, "false", None, 1, "yes"])
def test_an_address_counts_only_if_the_provider_vouches_for_it(
    server: OpenIdServer, verified: object
) -> None:
    server.claims = {"email_verified": verified}
    assert not sign_in(make_client(server)).is_verified


def test_a_token_that_somebody_else_has_signed_is_refused(server: OpenIdServer) -> None:
    client = make_client(server)
    server.key = RSAKey.generate_key(2048, {"kid": "1"})
    with pytest.raises(IdentityRefusedError, match="not signed"):
        sign_in(client)


def test_a_token_without_a_signature_or_signed_with_what_is_public_is_refused(server: OpenIdServer) -> None:
    claims = json.dumps({"iss": server.url, "sub": "1", "aud": CLIENT_ID}).encode()
    signed = ".".join(encode(part) for part in (b'{"alg":"HS256","kid":"1"}', claims))
    signature = hmac.digest(server.key.as_pem(private=False), signed.encode(), "sha256")
    for token in (
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        f"{signed}.{encode(signature)}",
        "not.a.token",
        "",
    ):
        server.token = token or "x"
        with pytest.raises(IdentityRefusedError):
            sign_in(make_client(server))


def test_new_keys_of_the_provider_are_fetched_when_they_are_needed(server: OpenIdServer) -> None:
    clock = [0.0]
    client = OpenIdProvider(
        server.url, CLIENT_ID, read_secret=lambda: CLIENT_SECRET, monotonic=lambda: clock[0]
    )
    sign_in(client)
    server.key = ECKey.generate_key("P-256", {"kid": "2"})
    server.header = {"alg": "ES256"}
    server.published = [server.key]
    clock[0] = 61.0
    assert sign_in(client).subject == "subject-1"


def test_a_code_is_worth_nothing_with_another_verifier_or_twice(server: OpenIdServer) -> None:
    client = make_client(server)
    with pytest.raises(IdentityRefusedError):
        sign_in(client, verifier="x" * 64)
    with pytest.raises(IdentityRefusedError):
        sign_in(client, code="made up")
    with pytest.raises(IdentityRefusedError):
        sign_in(client, nonce="another")
    with pytest.raises(IdentityRefusedError):
        sign_in(make_client(server, "wrong secret"))


@pytest.mark.parametrize(
    ("status", "text"),
    [(500, ""), (302, ""), (200, "<html>"), (200, "[]"), (200, "x" * 300_000), (200, "[" * 100_000)],
)
def test_a_provider_that_answers_nonsense_is_down(server: OpenIdServer, status: int, text: str) -> None:
    server.status, server.text = status, text
    with pytest.raises(ProviderDownError):
        make_client(server).begin(BACK)


def test_a_provider_that_is_not_there_is_down() -> None:
    client = OpenIdProvider(f"http://127.0.0.1:{free_port()}", CLIENT_ID, read_secret=lambda: "")
    with pytest.raises(ProviderDownError):
        client.begin(BACK)


def test_a_provider_that_calls_itself_something_else_is_not_the_one(server: OpenIdServer) -> None:
    server.issuer_said = "https://evil.example"
    with pytest.raises(ProviderDownError, match="evil"):
        make_client(server).begin(BACK)
