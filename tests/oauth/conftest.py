"""A provider that signs people in, in both dialects."""

from collections.abc import Iterator

import pytest

from tests.servers.oauth_provider import Dialect, OAuthProvider


@pytest.fixture(params=list(Dialect))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


@pytest.fixture
def provider(dialect: Dialect) -> Iterator[OAuthProvider]:
    """A provider of each dialect."""
    with OAuthProvider(dialect=dialect, rotates=dialect is Dialect.microsoft) as running:
        yield running


@pytest.fixture
def microsoft() -> Iterator[OAuthProvider]:
    with OAuthProvider(dialect=Dialect.microsoft) as running:
        yield running
