"""Both transports, held to one suite; then the folder alone, and what an address names."""

import asyncio
import mailbox
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dispatch.relay_settings import make_smtp_options, make_transport
from mailer.errors import ConfigurationError
from mailer.settings import SmtpSettings
from mailer.smtp.errors import MessageFormatError
from mailer.smtp.interfaces import (
    ConnectionFailedError,
    OutgoingMessage,
    Transport,
    apply_dot_stuffing,
    undo_dot_stuffing,
)
from mailer.smtp.maildir_transport import MaildirTransport
from mailer.smtp.reply_classifier import Stage as Reached
from mailer.smtp.reply_classifier import Verdict
from mailer.smtp.transport import SmtpTransport
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.smtp.fake_source import (
    LOOPS,
    MESSAGE,
    Answer,
    FakeSource,
    await_that,
    deliver,
    make_message,
    make_messages,
    run,
    run_connection,
    send,
    settle_down,
)


def smtp_settings(url: str, **values: object) -> SmtpSettings:
    return SmtpSettings.model_validate({"url": url, "timeout": 5, "final_timeout": 5, **values})


class TransportSuite:
    """What any transport must do, in either loop. A subclass gives the transport and what has arrived."""

    @pytest.fixture(params=LOOPS)
    def loop(self, request: pytest.FixtureRequest) -> str:
        name: str = request.param
        return name

    @pytest.fixture
    def transport(self) -> Transport:
        raise NotImplementedError

    def arrived(self) -> list[tuple[str, str, bytes]]:
        """Sender, recipient and content of all that arrived, in order."""
        raise NotImplementedError

    def test_a_message_arrives_byte_for_byte(self, transport: Transport, loop: str) -> None:
        (outcome,) = deliver(transport, [make_message()], loop=loop)
        assert (outcome.verdict, outcome.code, outcome.stage) == (Verdict.sent, 250, Reached.dot)
        assert self.arrived() == [("news@example.org", "b@example.org", MESSAGE)]

    def test_nothing_arrives_unless_the_ledger_says_yes(self, transport: Transport, loop: str) -> None:
        courier = FakeSource([make_message()], Answer.no)
        run(self.attend_once(transport, courier), loop)
        courier.check()
        assert (len(courier.requested), len(courier.refused), courier.reported) == (1, 1, [])
        assert self.arrived() == []

    def test_nothing_arrives_when_the_ledger_cannot_be_written(self, transport: Transport, loop: str) -> None:
        courier = FakeSource([make_message()], Answer.fails)

        async def work() -> None:
            heard: list[BaseException] = []
            asyncio.get_running_loop().set_exception_handler(
                lambda _, context: heard.append(context["exception"])
            )
            line = await transport.connect(courier)
            try:
                line.wake()
                await await_that(lambda: bool(heard))
            except RuntimeError as error:
                heard.append(error)
            line.abort()
            await settle_down()
            assert [str(error) for error in heard] == ["disk full"]

        run(work(), loop)
        assert (courier.reported, self.arrived()) == ([], [])

    @pytest.mark.parametrize("may_send", [True, False])
    def test_nothing_arrives_when_the_line_is_given_up_before_the_ledger_answers(
        self, transport: Transport, loop: str, may_send: bool
    ) -> None:
        courier = FakeSource([make_message()], Answer.never)

        async def work() -> None:
            line = await transport.connect(courier)
            line.wake()
            await await_that(lambda: bool(courier.held))
            line.abort()
            await await_that(lambda: bool(courier.closings))
            courier.release(may_send)
            await settle_down()

        run(work(), loop)
        courier.check()
        assert courier.verdicts == ([Verdict.give_back] if may_send else [])
        assert (len(courier.closings), self.arrived()) == (1, [])

    def test_many_messages_arrive_in_order(self, transport: Transport, loop: str) -> None:
        addresses = [f"reader{n}@example.org" for n in range(10)]
        outcomes = deliver(transport, make_messages(*addresses), loop=loop)
        assert [outcome.verdict for outcome in outcomes] == 10 * [Verdict.sent]
        assert [recipient for _, recipient, _ in self.arrived()] == addresses

    def test_messages_arrive_in_order_when_the_ledger_is_slow(self, transport: Transport, loop: str) -> None:
        courier = FakeSource(make_messages("a@example.org", "b@example.org", "c@example.org"), Answer.late)
        send(transport, courier, loop=loop)
        courier.check()
        assert courier.recipients(Verdict.sent) == ["a@example.org", "b@example.org", "c@example.org"]
        assert [recipient[0] for _, recipient, _ in self.arrived()] == ["a", "b", "c"]

    def test_many_lines_deliver_at_once(self, transport: Transport, loop: str) -> None:
        couriers = [
            FakeSource(make_messages(*(f"r{number}.{serial}@example.org" for serial in range(5))))
            for number in range(6)
        ]
        send(transport, *couriers, loop=loop)
        for courier in couriers:
            assert courier.verdicts == 5 * [Verdict.sent]
        assert len({recipient for _, recipient, _ in self.arrived()}) == 30

    def test_closing_twice_is_closing_once(self, transport: Transport, loop: str) -> None:
        courier = FakeSource([make_message()])

        async def work() -> None:
            line = await transport.connect(courier)
            for end in (line.close, line.close, line.abort, line.abort, line.wake):
                end()
            await settle_down()
            line.check_timeout(1e12)

        run(work(), loop)
        assert (courier.closings, courier.taken) == ([None], [])

    def test_closing_lets_the_message_in_hand_end(self, transport: Transport, loop: str) -> None:
        courier = FakeSource(make_messages("a@example.org", "b@example.org"), Answer.never, stays=True)

        async def work() -> None:
            line = await transport.connect(courier)
            line.wake()
            await await_that(lambda: bool(courier.held))
            line.close()
            courier.release()
            await await_that(lambda: bool(courier.closings))

        run(work(), loop)
        courier.check()
        assert courier.recipients(Verdict.sent) == ["a@example.org"]
        assert (courier.closings, len(self.arrived())) == ([None], 1)

    def test_an_idle_line_works_again_once_it_is_woken(self, transport: Transport, loop: str) -> None:
        courier = FakeSource(stays=True)

        async def work() -> None:
            line = await transport.connect(courier)
            for number in range(3):
                line.wake()
                await settle_down()
                courier.messages.append(make_message(f"r{number}@example.org"))
                line.wake()
                await await_that(lambda number=number: len(courier.reported) > number)  # type: ignore[misc]
            line.close()
            await await_that(lambda: bool(courier.closings))

        run(work(), loop)
        assert [recipient for _, recipient, _ in self.arrived()] == [
            "r0@example.org",
            "r1@example.org",
            "r2@example.org",
        ]

    async def attend_once(self, transport: Transport, courier: FakeSource) -> None:
        """One line until it has ended or nothing is left in hand."""
        line = await transport.connect(courier)
        line.wake()
        await await_that(lambda: bool(courier.taken) and not courier.unfinished)
        line.close()
        await await_that(lambda: bool(courier.closings))
        await settle_down()


