"""The SMTP connection: what it writes and when, and that it always knows what may have arrived."""

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.smtp.interfaces import OutgoingMessage
from mailer.smtp.reply_classifier import Stage as Reached
from mailer.smtp.reply_classifier import Verdict
from mailer.smtp.transport import SmtpTransport
from tests.servers.misbehaving_smtp import DROP, HANG, MisbehavingServer, Stage
from tests.servers.scripted_smtp import EXTENSIONS, Act, Script, ScriptedServer, answering
from tests.servers.smtp_sink import smtp_sink
from tests.smtp.conversation import ENVELOPE, A, B, C, converse, open_to
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
    run_connection,
    run_pending,
    send,
)

LONG = MESSAGE + 20_000 * (1_000 * b"x" + b"\r\n")


def time_out_on_silence(source: FakeSource, script: Script) -> Script:
    """``script``, with the source's clock put forward an hour as soon as the server falls silent."""

    def script_and_time_out(verb: str, argument: str) -> str | Act | None:
        said = script(verb, argument)
        if said is Act.hang:
            source.clock_offset = 3_600
        return said

    return script_and_time_out


# A connection that is lost, on a server that takes one command at a time


@pytest.mark.parametrize("stage", [Stage.mail, Stage.rcpt, Stage.data])
@pytest.mark.parametrize("answer", [DROP, HANG, "421 4.3.2 Shutting down"])
def test_a_connection_lost_before_the_message_gives_the_reader_back(
    server: MisbehavingServer, tmp_path: Path, loop: str, stage: Stage, answer: str
) -> None:
    server.answer(stage, answer)
    source = FakeSource([make_message()])
    send(open_to(server.url, tmp_path, timeout=0.3), source, loop=loop)
    source.check()
    (outcome,) = source.outcomes
    assert (outcome.verdict, outcome.stage.value) == (Verdict.give_back, stage.value.lower())
    assert (source.requested, server.received) == ([], [])
    assert [ending is not None and ending.reconnect for ending in source.closings] == [True]


@pytest.mark.parametrize("answer", [DROP, HANG])
def test_a_connection_lost_after_the_final_dot_leaves_the_message_in_doubt(
    server: MisbehavingServer, tmp_path: Path, loop: str, answer: str
) -> None:
    server.answer(Stage.dot, answer)
    source = FakeSource([make_message()])
    send(open_to(server.url, tmp_path, final_timeout=0.3), source, loop=loop)
    source.check()
    (outcome,) = source.outcomes
    assert (outcome.verdict, outcome.stage) == (Verdict.in_doubt, Reached.dot)
    assert (len(source.closings), len(server.received)) == (1, 1)


def test_a_connection_lost_in_the_middle_of_a_message_gives_the_reader_back(
    server: MisbehavingServer, tmp_path: Path, loop: str
) -> None:
    # More than the kernel's buffers hold, so that its end has never left us.
    server.answer(Stage.body, DROP)
    source = FakeSource([make_message(message=LONG)])
    send(open_to(server.url, tmp_path), source, loop=loop)
    source.check()
    (outcome,) = source.outcomes
    assert (outcome.verdict, outcome.stage) == (Verdict.give_back, Reached.body)
    assert (len(source.requested), len(source.closings), server.received) == (1, 1, [])


def test_a_short_message_may_have_arrived_whenever_the_connection_is_lost(
    server: MisbehavingServer, tmp_path: Path, loop: str
) -> None:
    server.answer(Stage.body, DROP)
    (outcome,) = deliver(open_to(server.url, tmp_path), [make_message()], loop=loop)
    assert (outcome.verdict, outcome.stage) == (Verdict.in_doubt, Reached.dot)


def test_a_421_after_the_final_dot_defers_the_message(server: MisbehavingServer, tmp_path: Path) -> None:
    server.answer(Stage.dot, "421 4.3.2 Shutting down")
    source = FakeSource([make_message()])
    send(open_to(server.url, tmp_path), source)
    assert source.verdicts == [Verdict.deferred]
    assert source.closings == source.outcomes


