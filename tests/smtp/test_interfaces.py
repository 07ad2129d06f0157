"""Both transports in one suite of tests; then the Maildir transport alone, and dot-stuffing."""

import asyncio
import mailbox
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dispatch.sending_settings import make_smtp_options
from mailer.settings import SmtpSettings
from mailer.smtp.interfaces import (
    ConnectionFailedError,
    MessageFormatError,
    OutgoingMessage,
    Transport,
    apply_dot_stuffing,
    undo_dot_stuffing,
)
from mailer.smtp.maildir import MaildirTransport
from mailer.smtp.reply_classifier import Stage as Reached
from mailer.smtp.reply_classifier import Verdict
from mailer.smtp.transport import SmtpTransport
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.smtp.fake_source import (
    LOOPS,
    MESSAGE,
    Answer,
    FakeSource,
    await_condition,
    deliver,
    make_message,
    make_messages,
    run,
    run_pending,
    send,
)


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

    def test_nothing_arrives_unless_the_ledger_permits_it(self, transport: Transport, loop: str) -> None:
        source = FakeSource([make_message()], Answer.no)
        run(self.run_until_idle(transport, source), loop)
        source.check()
        assert (len(source.requested), len(source.refused), source.reported) == (1, 1, [])
        assert self.arrived() == []

    def test_nothing_arrives_when_the_ledger_cannot_be_written(self, transport: Transport, loop: str) -> None:
        source = FakeSource([make_message()], Answer.fails)

        async def work() -> None:
            errors: list[BaseException] = []
            asyncio.get_running_loop().set_exception_handler(
                lambda _, context: errors.append(context["exception"])
            )
            connection = await transport.connect(source)
            try:
                connection.wake()
                await await_condition(lambda: bool(errors))
            except RuntimeError as error:
                errors.append(error)
            connection.abort()
            await run_pending()
            assert [str(error) for error in errors] == ["disk full"]

        run(work(), loop)
        assert (source.reported, self.arrived()) == ([], [])

    @pytest.mark.parametrize("may_send", [True, False])
    def test_nothing_arrives_when_the_connection_is_aborted_before_the_ledger_answers(
        self, transport: Transport, loop: str, may_send: bool
    ) -> None:
        source = FakeSource([make_message()], Answer.never)

        async def work() -> None:
            connection = await transport.connect(source)
            connection.wake()
            await await_condition(lambda: bool(source.held))
            connection.abort()
            await await_condition(lambda: bool(source.closings))
            source.release(may_send)
            await run_pending()

        run(work(), loop)
        source.check()
        assert source.verdicts == ([Verdict.give_back] if may_send else [])
        assert (len(source.closings), self.arrived()) == (1, [])

    def test_many_messages_arrive_in_order(self, transport: Transport, loop: str) -> None:
        addresses = [f"reader{n}@example.org" for n in range(10)]
        outcomes = deliver(transport, make_messages(*addresses), loop=loop)
        assert [outcome.verdict for outcome in outcomes] == 10 * [Verdict.sent]
        assert [recipient for _, recipient, _ in self.arrived()] == addresses

    def test_messages_arrive_in_order_when_the_ledger_is_slow(self, transport: Transport, loop: str) -> None:
        source = FakeSource(make_messages("a@example.org", "b@example.org", "c@example.org"), Answer.late)
        send(transport, source, loop=loop)
        source.check()
        assert source.recipients(Verdict.sent) == ["a@example.org", "b@example.org", "c@example.org"]
        assert [recipient[0] for _, recipient, _ in self.arrived()] == ["a", "b", "c"]

    def test_many_connections_deliver_at_once(self, transport: Transport, loop: str) -> None:
        sources = [
            FakeSource(make_messages(*(f"r{number}.{serial}@example.org" for serial in range(5))))
            for number in range(6)
        ]
        send(transport, *sources, loop=loop)
        for source in sources:
            assert source.verdicts == 5 * [Verdict.sent]
        assert len({recipient for _, recipient, _ in self.arrived()}) == 30

    def test_a_closed_connection_ignores_further_calls(self, transport: Transport, loop: str) -> None:
        source = FakeSource([make_message()])

        async def work() -> None:
            connection = await transport.connect(source)
            for method in (
                connection.close,
                connection.close,
                connection.abort,
                connection.abort,
                connection.wake,
            ):
                method()
            await run_pending()
            connection.check_timeout(1e12)

        run(work(), loop)
        assert (source.closings, source.taken) == ([None], [])

    def test_closing_finishes_the_current_message(self, transport: Transport, loop: str) -> None:
        source = FakeSource(make_messages("a@example.org", "b@example.org"), Answer.never, stays_open=True)

        async def work() -> None:
            connection = await transport.connect(source)
            connection.wake()
            await await_condition(lambda: bool(source.held))
            connection.close()
            source.release()
            await await_condition(lambda: bool(source.closings))

        run(work(), loop)
        source.check()
        assert source.recipients(Verdict.sent) == ["a@example.org"]
        assert (source.closings, len(self.arrived())) == ([None], 1)

    def test_an_idle_connection_works_again_once_it_is_woken(self, transport: Transport, loop: str) -> None:
        source = FakeSource(stays_open=True)

        async def work() -> None:
            connection = await transport.connect(source)
            for number in range(3):
                connection.wake()
                await run_pending()
                source.messages.append(make_message(f"r{number}@example.org"))
                connection.wake()
                await await_condition(lambda number=number: len(source.reported) > number)  # type: ignore[misc]
            connection.close()
            await await_condition(lambda: bool(source.closings))

        run(work(), loop)
        assert [recipient for _, recipient, _ in self.arrived()] == [
            "r0@example.org",
            "r1@example.org",
            "r2@example.org",
        ]

    async def run_until_idle(self, transport: Transport, source: FakeSource) -> None:
        """Run one connection until every message taken has ended, then close it."""
        connection = await transport.connect(source)
        connection.wake()
        await await_condition(lambda: bool(source.taken) and not source.unfinished)
        connection.close()
        await await_condition(lambda: bool(source.closings))
        await run_pending()


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

    def test_other_programs_can_read_the_maildir(self, transport: Transport) -> None:
        deliver(transport, [make_message()])
        (message,) = mailbox.Maildir(self.folder, create=False)
        assert (message["Subject"], message["Delivered-To"]) == ("dots", "b@example.org")

    @pytest.mark.parametrize("answer", [Answer.yes, Answer.no])
    def test_no_temporary_file_is_left_behind(self, transport: Transport, answer: Answer) -> None:
        run(self.run_until_idle(transport, FakeSource([make_message()], answer)))
        assert list((self.folder / "tmp").iterdir()) == []

    def test_no_temporary_file_is_left_when_the_connection_is_aborted(self, transport: Transport) -> None:
        source = FakeSource([make_message()], Answer.never)

        async def work() -> None:
            connection = await transport.connect(source)
            connection.wake()
            assert len(list((self.folder / "tmp").iterdir())) == 1
            connection.abort()

        run(work())
        assert list((self.folder / "tmp").iterdir()) == []

    def test_messages_are_private(self, transport: Transport) -> None:
        deliver(transport, [make_message()])
        (path,) = (self.folder / "new").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_the_file_is_complete_before_permission_is_requested(self, transport: Transport) -> None:
        drafts: list[bytes] = []

        def look(message: OutgoingMessage) -> Answer:
            (draft,) = (self.folder / "tmp").iterdir()
            drafts.append(draft.read_bytes())
            assert self.arrived() == []
            return Answer.yes

        source = FakeSource([make_message()], look)
        send(transport, source)
        assert source.verdicts == [Verdict.sent]
        assert drafts[0].endswith(MESSAGE)

    def test_a_folder_that_cannot_be_written_gives_the_reader_back(self, transport: Transport) -> None:
        source = FakeSource([make_message()])

        async def work() -> None:
            connection = await transport.connect(source)
            shutil.rmtree(self.folder)
            connection.wake()

        run(work())
        source.check()
        assert source.verdicts == [Verdict.give_back]
        assert source.closings == source.outcomes
        assert source.requested == []

    def test_a_folder_that_vanishes_before_the_move_gives_the_reader_back(self, transport: Transport) -> None:
        def remove(message: OutgoingMessage) -> Answer:
            shutil.rmtree(self.folder)
            return Answer.yes

        source = FakeSource([make_message()], remove)
        send(transport, source)
        source.check()
        assert (source.verdicts, source.outcomes[0].stage) == ([Verdict.give_back], Reached.body)
        assert len(source.closings) == 1

    def test_a_folder_that_cannot_be_created_is_named(self, tmp_path: Path) -> None:
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
        settings = SmtpSettings.model_validate({"url": self.server.url, "timeout": 5, "final_timeout": 5})
        return SmtpTransport(make_smtp_options(settings, tmp_path))

    def arrived(self) -> list[tuple[str, str, bytes]]:
        return [(mail.sender, mail.recipient, mail.content) for mail in self.server.received]


# Dot-stuffing

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
def test_a_message_with_a_bare_line_end_is_never_sent(message: bytes) -> None:
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
def test_a_bare_line_end_is_found_wherever_it_is(message: bytes) -> None:
    with pytest.raises(MessageFormatError, match="CRLF"):
        apply_dot_stuffing(message)
