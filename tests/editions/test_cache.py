"""The caches: the same results with and without them, within their bounds, and no outdated content."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from PIL import Image

from editions import cache
from editions.cache import BoundedCache, LatestCache, digest_content, is_settled, known_digest, stamp_file
from editions.errors import ImageError
from editions.images import prepared_images
from editions.images.prepared_images import measure_image, prepare_image
from editions.reader import Inspection, inspect_edition
from editions.source import document
from tests.factories.draft_edition import SECTORS, Draft
from tests.rendering.caches import clear_caches

FIRST = "stories/010-youth-forum.md"


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    clear_caches()
    yield
    clear_caches()


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    draft = Draft(tmp_path / "2021-2")
    draft.translate()
    return draft


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are believed as soon as they are written."""
    monkeypatch.setattr(cache, "_SETTLED", -(10**18))


def inspect_uncached(draft: Draft) -> Inspection:
    clear_caches()
    return draft.inspect()


# --- the cache itself ---------------------------------------------------------------------------------------


def test_a_value_is_made_once() -> None:
    cache: BoundedCache[str] = BoundedCache(10)
    made: list[int] = []
    for _ in range(3):
        assert cache.get_or_create("key", lambda: made.append(1) or "value") == "value"
    assert made == [1]


def test_an_error_is_not_kept() -> None:
    cache: BoundedCache[float] = BoundedCache(10)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            cache.get_or_create("key", lambda: 1 / 0)
    assert cache.get_or_create("key", lambda: 1.0) == 1.0


def test_what_was_not_asked_for_longest_goes_first() -> None:
    cache: BoundedCache[bytes] = BoundedCache(10, measure=len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    cache.get("a")
    cache.put("c", b"1234")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1234", None, b"1234")


def test_what_is_heavier_than_all_that_may_be_kept_is_made_each_time() -> None:
    cache: BoundedCache[bytes] = BoundedCache(3, measure=len)
    assert cache.get_or_create("key", lambda: b"1234") == b"1234"
    assert cache.get("key") is None


def test_it_never_weighs_more_than_it_may() -> None:
    cache: BoundedCache[bytes] = BoundedCache(1000, measure=len)
    for number in range(500):
        cache.put(number, bytes(number % 97))
        assert sum(len(cache.get(key) or b"") for key in range(number)) <= 1000


def test_nothing_is_left_of_a_cache_that_was_cleared() -> None:
    cache: BoundedCache[bytes] = BoundedCache(10, measure=len)
    cache.put("a", b"12345678")
    cache.clear()
    assert cache.get("a") is None
    cache.put("b", b"1234567890")
    assert cache.get("b") == b"1234567890"


def test_threads_may_share_it() -> None:
    cache: BoundedCache[int] = BoundedCache(20)
    wrong: list[int] = []

    def work() -> None:
        for number in range(2000):
            key = number % 31
            if cache.get_or_create(key, lambda key=key: key * key) != key * key:
                wrong.append(key)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_value_that_is_kept_again_weighs_what_it_weighs_now() -> None:
    cache: BoundedCache[bytes] = BoundedCache(10, measure=len)
    cache.put("a", b"12345678")
    cache.put("a", b"12")
    cache.put("b", b"12345678")
    assert (cache.get("a"), cache.get("b")) == (b"12", b"12345678")
    cache.put("c", b"1")
    assert cache.get("a") is None


def test_the_latest_value_is_made_again_only_of_something_else() -> None:
    latest: LatestCache[int] = LatestCache(10)
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    contents = ([1, {"a": "b"}], [1, {"a": "b"}], [1, {"a": "c"}], [1, {"a": "b"}])
    assert [latest.get_or_create("place", (content,), make) for content in contents] == [0, 0, 1, 2]
    assert latest.get_or_create("elsewhere", ([1, {"a": "b"}],), make) == 3


def test_the_latest_values_are_kept_for_so_many_places() -> None:
    latest: LatestCache[str] = LatestCache(2)
    for place in ("a", "b", "c"):
        latest.get_or_create(place, ("content",), lambda place=place: place)
    assert latest.get_or_create("c", ("content",), lambda: "again") == "c"
    assert latest.get_or_create("a", ("content",), lambda: "again") == "again"


def test_an_error_is_not_the_latest_value() -> None:
    latest: LatestCache[float] = LatestCache(2)
    with pytest.raises(ZeroDivisionError):
        latest.get_or_create("place", ("content",), lambda: 1 / 0)
    assert latest.get_or_create("place", ("content",), lambda: 1.0) == 1.0


# --- files that are believed --------------------------------------------------------------------------------


def test_a_file_is_not_believed_until_it_has_lain_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    stamp = stamp_file(path)
    assert not is_settled(stamp)
    assert digest_content(b"one", stamp)
    assert known_digest(stamp) is None


def test_a_date_set_back_makes_no_file_old(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, (1, 1))
    assert not is_settled(stamp_file(path))


def test_a_file_that_was_read_need_not_be_read_again(tmp_path: Path, settled: None) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    digest = digest_content(b"one", stamp_file(path))
    assert known_digest(stamp_file(path)) == digest


def test_the_same_length_and_date_do_not_make_two_files_one(tmp_path: Path, settled: None) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    found = path.stat()
    digest_content(b"one", stamp_file(path))
    time.sleep(0.02)
    path.write_bytes(b"two")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert path.stat().st_mtime_ns == found.st_mtime_ns
    assert known_digest(stamp_file(path)) is None


# --- editions -----------------------------------------------------------------------------------------------


def test_an_edition_reads_the_same_a_second_time(draft: Draft, settled: None) -> None:
    first, second = draft.inspect(), draft.inspect()
    assert first.edition == second.edition == inspect_uncached(draft).edition
    assert first.problems == second.problems


def test_problems_are_the_same_a_second_time(draft: Draft, settled: None) -> None:
    draft.write("stories/020-bad.md", "---\ntitle: [x\n---\n\nA \x07bell, a <b>tag</b> and @@.\n")
    draft.write("stories/030-worse.md", b"---\ntitle: \xff\n---\n")
    draft.write("images/unused.jpg", b"no picture")
    draft.change(FIRST, "countries: [CN, MN]", "countries: [XX]\nnonsense: yes")
    first, second = draft.problems(), draft.problems()
    assert len(first) > 5
    assert first == second == inspect_uncached(draft).problems


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (FIRST, "met in October", "met in August"),
        (FIRST, "A forum for youth", "A forum for youths"),
        (FIRST, "sector: culture", "sector: nonsense"),
        (FIRST, "file: forum.jpg", "file: another.jpg"),
        (FIRST, "url: https://example.org/forum", "url: http://example.org/forum"),
        ("stories/010-youth-forum.zh.md", "十月", "八月"),
        ("edition.md", "this autumn", "that autumn"),
        ("edition.md", "language: en", "language: fr"),
    ],
)
def test_a_change_is_seen_at_once(draft: Draft, name: str, old: str, new: str) -> None:
    before = draft.inspect()
    text = (draft.folder / name).read_text(encoding="utf-8")
    draft.write(name, text.replace(old, new))
    after = draft.inspect()
    assert after != before
    assert after == inspect_uncached(draft)
    draft.write(name, text)
    assert draft.inspect() == before