def test_the_next_reader_uses_the_connection_after_a_refusal(
    server: MisbehavingServer, tmp_path: Path, loop: str
) -> None:
    server.answer(Stage.rcpt, "550 5.1.1 No such user", only="gone")
    source = FakeSource(make_messages("gone@example.org", "here@example.org"))
    send(open_to(server.url, tmp_path), source, loop=loop)
    refused, sent = source.outcomes
    assert (refused.verdict, refused.code, refused.text) == (Verdict.rejected, 550, "5.1.1 No such user")
    assert sent.verdict is Verdict.sent
    assert [message.recipient for message in source.requested] == ["here@example.org"]
    assert (server.connections, server.recipients) == (1, ["here@example.org"])


def test_a_connection_whose_server_awaits_a_message_is_not_used_for_another(
    server: MisbehavingServer, tmp_path: Path, loop: str
) -> None:
    # The server waits for the first one's message; whatever came next would be taken for it.
    source = FakeSource(make_messages(A, B), Answer.no)
    send(open_to(server.url, tmp_path), source, loop=loop)
    assert [message.recipient for message in source.refused] == [A]
    assert ([message.recipient for message in source.messages], source.closings) == ([B], [None])
    assert server.received == []


# Time


def test_the_final_dot_has_its_own_timeout(tmp_path: Path) -> None:
    # A slow relay answers the dot late; taking the ordinary time-out for it would make duplicates.
    server = ScriptedServer(answering((".", "", Act.hang)))
    source = FakeSource([make_message()])

    async def work() -> None:
        async with server:
            connection = await server.client(tmp_path, timeout=20, final_timeout=600).connect(source)
            connection.wake()
            await await_condition(lambda: bool(server.kept))
            now = asyncio.get_running_loop().time()
            connection.check_timeout(now + 590)
            assert source.reported == []
            connection.check_timeout(now + 601)

    run(work())
    source.check()
    assert source.verdicts == [Verdict.in_doubt]
    assert source.outcomes[0].text == "connection lost at dot: timed out"


def test_a_slow_relay_is_waited_for(tmp_path: Path, loop: str) -> None:
    with smtp_sink("-W", ".:1") as sink:
        transport = open_to(sink.url, tmp_path, timeout=0.5, final_timeout=20)
        (outcome,) = deliver(transport, [make_message()], loop=loop)
        assert outcome.verdict is Verdict.sent


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
def test_an_envelope_has_the_ordinary_timeout(tmp_path: Path, verb: str, extensions: tuple[str, ...]) -> None:
    server = ScriptedServer(answering((verb, "", Act.hang)), extensions)
    source = FakeSource([make_message()])

    async def work() -> None:
        async with server:
            connection = await server.client(tmp_path, timeout=100, final_timeout=900).connect(source)
            connection.wake()
            await await_condition(lambda: any(heard.startswith(verb) for heard in server.lines))
            now = asyncio.get_running_loop().time()
            connection.check_timeout(now + 90)
            assert source.reported == []
            connection.check_timeout(now + 101)

    run(work())
    assert source.verdicts == [Verdict.give_back]
    assert source.outcomes[0].stage.value == verb.lower()


def test_no_timeout_expires_while_the_ledger_decides(tmp_path: Path) -> None:
    server = ScriptedServer()
    source = FakeSource([make_message()], Answer.never)

    async def work() -> None:
        async with server:
            connection = await server.client(tmp_path).connect(source)
            connection.wake()
            await await_condition(lambda: bool(source.held))
            # Not even the idle timeout: the server waits for a message, and would take QUIT for one.
            connection.check_timeout(asyncio.get_running_loop().time() + 1e6)
            assert source.closings == []
            source.release()
            await await_condition(lambda: bool(source.reported))
            connection.close()

    run(work())
    assert source.verdicts == [Verdict.sent]
    assert server.kept[0].content == MESSAGE


