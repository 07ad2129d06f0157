"""Read-ahead: the next item is made while the last is processed, and only on request."""

import threading
from collections.abc import Generator

import pytest

from subscribers.imports.chunk_reader import read_ahead

_PATIENCE = 10


class Maker:
    """Generates numbers, and keeps which it has started."""

    def __init__(self, count: int) -> None:
        self.begun = [threading.Event() for _ in range(count)]
        self.is_closed = False

    def make(self) -> Generator[int, None, None]:
        try:
            for number, begun in enumerate(self.begun):
                begun.set()
                yield number
        finally:
            self.is_closed = True


def test_every_item_comes_once_and_in_order() -> None:
    with read_ahead(Maker(5).make()) as ahead:
        taken = []
        for number in ahead:
            taken.append(number)
            if number % 2:
                ahead.prefetch()
                ahead.prefetch()
    assert taken == [0, 1, 2, 3, 4]


def test_the_next_item_is_generated_while_the_last_is_processed() -> None:
    maker = Maker(3)
    with read_ahead(maker.make()) as ahead:
        assert next(iter(ahead)) == 0
        ahead.prefetch()
        assert maker.begun[1].wait(_PATIENCE)
        # One ahead and no more: a chunk takes memory.
        assert not maker.begun[2].is_set()


def test_no_item_is_generated_before_it_is_requested() -> None:
    maker = Maker(2)
    with read_ahead(maker.make()) as ahead:
        for number in ahead:
            assert [begun.is_set() for begun in maker.begun] == [True, number == 1]


def test_an_error_is_raised_where_the_item_is_requested() -> None:
    def make() -> Generator[int, None, None]:
        yield 0
        raise ValueError("row 7")

    with read_ahead(make()) as ahead:
        items = iter(ahead)
        assert next(items) == 0
        ahead.prefetch()
        with pytest.raises(ValueError, match="row 7"):
            next(items)


def test_leaving_the_block_early_closes_the_generator() -> None:
    maker = Maker(3)
    before = threading.active_count()
    with pytest.raises(KeyError), read_ahead(maker.make()) as ahead:  # noqa: PT012 - it fails while reading
        for _ in ahead:
            ahead.prefetch()
            raise KeyError("the database failed")
    assert maker.is_closed
    assert threading.active_count() == before