def test_sectors_that_change_are_seen_at_once(draft: Draft) -> None:
    assert not draft.problems()
    assert inspect_edition(draft.folder, sectors=("education",)).problems
    assert not draft.problems()


def test_changing_the_list_of_problems_changes_no_other_list(draft: Draft) -> None:
    draft.write("stories/020-bad.md", "no front matter")
    _, problems = document.read_document(
        draft.folder, "stories/020-bad.md", document.BaseModel, sectors=SECTORS
    )
    expected = list(problems)
    problems.clear()
    again = document.read_document(draft.folder, "stories/020-bad.md", document.BaseModel, sectors=SECTORS)[1]
    assert again == expected


def test_permissions_that_are_taken_away_are_noticed(draft: Draft, settled: None) -> None:
    draft.inspect()
    path = draft.folder / FIRST
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    assert [problem.code for problem in draft.problems()] == ["unreadable-file"]


def test_a_story_that_did_not_change_is_the_story_it_was(draft: Draft, settled: None) -> None:
    draft.write("stories/020-other.md", "---\ntitle: Another\nsector: culture\n---\n\nWords.\n")
    before = draft.inspect().edition
    time.sleep(0.02)
    draft.change("stories/020-other.md", "Words", "Other words")
    after = draft.inspect().edition
    assert before is not None
    assert after is not None
    assert after.stories[0] == before.stories[0]
    assert after.stories[1] != before.stories[1]


def test_another_picture_of_another_size_is_seen_at_once(draft: Draft, settled: None) -> None:
    before = draft.inspect().edition
    time.sleep(0.02)
    draft.add_image("forum.jpg", 1200, 800)
    after = draft.inspect().edition
    assert before is not None
    assert after is not None
    assert after == inspect_uncached(draft).edition
    assert [edition.stories[0].image.width for edition in (before, after) if edition.stories[0].image] == [
        1184,
        1200,
    ]