def test_the_reply_to_the_lone_dot_after_a_refusal_times_out(tmp_path: Path) -> None:
    source = FakeSource([make_message(A)])
    script = time_out_on_silence(source, answering(("RCPT", "", "550 5.1.1 Unknown"), ("BODY", "", Act.hang)))
    converse(ScriptedServer(script, takes_data=True), source, tmp_path)
    source.check()
    assert (source.verdicts, len(source.closings)) == ([Verdict.rejected], 1)


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
def test_a_connection_is_closed_after_its_maximum_of_messages(
    tmp_path: Path, extensions: tuple[str, ...]
) -> None:
    server = ScriptedServer(extensions=extensions)
    source = FakeSource(make_messages(A, B, C))
    converse(server, source, tmp_path, messages_per_connection=2)
    source.check()
    assert (server.recipients, source.closings) == ([A, B], [None])
    assert [message.recipient for message in source.messages] == [C]
    assert server.lines[-1] == "QUIT"


def test_an_idle_connection_is_closed_after_its_maximum_age(tmp_path: Path) -> None:
    server = ScriptedServer()
    source = FakeSource(stays_open=True)

    async def work() -> None:
        async with server:
            connection = await server.client(tmp_path, connection_minutes=5).connect(source)
            now = asyncio.get_running_loop().time()
            connection.check_timeout(now + 299)
            assert source.closings == []
            connection.check_timeout(now + 301)
            await await_condition(lambda: bool(source.closings) and server.lines[-1] == "QUIT")

    run(work())


def test_a_busy_connection_is_closed_after_its_maximum_age_between_messages(tmp_path: Path) -> None:
    source = FakeSource(make_messages(*(f"r{n}@example.org" for n in range(100_000))))

    async def work() -> None:
        async with ScriptedServer() as server:
            await run_connection(server.client(tmp_path, connection_minutes=0.002), source)
            assert server.lines[-1] == "QUIT"

    run(work())
    source.check()
    assert source.closings == [None]
    assert source.messages
    assert set(source.verdicts) == {Verdict.sent}


# Pipelining


def test_a_message_costs_one_round_trip(tmp_path: Path, loop: str) -> None:
    server = ScriptedServer()
    converse(server, FakeSource(make_messages(A, B, C)), tmp_path, loop)
    payload = make_message().payload

    def envelope(recipient: str) -> bytes:
        return f"{ENVELOPE}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()

    (chunks,) = server.chunks
    assert chunks[1:] == [
        envelope(A),
        payload + b".\r\n" + envelope(B),
        payload + b".\r\n" + envelope(C),
        payload + b".\r\n",
        b"QUIT\r\n",
    ]
    assert [mail.content for mail in server.kept] == 3 * [MESSAGE]


@pytest.mark.parametrize(
    ("extensions", "values"), [((), {}), (EXTENSIONS[1:], {}), (EXTENSIONS, {"pipelining": False})]
)
def test_without_pipelining_one_command_is_sent_at_a_time(
    tmp_path: Path, loop: str, extensions: tuple[str, ...], values: dict[str, object]
) -> None:
    server = ScriptedServer(answering(("RCPT", B, "550 5.1.1 Unknown")), extensions)
    source = FakeSource(make_messages(A, B, C))
    converse(server, source, tmp_path, loop, **values)
    assert source.verdicts == [Verdict.sent, Verdict.rejected, Verdict.sent]
    verbs = [chunk.split()[0] for chunk in server.chunks[0]]
    assert b" ".join(verbs) == (b"EHLO MAIL RCPT DATA From: MAIL RCPT RSET MAIL RCPT DATA From: QUIT")
    for chunk in server.chunks[0]:
        assert chunk.count(b"\r\n") == 1 or chunk == make_message().payload + b".\r\n"


def test_an_envelope_is_sent_while_the_server_still_reads_the_previous_message(tmp_path: Path) -> None:
    server = ScriptedServer(answering((".", A, Act.hang)))
    source = FakeSource(make_messages(A), stays_open=True)

    async def work() -> None:
        async with server:
            connection = await server.client(tmp_path).connect(source)
            connection.wake()
            await await_condition(lambda: bool(server.kept))
            source.messages.append(make_message(B))
            connection.wake()
            await await_condition(lambda: len(server.chunks[0]) == 4)
            connection.abort()

    run(work())
    assert server.chunks[0][-1] == f"{ENVELOPE}\r\nRCPT TO:<{B}>\r\nDATA\r\n".encode()
    assert source.verdicts == [Verdict.in_doubt, Verdict.give_back]


