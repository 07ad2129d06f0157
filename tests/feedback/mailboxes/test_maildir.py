"""Reading a Maildir: what goes where, and what happens when something is in the way."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.feedback.mailboxes import maildir as maildir_module
from mailer.feedback.mailboxes.maildir import Maildir
from mailer.feedback.mailboxes.reading import FolderPolicy, Notices, SourceLock
from tests.feedback.mailboxes.recording_intake import RecordingIntake, message

POLICY = FolderPolicy(processed="Processed", quarantine="Quarantine")
NEVER = threading.Event()


class Reader:
    """A reader of the Maildir at ``root/mail``."""

    def __init__(self, root: Path, policy: FolderPolicy = POLICY) -> None:
        self.path = root / "mail"
        for name in ("new", "cur", "tmp"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        self.intake = RecordingIntake()
        self.said: list[str] = []
        self.lock = SourceLock(root, "maildir")
        self.maildir = Maildir(
            self.path,
            policy=policy,
            intake=self.intake.make(),
            lock=self.lock,
            notices=Notices("Maildir", self.said.append),
        )

    def deliver(self, name: str, content: bytes) -> Path:
        path = self.path / name
        path.write_bytes(content)
        return path

    def files(self) -> list[str]:
        paths = (path for path in self.path.rglob("*") if path.is_file() and path.name != "maildirfolder")
        return sorted(str(path.relative_to(self.path)) for path in paths)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def test_each_message_goes_where_it_belongs_and_a_delivery_in_progress_is_left_alone(reader: Reader) -> None:
    reader.deliver("new/2.b", message("unclear"))
    reader.deliver("cur/1.a:2,S", message("settled"))
    reader.deliver("new/3.c", message("untouched"))
    reader.deliver("tmp/4.d", message("settled", 4))
    assert reader.maildir.read_new(NEVER) == 3
    assert reader.intake.order == [message("settled"), message("unclear"), message("untouched")]
    assert reader.files() == [".Processed/cur/1.a:2,S", ".Quarantine/new/2.b", "new/3.c", "tmp/4.d"]
    assert (reader.path / ".Quarantine" / "maildirfolder").exists()
    # A mail program marks the message that stays as read: it is still the same message.
    (reader.path / "new/3.c").rename(reader.path / "cur/3.c:2,S")
    assert reader.maildir.read_new(NEVER) == 0
    assert reader.said == []


def test_without_a_folder_for_them_recorded_messages_are_deleted(tmp_path: Path) -> None:
    reader = Reader(tmp_path, FolderPolicy(processed="", quarantine="Quarantine"))
    reader.deliver("new/1", message("settled"))
    reader.deliver("new/2", message("unclear"))
    reader.maildir.read_new(NEVER)
    assert reader.files() == [".Quarantine/new/2"]


def test_nothing_leaves_the_maildir_while_nothing_can_be_recorded(reader: Reader) -> None:
    reader.intake.is_away = True
    reader.deliver("new/1", message("settled"))
    delays = [reader.maildir._attempt(NEVER) for _ in range(3)]
    assert delays == sorted(set(delays))
    assert reader.files() == ["new/1"]
    reader.intake.is_away = False
    reader.maildir._attempt(NEVER)
    assert reader.files() == [".Processed/new/1"]
    assert [line.partition(": ")[2] for line in reader.said] == [
        "The database cannot be used at the moment: database is locked. The messages stay in the Maildir "
        "until it works.",
        "The Maildir can be read again.",
    ]


def test_a_maildir_that_is_not_there_is_said_once(reader: Reader) -> None:
    (reader.path / "new").rmdir()
    for _ in range(3):
        reader.maildir._attempt(NEVER)
    assert len(reader.said) == 1
    assert "correct [feedback] maildir" in reader.said[0]


def test_messages_that_cannot_be_moved_stay_and_are_counted_once(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    reader.deliver("new/1", message("settled"))
    reader.deliver("new/2", message("settled", 2))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        for _ in range(2):
            reader.maildir.read_new(NEVER)
    assert reader.files() == ["new/1", "new/2"]
    assert reader.intake.seen_again == 0
    assert len(reader.said) == 1


def test_a_message_that_is_too_large_or_makes_the_program_fail_is_put_aside(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maildir_module, "MAX_MESSAGE_BYTES", 1000)
    reader.deliver("new/1", message("settled", size=2000))
    reader.deliver("new/2", message("faulty"))
    reader.deliver("new/3", message("settled"))
    reader.maildir.read_new(NEVER)
    assert reader.files() == [".Processed/new/3", ".Quarantine/new/1", ".Quarantine/new/2"]
    assert len(reader.said) == 2


def test_a_message_that_vanishes_meanwhile_is_passed_over(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reader.deliver("new/1", message("settled", 1))
    second = reader.deliver("new/2", message("settled", 2))
    receive: Callable[[bytes], object] = reader.intake.receive

    def receive_and_delete(raw: bytes) -> object:
        first.unlink(missing_ok=True)  # while it is being recorded
        second.unlink(missing_ok=True)  # before it is opened
        return receive(raw)

    monkeypatch.setattr(reader.intake, "receive", receive_and_delete)
    reader.maildir._intake = reader.intake.make()
    reader.maildir.read_new(NEVER)
    assert reader.intake.order == [message("settled", 1)]
    assert reader.files() == []


def test_only_one_process_of_a_machine_reads_it(reader: Reader, tmp_path: Path) -> None:
    other = SourceLock(tmp_path, "maildir")
    assert other.try_acquire()
    reader.deliver("new/1", message("settled"))
    reader.maildir._attempt(NEVER)
    assert reader.files() == ["new/1"]
    other.release()
    reader.maildir._attempt(NEVER)
    assert reader.files() == [".Processed/new/1"]