class TestMaildir(TransportSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "received"

    @pytest.fixture
    def transport(self) -> Transport:
        return MaildirTransport(self.folder)

    def arrived(self) -> list[tuple[str, str, bytes]]:
        found = []
        for path in sorted((self.folder / "new").iterdir(), key=lambda path: path.stat().st_mtime_ns):
            sender, recipient, content = path.read_bytes().split(b"\r\n", 2)
            found.append((sender[14:-1].decode(), recipient[14:].decode(), content))
        return found

    def test_other_programs_can_read_it(self, transport: Transport) -> None:
        deliver(transport, [make_message()])
        (message,) = mailbox.Maildir(self.folder, create=False)
        assert (message["Subject"], message["Delivered-To"]) == ("dots", "b@example.org")

    @pytest.mark.parametrize("answer", [Answer.yes, Answer.no])
    def test_no_half_message_is_left_behind(self, transport: Transport, answer: Answer) -> None:
        run(self.attend_once(transport, FakeSource([make_message()], answer)))
        assert list((self.folder / "tmp").iterdir()) == []

    def test_no_half_message_is_left_when_the_line_is_given_up(self, transport: Transport) -> None:
        courier = FakeSource([make_message()], Answer.never)

        async def work() -> None:
            line = await transport.connect(courier)
            line.wake()
            assert len(list((self.folder / "tmp").iterdir())) == 1
            line.abort()

        run(work())
        assert list((self.folder / "tmp").iterdir()) == []

    def test_messages_are_private(self, transport: Transport) -> None:
        deliver(transport, [make_message()])
        (path,) = (self.folder / "new").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_the_message_is_complete_before_the_ledger_is_asked(self, transport: Transport) -> None:
        drafts: list[bytes] = []

        def look(parcel: OutgoingMessage) -> Answer:
            (draft,) = (self.folder / "tmp").iterdir()
            drafts.append(draft.read_bytes())
            assert self.arrived() == []
            return Answer.yes

        courier = FakeSource([make_message()], look)
        send(transport, courier)
        assert courier.verdicts == [Verdict.sent]
        assert drafts[0].endswith(MESSAGE)

    def test_a_folder_that_cannot_be_written_is_no_reason_to_lose_a_reader(
        self, transport: Transport
    ) -> None:
        courier = FakeSource([make_message()])

        async def work() -> None:
            line = await transport.connect(courier)
            shutil.rmtree(self.folder)
            line.wake()

        run(work())
        courier.check()
        assert courier.verdicts == [Verdict.give_back]
        assert courier.closings == courier.outcomes
        assert courier.requested == []

    def test_a_folder_that_vanishes_before_the_move_is_no_reason_to_lose_a_reader(
        self, transport: Transport
    ) -> None:
        def remove(parcel: OutgoingMessage) -> Answer:
            shutil.rmtree(self.folder)
            return Answer.yes

        courier = FakeSource([make_message()], remove)
        send(transport, courier)
        courier.check()
        assert (courier.verdicts, courier.outcomes[0].stage) == ([Verdict.give_back], Reached.body)
        assert len(courier.closings) == 1

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ConnectionFailedError, match="file/received: Not a directory"):
            deliver(MaildirTransport(tmp_path / "file" / "received"), [make_message()])