def test_an_envelope_is_never_written_into_an_unfinished_message(tmp_path: Path, loop: str) -> None:
    source = FakeSource([make_message(A, LONG)], stays_open=True)

    async def work() -> None:
        async with ScriptedServer() as server:
            connection = await server.client(tmp_path).connect(source)
            connection.wake()
            # Woken at every turn while the long message is written, and with something to take.
            await await_condition(lambda: bool(source.requested))
            source.messages.append(make_message(B))
            while len(source.reported) < 2:
                connection.wake()
                await asyncio.sleep(0)
            connection.close()
            await run_pending()
            assert [mail.content for mail in server.kept] == [LONG, MESSAGE]

    run(work(), loop)
    assert source.verdicts == [Verdict.sent, Verdict.sent]


def test_a_refused_reader_among_others_costs_one_reset_and_no_connection(tmp_path: Path, loop: str) -> None:
    server = ScriptedServer(answering(("RCPT", B, "550 5.1.1 Unknown")))
    source = FakeSource(make_messages(A, B, C))
    converse(server, source, tmp_path, loop)
    assert source.verdicts == [Verdict.sent, Verdict.rejected, Verdict.sent]
    assert (len(server.chunks), server.acknowledged) == (1, [A, C])
    assert server.lines[5:] == [
        ENVELOPE,
        f"RCPT TO:<{B}>",
        "DATA",
        "RSET",
        ENVELOPE,
        f"RCPT TO:<{C}>",
        "DATA",
        "…",
        "QUIT",
    ]


def test_many_refusals_in_a_row_leave_the_connection_in_step(tmp_path: Path, loop: str) -> None:
    gone = [f"gone{number}@example.org" for number in range(7)]
    server = ScriptedServer(answering(("RCPT", "gone", "550 5.1.1 Unknown")))
    source = FakeSource(make_messages(*gone, A, *gone, B))
    converse(server, source, tmp_path, loop)
    assert source.recipients(Verdict.sent) == server.acknowledged == [A, B]
    assert source.recipients(Verdict.rejected) == [*gone, *gone]
    assert len(server.chunks) == 1


def test_a_refused_sender_stops_sending_and_the_connection_stays_in_step(tmp_path: Path) -> None:
    server = ScriptedServer(answering(("MAIL", "", "550 5.7.1 Not you")))
    source = FakeSource(make_messages(A, B))
    converse(server, source, tmp_path)
    assert source.verdicts == [Verdict.stop, Verdict.stop]
    assert {outcome.stage for outcome in source.outcomes} == {Reached.mail}
    assert server.kept == []


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
def test_a_refused_reset_is_not_taken_for_a_refused_sender(
    tmp_path: Path, extensions: tuple[str, ...]
) -> None:
    server = ScriptedServer(
        answering(("RCPT", A, "550 5.1.1 Unknown"), ("RSET", "", "502 5.5.1 No such command")), extensions
    )
    source = FakeSource(make_messages(A, B, C))
    converse(server, source, tmp_path)
    source.check()
    assert source.verdicts == [Verdict.rejected, Verdict.give_back]
    assert (source.outcomes[1].stage, server.kept) == (Reached.reset, [])
    assert source.closings == [source.outcomes[1]]


def test_a_354_without_a_recipient_is_answered_with_an_empty_message(tmp_path: Path, loop: str) -> None:
    # RFC 2920 §3.1: 354 to DATA is possible although every recipient was refused.
    server = ScriptedServer(answering(("RCPT", B, "550 5.1.1 Unknown")), takes_data=True)
    source = FakeSource(make_messages(A, B, C))
    converse(server, source, tmp_path, loop)
    source.check()
    assert source.verdicts == [Verdict.sent, Verdict.rejected, Verdict.sent]
    assert [message.recipient for message in source.requested] == [A, C]
    assert b".\r\n" in server.chunks[0]
    assert (len(server.chunks), server.recipients) == (1, [A, C])


def test_a_354_after_a_refused_sender_is_not_answered(tmp_path: Path, loop: str) -> None:
    # A server that refuses the sender, and then takes the recipient and wants the message.
    def script(verb: str, argument: str) -> str | Act | None:
        server.takes_data = True
        return {"MAIL": "550 5.7.1 Not you", "RCPT": "250 2.1.5 Ok"}.get(verb)

    server = ScriptedServer(script)
    source = FakeSource(make_messages(A, B))
    converse(server, source, tmp_path, loop)
    source.check()
    assert (source.verdicts, len(source.closings)) == ([Verdict.stop], 1)
    assert (server.kept, server.lines[-1]) == ([], "DATA")


