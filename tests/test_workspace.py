from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.pool import QueuePool

from mailer.workspace import Workspace


@contextmanager
def broken_block(workspace: Workspace, pools: list[QueuePool]) -> Iterator[None]:
    with workspace.use_database() as engine:
        engine.connect().close()
        assert isinstance(engine.pool, QueuePool)
        assert engine.pool.checkedin() == 1
        pools.append(engine.pool)
        yield


def test_the_connections_are_closed_at_the_end_of_a_block_that_fails(workspace: Workspace) -> None:
    pools: list[QueuePool] = []
    with pytest.raises(KeyError), broken_block(workspace, pools):
        raise KeyError
    assert [pool.checkedin() for pool in pools] == [0]
