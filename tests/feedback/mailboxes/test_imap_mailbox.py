"""Reading a real Dovecot: what goes where, and what happens when something is in the way."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mailer.feedback.mailboxes import imap_connection, imap_mailbox
from mailer.feedback.mailboxes.imap_connection import ImapConnection, open_imap
from mailer.feedback.mailboxes.imap_mailbox import ImapMailbox
from mailer.feedback.mailboxes.imap_options import (
    Encryption,
    ImapOptions,
    MailboxRefusedError,
    parse_imap_url,
)
from mailer.feedback.mailboxes.reading import FolderPolicy, MailboxLease, Notices
from tests.feedback.mailboxes.recording_intake import RecordingIntake, message
from tests.servers.imap_server import PASSWORD, ImapServer, imap_server
from tests.servers.process import wait_until

POLICY = FolderPolicy(processed="Processed", quarantine="Quarantine")


@dataclass
class Reader:
    """A reader of one mailbox, in a thread."""

    engine: Engine
    root: Path
    intake: RecordingIntake = field(default_factory=RecordingIntake)
    said: list[str] = field(default_factory=list)
    policy: FolderPolicy = POLICY
    poll_seconds: float = 0.2

    def make(self, options: ImapOptions) -> ImapMailbox:
        return ImapMailbox(
            options,
            policy=self.policy,
            intake=self.intake.make(),
            lease=MailboxLease(self.engine, self.root, options.name),
            notices=Notices("mailbox", self.said.append),
            poll_seconds=self.poll_seconds,
            first_delay=0.02,
        )

    @contextlib.contextmanager
    def running(self, options: ImapOptions) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self.make(options).run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=30)
            assert not thread.is_alive()

    def said_once(self, words: str) -> bool:
        return sum(words in line for line in self.said) == 1


@pytest.fixture(autouse=True)
def _notice_the_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # A reader that waits for the server looks once in so many seconds whether it is to stop.
    monkeypatch.setattr(imap_connection, "_IDLE_SLICE_SECONDS", 0.05)


@pytest.fixture
def reader(sqlite_engine: Engine, tmp_path: Path) -> Reader:
    return Reader(sqlite_engine, tmp_path)


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with imap_server() as running:
        yield running


def options_of(server: ImapServer) -> ImapOptions:
    return parse_imap_url(server.url, password_file=server.password_file)


def await_empty(server: ImapServer) -> None:
    # Dovecot 2.3 looks at changed rights again after half a minute.
    wait_until(lambda: not server.count(), what="an empty INBOX", seconds=60)


def await_words(reader: Reader, words: str) -> None:
    wait_until(lambda: any(words in line for line in reader.said), what=words)


def test_each_message_goes_where_it_belongs_and_new_ones_are_read_at_once(
    reader: Reader, server: ImapServer
) -> None:
    reader.poll_seconds = 600
    settled, unclear = message("settled"), message("unclear")
    server.deliver(settled, unclear)
    with reader.running(options_of(server)):
        await_empty(server)
        late = message("settled", 2)
        server.deliver(late)  # only IDLE can tell: the next poll is ten minutes away
        await_empty(server)
        wait_until(lambda: len(server.read("Processed")) == 2, what="two messages")
    assert server.read("Processed") == sorted([settled, late])
    assert server.read("Quarantine") == [unclear]
    assert reader.intake.order == [settled, unclear, late]
    assert reader.said == []


def test_what_arrives_before_the_waiting_begins_ends_it_at_once(server: ImapServer) -> None:
    looks: list[int] = []
    with contextlib.closing(open_imap(options_of(server))) as connection:
        for number in range(3):
            connection.list_uids()
            server.deliver(message("settled", number))
            assert connection.wait(600, is_over=lambda: len(looks) > 20 or looks.append(1) is not None)


def test_without_a_folder_for_them_recorded_messages_are_deleted_and_no_others(
    reader: Reader, server: ImapServer
) -> None:
    reader.policy = FolderPolicy(processed="", quarantine="Quarantine")
    server.deliver(message("settled"), message("unclear"), message("untouched"))
    with reader.running(options_of(server)):
        wait_until(lambda: len(server.read()) == 1, what="one message left")
        wait_until(lambda: server.read("Quarantine") != [], what="the quarantine")
    assert server.read() == [message("untouched")]
    assert server.read("Quarantine") == [message("unclear")]
    assert not (server.maildir / ".Processed").exists()


@pytest.mark.spare
def test_a_server_that_cannot_move_or_wait_is_served_by_copying_and_asking(
    reader: Reader, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImapConnection, "can_move", False)
    monkeypatch.setattr(ImapConnection, "can_idle", False)
    with reader.running(options_of(server)):
        for number in range(2):
            server.deliver(message("settled", number))
            await_empty(server)
    assert len(server.read("Processed")) == 2


def test_nothing_leaves_the_mailbox_while_nothing_can_be_recorded(reader: Reader, server: ImapServer) -> None:
    reader.intake.is_away = True
    server.deliver(message("settled"), message("unclear"))
    with reader.running(options_of(server)):
        wait_until(lambda: reader.intake.refused > 2, what="some attempts")
        assert len(server.read()) == 2
        reader.intake.is_away = False
        await_empty(server)
    assert reader.said_once(
        "The database cannot be used at the moment: database is locked. The messages stay"
    )
    assert reader.said_once("What comes back can be recorded again.")
    assert len(reader.said) == 2


def test_a_message_that_makes_the_program_fail_is_put_aside_and_holds_up_no_other(
    reader: Reader, server: ImapServer
) -> None:
    server.deliver(message("faulty"), message("settled"))
    with reader.running(options_of(server)):
        await_empty(server)
    assert server.read("Quarantine") == [message("faulty")]
    assert server.read("Processed") == [message("settled")]
    assert reader.said_once("ZeroDivisionError")


def test_a_message_too_large_to_be_a_report_is_put_aside_unread(
    reader: Reader, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_mailbox, "MAX_MESSAGE_BYTES", 1000)
    large = message("settled", size=2000)
    server.deliver(large, message("settled"))
    with reader.running(options_of(server)):
        await_empty(server)
    assert server.read("Quarantine") == [large]
    assert reader.intake.order == [message("settled")]
    assert reader.said_once("too large")


def test_what_people_write_in_their_own_mailbox_stays_and_is_fetched_once(
    reader: Reader, server: ImapServer
) -> None:
    reader.policy = FolderPolicy(processed="Processed", quarantine="Quarantine", is_shared=True)
    server.deliver(message("untouched"), message("settled"))
    with reader.running(options_of(server)):
        wait_until(lambda: len(server.read()) == 1, what="one message left")
    server.deliver(message("settled", 2))
    with reader.running(options_of(server)):
        wait_until(lambda: len(server.read("Processed")) == 2, what="the second")
    assert server.read() == [message("untouched")]
    assert reader.intake.seen_again == 0
    # Nobody has looked at it: it is still new for whoever does.
    assert not [path for path in (server.maildir / "cur").iterdir() if "S" in path.name.partition(":2,")[2]]


def test_a_read_only_mailbox_is_read_once_and_said_so_once(reader: Reader, server: ImapServer) -> None:
    server.grant("lr")
    server.deliver(message("settled"), message("unclear"))
    for _ in range(2):
        reader.said.clear()
        with reader.running(options_of(server)):
            await_words(reader, "can be read, but not changed")
            wait_until(lambda: len(reader.intake.order) == 2, what="both messages")
        assert len(reader.said) == 1
    assert server.count() == 2
    assert reader.intake.seen_again == 0


def test_messages_that_the_server_does_not_move_are_counted_once_and_moved_when_it_does(
    reader: Reader, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_mailbox, "_MOVE_AGAIN_SECONDS", 0.0)
    server.grant("lrswi")
    server.deliver(message("settled"), message("settled", 2))
    with reader.running(options_of(server)):
        await_words(reader, "does not let us move messages to the folder Processed")
        wait_until(lambda: len(reader.intake.order) == 2, what="both messages")
        assert len(server.read()) == 2
        server.grant("lrswite")
        await_empty(server)
    assert len(server.read("Processed")) == 2
    assert reader.intake.seen_again == 0
    assert reader.said_once("does not let us move messages")
    assert reader.said_once("can be moved again")


def test_a_full_mailbox_is_read_and_each_message_counts_once(reader: Reader) -> None:
    with imap_server(quota_kilobytes=40) as server:
        # Written by hand, as if the limit had been lowered: no server takes what does not fit.
        server.deliver(*(message("settled", number, size=15_000) for number in range(4)))
        with reader.running(options_of(server)):
            wait_until(lambda: len(reader.intake.order) == 4, what="four messages")
            # Dovecot 2.3 moves within a full mailbox, 2.4 does not.
            wait_until(
                lambda: not server.count() or any("The mailbox is full" in line for line in reader.said),
                what="room, or a word about it",
            )
            wait_until(lambda: server.count() + server.count("Processed") == 4, what="four messages")
    assert reader.intake.seen_again == 0
    assert len(reader.said) <= 1


def test_a_server_that_was_away_is_asked_again_and_each_message_counts_once(
    reader: Reader, server: ImapServer
) -> None:
    server.deliver(message("settled"))
    with reader.running(options_of(server)):
        await_empty(server)
        server.stop()
        await_words(reader, "does not answer")
        server.deliver(message("settled", 2))
        server.start()
        await_empty(server)
        await_words(reader, "The mailbox can be read again.")
    assert len(server.read("Processed")) == 2
    assert reader.intake.seen_again == 0
    assert len(reader.said) == 2


def test_a_wrong_password_is_said_once_and_a_corrected_one_is_used_at_once(
    reader: Reader, server: ImapServer
) -> None:
    server.password_file.write_text("wrong\n")
    server.deliver(message("settled"))
    with reader.running(options_of(server)):
        await_words(reader, "refuses the login of bounces")
        server.password_file.write_text(f"{PASSWORD}\n")
        await_empty(server)
    assert reader.said_once("Check the user in [feedback] imap and the secret in password_file.")
    assert len(reader.said) == 2


def test_a_certificate_for_another_name_is_said_once_and_no_password_is_sent(
    reader: Reader, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    url = server.tls_url.replace("127.0.0.1", "localhost")
    mailbox = reader.make(parse_imap_url(url, password_file=server.password_file))
    for _ in range(3):
        mailbox._attempt(threading.Event())
    assert reader.said_once("is for another name than localhost")
    assert len(reader.said) == 1
    assert "user=<bounces>" not in (server.folder / "log").read_text()


def test_a_mailbox_is_read_over_tls_if_its_certificate_is_trusted(
    reader: Reader, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    server.deliver(message("settled"))
    with reader.running(parse_imap_url(server.tls_url, password_file=server.password_file)):
        await_empty(server)
        server.deliver(message("settled", 2))
        await_empty(server)
    assert reader.said == []


def test_a_connection_that_begins_in_clear_text_switches_to_tls_first(
    reader: Reader, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    options = replace(options_of(server), encryption=Encryption.starttls)
    with contextlib.closing(open_imap(options)):
        assert "TLS" in (server.folder / "log").read_text()
    with pytest.raises(MailboxRefusedError, match="for another name than localhost"):
        open_imap(replace(options, host="localhost"))


def test_when_the_server_renumbers_its_messages_they_are_read_again(
    reader: Reader, server: ImapServer
) -> None:
    server.grant("lr")
    server.deliver(message("settled"))
    with reader.running(options_of(server)):
        await_words(reader, "not changed")
    server.stop()
    server.renumber(7)
    server.start()
    with reader.running(options_of(server)):
        wait_until(lambda: reader.intake.seen_again == 1, what="the message again")
    assert len(reader.intake.order) == 1


def test_a_message_that_is_gone_meanwhile_is_passed_over(server: ImapServer) -> None:
    server.deliver(message("settled", 1), message("settled", 2), message("settled", 3))
    with contextlib.ExitStack() as ending:
        ours, other = (
            ending.enter_context(contextlib.closing(open_imap(options_of(server)))) for _ in range(2)
        )
        uids = ours.list_uids()
        other.move([uids[1]], "")
        assert [raw for _, raw in ours.fetch(uids)] == [message("settled", 1), message("settled", 3)]
        ours.move(uids, "Processed")
    assert server.read("Processed") == [message("settled", 1), message("settled", 3)]


def test_many_old_messages_are_read_in_order_in_small_portions_and_progress_is_said(
    reader: Reader, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_mailbox, "_MANY", 100)
    monkeypatch.setattr(imap_mailbox, "_PROGRESS_EVERY", 50)
    monkeypatch.setattr(imap_mailbox, "_BATCH_BYTES", 10_000)
    fetched: list[int] = []
    fetch: Callable[..., list[tuple[int, bytes]]] = ImapConnection.fetch

    def note(connection: ImapConnection, uids: list[int]) -> list[tuple[int, bytes]]:
        found = fetch(connection, uids)
        fetched.append(sum(len(raw) for _, raw in found))
        return found

    monkeypatch.setattr(ImapConnection, "fetch", note)
    messages = [message("settled", number, size=500) for number in range(120)]
    server.deliver(*messages)
    with reader.running(options_of(server)):
        await_empty(server)
    assert reader.intake.order == messages
    assert max(fetched) <= 10_000
    assert [line.partition(": ")[2] for line in reader.said] == [
        "120 messages are waiting. They are read in the order they came.",
        "50 of 120 messages are read.",
        "100 of 120 messages are read.",
        "120 of 120 messages are read.",
    ]


def test_only_one_process_reads_a_mailbox_at_a_time(engine: Engine, tmp_path: Path) -> None:
    first, second = (MailboxLease(engine, tmp_path, "news at mail.example.org") for _ in range(2))
    # Another machine has a folder of its own.
    elsewhere = MailboxLease(engine, tmp_path / "elsewhere", "news at mail.example.org")
    (tmp_path / "elsewhere").mkdir()
    assert first.try_acquire()
    assert first.try_acquire()
    assert not second.try_acquire()
    assert not elsewhere.try_acquire()
    first.save_position(7, 41)
    assert (first.read_position(7), first.read_position(8)) == (41, 0)
    first.release()
    assert elsewhere.try_acquire()
    assert elsewhere.read_position(7) == 41
    elsewhere.release()
    assert second.try_acquire()


def test_a_machine_that_died_is_succeeded_by_its_own_next_process_at_once_and_by_others_in_time(
    engine: Engine, tmp_path: Path
) -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    dead = MailboxLease(engine, tmp_path, "news", clock=lambda _: now)
    assert dead.try_acquire()
    dead._lock.release()  # what the kernel does when a process is killed
    (tmp_path / "elsewhere").mkdir()
    later = now + timedelta(seconds=90)
    elsewhere = MailboxLease(engine, tmp_path / "elsewhere", "news", clock=lambda _: later)
    assert not elsewhere.try_acquire()
    successor = MailboxLease(engine, tmp_path, "news", clock=lambda _: now)
    assert successor.try_acquire()
    successor._lock.release()
    later = now + timedelta(seconds=121)
    assert elsewhere.try_acquire()