@pytest.mark.parametrize("said", ["what? who is there", "", "354 Go on"])
def test_a_354_after_an_unclear_reply_to_rcpt_is_not_answered(tmp_path: Path, loop: str, said: str) -> None:
    # The server accepts the recipient, replies with something else, and wants the message.
    server = ScriptedServer(answering(("RCPT", A, said)), takes_data=True)
    source = FakeSource(make_messages(A, B))
    converse(server, source, tmp_path, loop)
    source.check()
    assert (source.verdicts[0], len(source.closings)) == (Verdict.give_back, 1)
    assert (server.kept, server.lines[-1]) == ([], "DATA")


def test_a_message_acknowledged_before_a_shutdown_is_sent(tmp_path: Path, loop: str) -> None:
    # The next envelope is on its way already when the server says that it shuts down.
    said = iter([None, "421 4.3.2 Shutting down"])
    server = ScriptedServer(lambda verb, _: next(said) if verb == "MAIL" else None)
    source = FakeSource(make_messages(A, B, C))
    converse(server, source, tmp_path, loop)
    source.check()
    assert source.verdicts == [Verdict.sent, Verdict.give_back]
    assert source.outcomes[1].stage is Reached.mail
    assert not source.outcomes[1].is_attempt
    assert (source.closings, server.acknowledged) == ([source.outcomes[1]], [A])


@pytest.mark.parametrize("act", list(Act))
def test_of_two_messages_under_way_only_the_one_that_was_sent_is_in_doubt(
    tmp_path: Path, loop: str, act: Act
) -> None:
    source = FakeSource(make_messages(A, B, C))
    server = ScriptedServer(time_out_on_silence(source, answering((".", A, act))))
    converse(server, source, tmp_path, loop)
    source.check()
    assert source.verdicts == [Verdict.in_doubt, Verdict.give_back]
    # The server has not been asked about the second reader.
    assert not source.outcomes[1].is_attempt
    assert server.recipients == [A]


@pytest.mark.parametrize("verdict", ["451 4.3.0 Later", "554 5.7.1 Spam", "421 4.3.2 Shutting down"])
def test_a_message_refused_after_its_final_dot_is_not_sent(tmp_path: Path, verdict: str) -> None:
    server = ScriptedServer(answering((".", A, verdict)))
    source = FakeSource(make_messages(A, B))
    converse(server, source, tmp_path)
    source.check()
    assert A not in source.recipients(Verdict.sent) + source.recipients(Verdict.in_doubt)
    assert source.recipients(Verdict.sent) == server.recipients
    # Whether the second one goes out now or comes back, nothing has been held against it.
    assert source.outcomes[1].verdict is Verdict.sent or not source.outcomes[1].is_attempt


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [("552 5.3.4 Too big", Verdict.stop), ("250 2.0.0 Why not", Verdict.give_back), ("?", Verdict.give_back)],
)
def test_a_reply_in_the_middle_of_a_long_message_closes_the_connection(
    tmp_path: Path, loop: str, answer: str, verdict: Verdict
) -> None:
    source = FakeSource([make_message(A, LONG), make_message(B)])

    async def work() -> None:
        async with ScriptedServer() as server:

            def answer_early(verb: str, argument: str) -> str | Act | None:
                if verb != "BODY":
                    return None
                server.conversations[0].transport.write(f"{answer}\r\n".encode())
                server.conversations[0].transport.pause_reading()
                return Act.hang

            server.script = answer_early
            await run_connection(server.client(tmp_path), source)

    run(work(), loop)
    source.check()
    assert source.verdicts == [verdict, Verdict.give_back]
    assert not source.outcomes[1].is_attempt
    # Immediately, and not after a timeout.
    assert "timed out" not in source.outcomes[1].text


