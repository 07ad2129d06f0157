from collections.abc import Iterator

import pytest

from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.smtp.fake_source import LOOPS


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    """The name of an event loop."""
    name: str = request.param
    return name


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server