class TestSmtp(TransportSuite):
    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with MisbehavingServer() as self.server:
            yield

    @pytest.fixture
    def transport(self, tmp_path: Path) -> Transport:
        return SmtpTransport(make_smtp_options(smtp_settings(self.server.url), tmp_path))

    def arrived(self) -> list[tuple[str, str, bytes]]:
        return [(mail.sender, mail.recipient, mail.content) for mail in self.server.received]


# What goes over the wire

LINES = st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a.", b"\xc3\xa9", b" .", b"text"]), max_size=8)


@given(LINES)
def test_dots_are_doubled_and_undone(lines: list[bytes]) -> None:
    message = b"".join(line + b"\r\n" for line in lines or [b""])
    payload = apply_dot_stuffing(message)
    assert undo_dot_stuffing(payload) == message
    # A server that cuts at the first line of one dot finds none of ours.
    assert b"." not in payload.split(b"\r\n")
    assert [line[1:] if line.startswith(b".") else line for line in payload.split(b"\r\n")] == message.split(
        b"\r\n"
    )


@given(st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"a"]), max_size=10).map(b"".join))
def test_no_bare_line_end_ever_reaches_the_wire(message: bytes) -> None:
    without = message.replace(b"\r\n", b"")
    if message.endswith(b"\r\n") and b"\r" not in without and b"\n" not in without:
        assert undo_dot_stuffing(apply_dot_stuffing(message)) == message
    else:
        with pytest.raises(MessageFormatError, match="CRLF"):
            apply_dot_stuffing(message)


@pytest.mark.parametrize(
    "message",
    [b"a\nb\r\n", b"a\rb\r\n", b"no end", b"", b"a\r\n.\n", b"a\r\n\n.\r\n", b"a\r\n\r.\r\n", b"\r\r\n\n"],
)
def test_a_bare_line_end_is_found_wherever_it_stands(message: bytes) -> None:
    with pytest.raises(MessageFormatError, match="CRLF"):
        apply_dot_stuffing(message)


# Opening by address


def test_the_address_picks_the_transport(tmp_path: Path) -> None:
    for url in ("smtp://mx.example.org", "smtps://mx.example.org"):
        assert isinstance(make_transport(smtp_settings(url), tmp_path), SmtpTransport)
    run(
        run_connection(
            make_transport(smtp_settings("maildir:received"), tmp_path), FakeSource([make_message()])
        )
    )
    assert len(list((tmp_path / "received" / "new").iterdir())) == 1


@pytest.mark.parametrize("url", ["http://x", "smtp:", "maildir:", "nonsense", ""])
def test_another_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="not a relay address"):
        make_transport(smtp_settings(url), tmp_path)


def test_a_user_without_a_password_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no password"):
        make_transport(smtp_settings("smtp://news@mx.example.org"), tmp_path)


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="secret cannot be read"):
        make_transport(smtp_settings("smtp://news@mx.example.org", password_file="secret"), tmp_path)


def test_an_unreadable_maildir_is_found_when_connecting(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(ConnectionFailedError, match="Permission denied"):
        deliver(make_transport(smtp_settings("maildir:received"), tmp_path), [make_message()])
