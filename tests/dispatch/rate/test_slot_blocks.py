"""Slots taken ahead: used once, together or not at all, and not for long."""

from mailer.dispatch.buckets import SlotBlocks
from tests.factories.deliveries import FakeMonotonic


def test_each_slot_of_a_block_is_given_once() -> None:
    blocks = SlotBlocks(FakeMonotonic())
    blocks.add("provider:qq", 7)
    assert [blocks.take({"provider:qq": 3}) for _ in range(3)] == [True, True, False]
    assert blocks.take({"provider:qq": 1})
    assert not blocks.take({"provider:qq": 1})


def test_where_one_bucket_has_not_enough_the_others_keep_theirs() -> None:
    blocks = SlotBlocks(FakeMonotonic())
    blocks.add("provider:qq", 5)
    blocks.add("provider:google", 2)
    assert not blocks.take({"provider:qq": 5, "provider:google": 3})
    assert not blocks.take({"provider:qq": 5, "domain:example.org": 1})
    assert blocks.take({"provider:qq": 5, "provider:google": 2})


def test_half_a_second_later_what_is_left_is_lost() -> None:
    monotonic = FakeMonotonic()
    blocks = SlotBlocks(monotonic)
    blocks.add("provider:qq", 5)
    monotonic.now += 0.49
    assert blocks.take({"provider:qq": 1})
    monotonic.now += 0.01
    assert not blocks.take({"provider:qq": 1})


def test_a_new_block_is_not_added_to_the_old_one() -> None:
    blocks = SlotBlocks(FakeMonotonic())
    blocks.add("provider:qq", 5)
    blocks.add("provider:qq", 2)
    assert not blocks.take({"provider:qq": 3})
    assert blocks.take({"provider:qq": 2})


def test_a_batch_without_a_limit_takes_nothing() -> None:
    assert SlotBlocks(FakeMonotonic()).take({})
