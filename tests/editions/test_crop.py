"""Crops: of the right shape, within the picture, and with the chosen point in sight."""

from hypothesis import given
from hypothesis import strategies as st

from editions.model import PROPORTIONS, Crop, Focus, ImageShape

SIDES = st.integers(1, 9000)
PERCENT = st.integers(0, 100)


@given(st.sampled_from(ImageShape), SIDES, SIDES, PERCENT, PERCENT)
def test_a_crop_is_within_the_picture_and_keeps_the_point_in_sight(
    shape: ImageShape, width: int, height: int, x: int, y: int
) -> None:
    left, top, right, bottom = Crop(shape=shape, focus=Focus(x=x, y=y)).find_box(width, height)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert left - 1 <= width * x / 100 <= right + 1
    assert top - 1 <= height * y / 100 <= bottom + 1
    assert right - left == width or bottom - top == height


@given(st.sampled_from(ImageShape), st.integers(100, 9000), st.integers(100, 9000))
def test_a_crop_has_the_proportions_of_its_shape(shape: ImageShape, width: int, height: int) -> None:
    shown = Crop(shape=shape).find_size(width, height)
    wide, high = PROPORTIONS[shape]
    assert abs(shown[0] / shown[1] - wide / high) < 0.03