def test_an_unsolicited_421_closes_an_idle_connection(tmp_path: Path) -> None:
    source = FakeSource(stays_open=True)

    async def work() -> None:
        async with ScriptedServer() as server:
            await server.client(tmp_path).connect(source)
            server.conversations[0].transport.write(b"421 4.4.2 Idle for too long\r\n")
            await await_condition(lambda: bool(source.closings))

    run(work())
    (ending,) = source.closings
    assert ending is not None
    assert (ending.verdict, "4.4.2 Idle for too long" in ending.text) == (Verdict.give_back, True)


@pytest.mark.parametrize("may_send", [True, False])
def test_permission_given_after_the_connection_was_lost_sends_nothing(
    tmp_path: Path, loop: str, may_send: bool
) -> None:
    source = FakeSource(make_messages(A, B), Answer.never)
    server = ScriptedServer()

    async def work() -> None:
        async with server:
            connection = await server.client(tmp_path).connect(source)
            connection.wake()
            await await_condition(lambda: bool(source.held))
            server.conversations[0].transport.abort()
            await await_condition(lambda: bool(source.closings))
            assert source.reported == []
            source.release(may_send)
            await run_pending()

    run(work(), loop)
    source.check()
    assert source.verdicts == ([Verdict.give_back] if may_send else [])
    assert (len(source.closings), server.recipients) == (1, [])
    assert [message.recipient for message in source.messages] == [B]


def test_closing_sends_no_message_whose_envelope_was_only_offered(tmp_path: Path, loop: str) -> None:
    def close_soon(message: OutgoingMessage) -> Answer:
        # After permission was given, and before the server can have answered.
        running = asyncio.get_running_loop()
        assert source.connection is not None
        running.call_soon(running.call_soon, source.connection.close)
        return Answer.yes

    source = FakeSource(make_messages(A, B), close_soon)
    server = ScriptedServer()

    async def work() -> None:
        async with server:
            await run_connection(server.client(tmp_path), source)

    run(work(), loop)
    source.check()
    assert source.verdicts == [Verdict.sent, Verdict.give_back]
    assert (server.recipients, source.closings) == ([A], [None])


def test_long_messages_arrive_whole_and_in_order(tmp_path: Path, loop: str) -> None:
    server = ScriptedServer()
    source = FakeSource([make_message(A, LONG), make_message(B, LONG), make_message(C)])
    converse(server, source, tmp_path, loop)
    assert source.verdicts == 3 * [Verdict.sent]
    assert [mail.content for mail in server.kept] == [LONG, LONG, MESSAGE]


@pytest.mark.parametrize("act", [Act.close, Act.abort, Act.hang])
def test_a_long_message_cut_short_is_given_back(tmp_path: Path, loop: str, act: Act) -> None:
    source = FakeSource([make_message(A, LONG), make_message(B)])

    async def work() -> None:
        async with ScriptedServer() as server:
            connection = await server.client(tmp_path).connect(source)

            def stop_reading(verb: str, argument: str) -> str | Act | None:
                if verb != "BODY":
                    return None
                if act is Act.hang:
                    server.conversations[0].transport.pause_reading()
                return act

            server.script = stop_reading
            connection.wake()
            await await_condition(lambda: bool(source.requested))
            for _ in range(50):
                await asyncio.sleep(0.001)
            if act is Act.hang:
                connection.check_timeout(asyncio.get_running_loop().time() + 6)
            await await_condition(lambda: bool(source.closings))
            assert server.kept == []

    run(work(), loop)
    source.check()
    assert source.verdicts[0] is Verdict.give_back
    assert source.outcomes[0].stage is Reached.body


def test_none_of_500_messages_on_one_connection_is_lost(tmp_path: Path, loop: str) -> None:
    addresses = [f"r{number}@example.org" for number in range(500)]
    server = ScriptedServer()
    source = FakeSource(make_messages(*addresses))
    converse(server, source, tmp_path, loop, messages_per_connection=1_000)
    assert source.recipients(Verdict.sent) == server.acknowledged == addresses