@pytest.mark.parametrize("name", ["stories", "images", FIRST, "images/forum.jpg"])
def test_a_link_out_of_the_edition_is_refused_also_where_the_file_was_read_before(
    draft: Draft, tmp_path: Path, settled: None, name: str
) -> None:
    assert not draft.problems()
    (draft.folder / name).rename(tmp_path / "elsewhere")
    (draft.folder / name).symlink_to(tmp_path / "elsewhere")
    assert {problem.code for problem in draft.problems()} == {"outside-folder"}


# --- pictures -----------------------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that were opened."""
    names: list[str] = []
    open_image = prepared_images.open_image

    def recorded(name: str, content: bytes) -> AbstractContextManager[Image.Image]:
        names.append(name)
        return open_image(name, content)

    monkeypatch.setattr(prepared_images, "open_image", recorded)
    return names


def draw(path: Path, colour: str = "#8b3a62", size: tuple[int, int] = (640, 400)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def test_a_picture_is_prepared_once_for_each_width(tmp_path: Path, opened: list[str]) -> None:
    path = draw(tmp_path / "a.png")
    first = prepare_image(path, width=200)
    assert prepare_image(path, width=200) is first
    assert prepare_image(path, width=100) != first
    assert len(opened) == 2


def test_the_same_picture_under_another_name_is_the_same(tmp_path: Path, opened: list[str]) -> None:
    one, two = draw(tmp_path / "a.png"), draw(tmp_path / "b.png")
    assert prepare_image(one, width=200) is prepare_image(two, width=200)
    assert measure_image(one) == measure_image(two)
    assert opened == ["a.png", "a.png"]


def test_a_picture_of_known_content_is_not_looked_at_again(tmp_path: Path, opened: list[str]) -> None:
    path = draw(tmp_path / "a.png")
    first, digest = prepare_image(path, width=200), measure_image(path).digest
    path.unlink()
    assert prepare_image(path, width=200, digest=digest) is first
    with pytest.raises(ImageError):
        prepare_image(path, width=100, digest=digest)
    draw(path, "#3a628b")
    assert prepare_image(path, width=100, digest=digest) == prepare_image(path, width=100)
    assert measure_image(path).digest != digest


def test_another_picture_under_the_same_name_is_another(tmp_path: Path, settled: None) -> None:
    path = draw(tmp_path / "a.png", "#8b3a62")
    first = prepare_image(path, width=200)
    time.sleep(0.02)
    draw(path, "#3a628b")
    second = prepare_image(path, width=200)
    assert first.name != second.name
    clear_caches()
    assert prepare_image(path, width=200) == second


def test_a_picture_comes_out_the_same_when_it_was_forgotten(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png")
    first, size = prepare_image(path, width=200), measure_image(path)
    clear_caches()
    assert (prepare_image(path, width=200), measure_image(path)) == (first, size)


def test_a_picture_that_is_gone_is_not_remembered(tmp_path: Path, settled: None) -> None:
    path = draw(tmp_path / "a.png")
    prepare_image(path, width=200)
    path.unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        prepare_image(path, width=200)


def test_a_damaged_picture_is_an_error_until_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    for _ in range(2):
        with pytest.raises(ImageError, match="not a JPEG, PNG or GIF"):
            prepare_image(path, width=200)
    draw(path)
    assert prepare_image(path, width=200).width == 400


def test_pictures_are_kept_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    small: BoundedCache[prepared_images.PreparedImage] = BoundedCache(
        3000, measure=lambda image: len(image.data)
    )
    monkeypatch.setattr(prepared_images, "_prepared", small)
    paths = [draw(tmp_path / f"{number}.png", f"#0000{number:02x}") for number in range(12)]
    for path in paths:
        prepare_image(path, width=200)
    prepare_image(paths[-1], width=200)
    assert len(opened) == 12
    prepare_image(paths[0], width=200)
    assert len(opened) == 13


def test_pictures_may_be_prepared_at_the_same_time(tmp_path: Path) -> None:
    paths = [draw(tmp_path / f"{number}.png", f"#00{number:02x}00") for number in range(4)]
    expected = [prepare_image(path, width=100) for path in paths]
    clear_caches()
    found: list[list[prepared_images.PreparedImage]] = []
    threads = [
        threading.Thread(target=lambda: found.append([prepare_image(path, width=100) for path in paths]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4