# Replies cut into pieces


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(piece=st.integers(1, 40), loop=st.sampled_from(sorted(LOOPS)), pipelines=st.booleans())
def test_replies_may_come_in_pieces(tmp_path: Path, piece: int, loop: str, pipelines: bool) -> None:
    script = answering(
        ("RCPT", B, "550-5.1.1 Unknown\r\n550-5.1.1 to all of\r\n550 5.1.1 us"),
        ("RCPT", C, "250-2.1.5 One\r\n250-\r\n250"),
        (".", A, "250-2.0.0 Kept\r\n250 2.0.0 as 4F2"),
    )
    server = ScriptedServer(script, piece=piece)
    source = FakeSource(make_messages(A, B, C))
    converse(server, source, tmp_path, loop, pipelining=pipelines)
    sent, rejected, _ = source.outcomes
    assert source.verdicts == [Verdict.sent, Verdict.rejected, Verdict.sent]
    assert sent.text == "2.0.0 Kept 2.0.0 as 4F2"
    assert rejected.text == "5.1.1 Unknown 5.1.1 to all of 5.1.1 us"
    assert server.acknowledged == [A, C]


def test_an_endless_reply_closes_the_connection(tmp_path: Path) -> None:
    server = ScriptedServer(answering((".", "", "250 " + 9_000 * "x" + "\n" + 9_000 * "x")))
    source = FakeSource(make_messages(A))
    converse(server, source, tmp_path)
    source.check()
    assert len(source.closings) == 1
    assert source.verdicts[0] in {Verdict.sent, Verdict.in_doubt}


# A server that misbehaves at random points

SAID = [
    Act.close,
    Act.abort,
    Act.hang,
    "421 4.3.2 Shutting down",
    "451 4.3.0 Later",
    "452 4.4.5 Too many messages in this session",
    "550 5.1.1 No",
    "554 5.7.1 No",
    "530 5.7.0 Log in",
    "no reply at all",
    "250-2.0.0 in\r\n250 2.0.0 lines",
    None,
]
VERBS = ["RSET", "MAIL", "RCPT", "DATA", "BODY", "."]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    loop=st.sampled_from(sorted(LOOPS)),
    faults=st.dictionaries(st.integers(0, 40), st.sampled_from(SAID), max_size=6),
    extensions=st.sampled_from([EXTENSIONS, ()]),
    takes_data=st.booleans(),
    piece=st.sampled_from([None, None, 5]),
    seed=st.integers(0, 2**16),
)
def test_whatever_the_server_does_every_message_has_exactly_one_correct_outcome(
    tmp_path: Path,
    loop: str,
    faults: dict[int, str | Act | None],
    extensions: tuple[str, ...],
    takes_data: bool,
    piece: int | None,
    seed: int,
) -> None:
    random_ = random.Random(seed)
    steps = iter(range(10_000))
    answers = [Answer.yes, Answer.yes, Answer.yes, Answer.late, Answer.no]
    addresses = [f"r{number}@example.org" for number in range(10)]
    source = FakeSource(make_messages(*addresses), lambda _: random_.choice(answers))

    def script(verb: str, argument: str) -> str | Act | None:
        if verb not in VERBS:
            return None
        said = faults.get(next(steps))
        if verb == "BODY" and not isinstance(said, Act):
            return None
        return said

    server = ScriptedServer(time_out_on_silence(source, script), extensions, takes_data, piece)

    async def work() -> None:
        async with server:
            transport = server.client(tmp_path, messages_per_connection=4)
            while source.messages:
                source.closings.clear()
                await run_connection(transport, source)
                source.clock_offset = 0
                if random_.random() < 0.1:
                    await abort_soon(transport)

    async def abort_soon(transport: SmtpTransport) -> None:
        connection = await transport.connect(source)
        source.closings.clear()
        connection.wake()
        for _ in range(random_.randrange(8)):
            await asyncio.sleep(0)
        connection.abort()
        await asyncio.sleep(0.01)

    run(work(), loop)
    source.check()
    sent, doubted = source.recipients(Verdict.sent), source.recipients(Verdict.in_doubt)
    unacknowledged = set(server.recipients) - set(server.acknowledged)
    assert len(server.recipients) == len(set(server.recipients))
    assert set(sent) <= set(server.acknowledged)
    # An acknowledgement that did not reach us leaves a doubt, no more.
    assert set(server.acknowledged) - set(sent) <= set(doubted)
    assert unacknowledged <= set(doubted)
    assert {message.recipient for message in source.refused}.isdisjoint(server.recipients)
