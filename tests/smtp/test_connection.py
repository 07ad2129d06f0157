"""The SMTP line: what it writes and when, and that it always knows what may have arrived."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.dispatch.relay_settings import make_smtp_options
from mailer.settings import SmtpSettings
from mailer.smtp.interfaces import OutgoingMessage
from mailer.smtp.reply_classifier import Stage as Reached
from mailer.smtp.reply_classifier import Verdict
from mailer.smtp.transport import SmtpTransport
from tests.servers.misbehaving_smtp import DROP, HANG, MisbehavingServer, Stage
from tests.servers.scripted_smtp import EXTENSIONS, Act, Script, ScriptedServer, answering
from tests.servers.smtp_sink import smtp_sink
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

A, B, C = "a@example.org", "b@example.org", "c@example.org"
LONG = MESSAGE + 20_000 * (1_000 * b"x" + b"\r\n")
ENVELOPE = "MAIL FROM:<news@example.org> SIZE=139"


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


def open_to(url: str, root: Path, **values: object) -> SmtpTransport:
    settings = SmtpSettings.model_validate({"url": url, "timeout": 5, "final_timeout": 5, **values})
    return SmtpTransport(make_smtp_options(settings, root))


def converse(
    server: ScriptedServer, courier: FakeSource, root: Path, loop: str = "asyncio", **values: object
) -> None:
    """One line between ``server`` and ``courier``, to its end."""

    async def work() -> None:
        async with server:
            await run_connection(server.client(root, **values), courier)

    run(work(), loop)


def be_late(courier: FakeSource, script: Script) -> Script:
    """``script``, with the courier's line told that an hour has passed as soon as the server falls silent."""

    def late(verb: str, argument: str) -> str | Act | None:
        said = script(verb, argument)
        if said is Act.hang:
            courier.ahead = 3_600
        return said

    return late


# A line that is lost, on a server that takes one command at a time


@pytest.mark.parametrize("stage", [Stage.mail, Stage.rcpt, Stage.data])
@pytest.mark.parametrize("answer", [DROP, HANG, "421 4.3.2 Shutting down"])
def test_a_line_lost_before_the_message_gives_the_reader_back(
    server: MisbehavingServer, tmp_path: Path, loop: str, stage: Stage, answer: str
) -> None:
    server.answer(stage, answer)
    courier = FakeSource([make_message()])
    send(open_to(server.url, tmp_path, timeout=0.3), courier, loop=loop)
    courier.check()
    (outcome,) = courier.outcomes
    assert (outcome.verdict, outcome.stage.value) == (Verdict.give_back, stage.value.lower())
    assert (courier.requested, server.received) == ([], [])
    assert [ending is not None and ending.reconnect for ending in courier.closings] == [True]


@pytest.mark.parametrize("answer", [DROP, HANG])
def test_a_line_lost_after_the_final_dot_leaves_the_message_in_doubt(
    server: MisbehavingServer, tmp_path: Path, loop: str, answer: str
) -> None:
    server.answer(Stage.dot, answer)
    courier = FakeSource([make_message()])
    send(open_to(server.url, tmp_path, final_timeout=0.3), courier, loop=loop)
    courier.check()
    (outcome,) = courier.outcomes
    assert (outcome.verdict, outcome.stage) == (Verdict.in_doubt, Reached.dot)
    assert (len(courier.closings), len(server.received)) == (1, 1)


def test_a_line_lost_in_the_middle_of_the_message_gives_the_reader_back(
    server: MisbehavingServer, tmp_path: Path, loop: str
) -> None:
    # More than the kernel's buffers hold, so that its end has never left us.
    server.answer(Stage.body, DROP)
    courier = FakeSource([make_message(message=LONG)])
    send(open_to(server.url, tmp_path), courier, loop=loop)
    courier.check()
    (outcome,) = courier.outcomes
    assert (outcome.verdict, outcome.stage) == (Verdict.give_back, Reached.body)
    assert (len(courier.requested), len(courier.closings), server.received) == (1, 1, [])


def test_a_short_message_may_have_arrived_whenever_the_line_is_lost(
    server: MisbehavingServer, tmp_path: Path, loop: str
) -> None:
    server.answer(Stage.body, DROP)
    (outcome,) = deliver(open_to(server.url, tmp_path), [make_message()], loop=loop)
    assert (outcome.verdict, outcome.stage) == (Verdict.in_doubt, Reached.dot)


def test_421_after_the_final_dot_is_not_accepted(server: MisbehavingServer, tmp_path: Path) -> None:
    server.answer(Stage.dot, "421 4.3.2 Shutting down")
    courier = FakeSource([make_message()])
    send(open_to(server.url, tmp_path), courier)
    assert courier.verdicts == [Verdict.deferred]
    assert courier.closings == courier.outcomes


def test_a_refused_reader_leaves_the_connection_to_the_next(
    server: MisbehavingServer, tmp_path: Path, loop: str
) -> None:
    server.answer(Stage.rcpt, "550 5.1.1 No such user", only="gone")
    courier = FakeSource(make_messages("gone@example.org", "here@example.org"))
    send(open_to(server.url, tmp_path), courier, loop=loop)
    refused, sent = courier.outcomes
    assert (refused.verdict, refused.code, refused.text) == (Verdict.rejected, 550, "5.1.1 No such user")
    assert sent.verdict is Verdict.sent
    assert [parcel.recipient for parcel in courier.requested] == ["here@example.org"]
    assert (server.connections, server.recipients) == (1, ["here@example.org"])


def test_a_line_that_waits_for_a_message_is_not_used_for_another(
    server: MisbehavingServer, tmp_path: Path, loop: str
) -> None:
    # The server waits for the first one's message; whatever came next would be taken for it.
    courier = FakeSource(make_messages(A, B), Answer.no)
    send(open_to(server.url, tmp_path), courier, loop=loop)
    assert [parcel.recipient for parcel in courier.refused] == [A]
    assert ([parcel.recipient for parcel in courier.messages], courier.closings) == ([B], [None])
    assert server.received == []


# Time


def test_the_final_dot_has_patience_of_its_own(tmp_path: Path) -> None:
    # A slow relay answers the dot late; taking the ordinary time-out for it would make duplicates.
    server = ScriptedServer(answering((".", "", Act.hang)))
    courier = FakeSource([make_message()])

    async def work() -> None:
        async with server:
            line = await server.client(tmp_path, timeout=20, final_timeout=600).connect(courier)
            line.wake()
            await await_that(lambda: bool(server.kept))
            now = asyncio.get_running_loop().time()
            line.check_timeout(now + 590)
            assert courier.reported == []
            line.check_timeout(now + 601)

    run(work())
    courier.check()
    assert courier.verdicts == [Verdict.in_doubt]
    assert courier.outcomes[0].text == "connection lost at dot: timed out"


def test_a_slow_relay_is_waited_for(tmp_path: Path, loop: str) -> None:
    with smtp_sink("-W", ".:1") as sink:
        transport = open_to(sink.url, tmp_path, timeout=0.5, final_timeout=20)
        (outcome,) = deliver(transport, [make_message()], loop=loop)
        assert outcome.verdict is Verdict.sent


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
def test_an_envelope_has_the_ordinary_patience(
    tmp_path: Path, verb: str, extensions: tuple[str, ...]
) -> None:
    server = ScriptedServer(answering((verb, "", Act.hang)), extensions)
    courier = FakeSource([make_message()])

    async def work() -> None:
        async with server:
            line = await server.client(tmp_path, timeout=100, final_timeout=900).connect(courier)
            line.wake()
            await await_that(lambda: any(heard.startswith(verb) for heard in server.lines))
            now = asyncio.get_running_loop().time()
            line.check_timeout(now + 90)
            assert courier.reported == []
            line.check_timeout(now + 101)

    run(work())
    assert courier.verdicts == [Verdict.give_back]
    assert courier.outcomes[0].stage.value == verb.lower()


def test_no_patience_runs_out_while_the_ledger_is_asked(tmp_path: Path) -> None:
    server = ScriptedServer()
    courier = FakeSource([make_message()], Answer.never)

    async def work() -> None:
        async with server:
            line = await server.client(tmp_path).connect(courier)
            line.wake()
            await await_that(lambda: bool(courier.held))
            # Not even the connection's: the server waits for a message, and would take QUIT for one.
            line.check_timeout(asyncio.get_running_loop().time() + 1e6)
            assert courier.closings == []
            courier.release()
            await await_that(lambda: bool(courier.reported))
            line.close()

    run(work())
    assert courier.verdicts == [Verdict.sent]
    assert server.kept[0].content == MESSAGE


def test_the_lone_dot_after_a_refusal_is_not_waited_for_without_end(tmp_path: Path) -> None:
    courier = FakeSource([make_message(A)])
    script = be_late(courier, answering(("RCPT", "", "550 5.1.1 Unknown"), ("BODY", "", Act.hang)))
    converse(ScriptedServer(script, takes_data=True), courier, tmp_path)
    courier.check()
    assert (courier.verdicts, len(courier.closings)) == ([Verdict.rejected], 1)


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
def test_a_connection_is_renewed_after_its_share_of_messages(
    tmp_path: Path, extensions: tuple[str, ...]
) -> None:
    server = ScriptedServer(extensions=extensions)
    courier = FakeSource(make_messages(A, B, C))
    converse(server, courier, tmp_path, messages_per_connection=2)
    courier.check()
    assert (server.recipients, courier.closings) == ([A, B], [None])
    assert [parcel.recipient for parcel in courier.messages] == [C]
    assert server.lines[-1] == "QUIT"


def test_an_idle_connection_is_renewed_after_its_time(tmp_path: Path) -> None:
    server = ScriptedServer()
    courier = FakeSource(stays=True)

    async def work() -> None:
        async with server:
            line = await server.client(tmp_path, connection_minutes=5).connect(courier)
            now = asyncio.get_running_loop().time()
            line.check_timeout(now + 299)
            assert courier.closings == []
            line.check_timeout(now + 301)
            await await_that(lambda: bool(courier.closings) and server.lines[-1] == "QUIT")

    run(work())


def test_a_busy_connection_is_renewed_after_its_time_with_nothing_in_hand(tmp_path: Path) -> None:
    courier = FakeSource(make_messages(*(f"r{n}@example.org" for n in range(100_000))))

    async def work() -> None:
        async with ScriptedServer() as server:
            await run_connection(server.client(tmp_path, connection_minutes=0.002), courier)
            assert server.lines[-1] == "QUIT"

    run(work())
    courier.check()
    assert courier.closings == [None]
    assert courier.messages
    assert set(courier.verdicts) == {Verdict.sent}


# What is written


@pytest.mark.parametrize(
    "address", ["a@b\r\nRCPT TO:<x@y>", "a b@example.org", "<a@example.org>", "a@\0b", "a\x85@b", "a\u2028@b"]
)
def test_no_address_can_smuggle_a_command(tmp_path: Path, address: str) -> None:
    server = ScriptedServer()
    courier = FakeSource(make_messages(address, B))
    converse(server, courier, tmp_path)
    first, second = courier.outcomes
    assert (first.verdict, second.verdict) == (Verdict.failed, Verdict.sent)
    assert "an SMTP command cannot carry" in first.text
    assert server.lines[1:] == [ENVELOPE, f"RCPT TO:<{B}>", "DATA", "…", "QUIT"]


def test_smtputf8_is_used_when_needed_and_only_then(server: MisbehavingServer, tmp_path: Path) -> None:
    outcomes = deliver(open_to(server.url, tmp_path), make_messages("дорж@example.org", "dorj@example.org"))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.sent, Verdict.sent]
    first, second = server.received
    assert first.recipient == "дорж@example.org"
    assert "SMTPUTF8" in first.mail_options
    assert "SMTPUTF8" not in second.mail_options


def test_the_size_is_declared(server: MisbehavingServer, tmp_path: Path) -> None:
    parcel = make_message()
    deliver(open_to(server.url, tmp_path), [parcel])
    assert f"SIZE={len(parcel.payload)}" in server.received[0].mail_options


def test_no_size_is_declared_to_a_server_that_does_not_ask(tmp_path: Path) -> None:
    server = ScriptedServer(extensions=())
    converse(server, FakeSource([make_message()]), tmp_path)
    assert "MAIL FROM:<news@example.org>" in server.lines


def test_8bitmime_is_used_when_needed_and_only_then(server: MisbehavingServer, tmp_path: Path) -> None:
    body = "Subject: x\r\n\r\nБайна уу\r\n".encode()
    deliver(open_to(server.url, tmp_path), [make_message(message=body), make_message()])
    first, second = server.received
    assert "BODY=8BITMIME" in first.mail_options
    assert "BODY=8BITMIME" not in second.mail_options
    assert first.content == body


def test_a_reader_who_needs_smtputf8_fails_alone_on_a_server_without_it(tmp_path: Path) -> None:
    with MisbehavingServer(options={"enable_SMTPUTF8": False}) as server:
        first, second = deliver(open_to(server.url, tmp_path), make_messages("дорж@example.org", B))
    assert (first.verdict, second.verdict) == (Verdict.failed, Verdict.sent)
    assert "SMTPUTF8" in first.text


def test_8bit_text_fails_on_a_server_without_8bitmime(tmp_path: Path) -> None:
    with smtp_sink("-8") as sink:
        (outcome,) = deliver(open_to(sink.url, tmp_path), [make_message(message="é\r\n".encode())])
    assert outcome.verdict is Verdict.failed
    assert "8BITMIME" in outcome.text


# Sending ahead


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
def test_one_command_at_a_time_where_the_server_or_the_settings_want_it(
    tmp_path: Path, loop: str, extensions: tuple[str, ...], values: dict[str, object]
) -> None:
    server = ScriptedServer(answering(("RCPT", B, "550 5.1.1 Unknown")), extensions)
    courier = FakeSource(make_messages(A, B, C))
    converse(server, courier, tmp_path, loop, **values)
    assert courier.verdicts == [Verdict.sent, Verdict.rejected, Verdict.sent]
    verbs = [chunk.split()[0] for chunk in server.chunks[0]]
    assert b" ".join(verbs) == (b"EHLO MAIL RCPT DATA From: MAIL RCPT RSET MAIL RCPT DATA From: QUIT")
    for chunk in server.chunks[0]:
        assert chunk.count(b"\r\n") == 1 or chunk == make_message().payload + b".\r\n"


def test_a_message_that_comes_while_another_is_read_is_offered_at_once(tmp_path: Path) -> None:
    server = ScriptedServer(answering((".", A, Act.hang)))
    courier = FakeSource(make_messages(A), stays=True)

    async def work() -> None:
        async with server:
            line = await server.client(tmp_path).connect(courier)
            line.wake()
            await await_that(lambda: bool(server.kept))
            courier.messages.append(make_message(B))
            line.wake()
            await await_that(lambda: len(server.chunks[0]) == 4)
            line.abort()

    run(work())
    assert server.chunks[0][-1] == f"{ENVELOPE}\r\nRCPT TO:<{B}>\r\nDATA\r\n".encode()
    assert courier.verdicts == [Verdict.in_doubt, Verdict.give_back]


def test_an_envelope_never_comes_into_a_message_that_is_still_on_its_way(tmp_path: Path, loop: str) -> None:
    courier = FakeSource([make_message(A, LONG)], stays=True)

    async def work() -> None:
        async with ScriptedServer() as server:
            line = await server.client(tmp_path).connect(courier)
            line.wake()
            # Woken at every turn while the long message is written, and with something to take.
            await await_that(lambda: bool(courier.requested))
            courier.messages.append(make_message(B))
            while len(courier.reported) < 2:
                line.wake()
                await asyncio.sleep(0)
            line.close()
            await settle_down()
            assert [mail.content for mail in server.kept] == [LONG, MESSAGE]

    run(work(), loop)
    assert courier.verdicts == [Verdict.sent, Verdict.sent]


def test_a_refused_reader_among_others_costs_one_reset_and_no_connection(tmp_path: Path, loop: str) -> None:
    server = ScriptedServer(answering(("RCPT", B, "550 5.1.1 Unknown")))
    courier = FakeSource(make_messages(A, B, C))
    converse(server, courier, tmp_path, loop)
    assert courier.verdicts == [Verdict.sent, Verdict.rejected, Verdict.sent]
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


def test_many_refused_readers_in_a_row_leave_the_line_in_step(tmp_path: Path, loop: str) -> None:
    gone = [f"gone{number}@example.org" for number in range(7)]
    server = ScriptedServer(answering(("RCPT", "gone", "550 5.1.1 Unknown")))
    courier = FakeSource(make_messages(*gone, A, *gone, B))
    converse(server, courier, tmp_path, loop)
    assert courier.recipients(Verdict.sent) == server.acknowledged == [A, B]
    assert courier.recipients(Verdict.rejected) == [*gone, *gone]
    assert len(server.chunks) == 1


def test_a_refused_sender_stops_and_the_line_stays_in_step(tmp_path: Path) -> None:
    server = ScriptedServer(answering(("MAIL", "", "550 5.7.1 Not you")))
    courier = FakeSource(make_messages(A, B))
    converse(server, courier, tmp_path)
    assert courier.verdicts == [Verdict.stop, Verdict.stop]
    assert {outcome.stage for outcome in courier.outcomes} == {Reached.mail}
    assert server.kept == []


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
def test_a_reset_that_is_refused_is_no_word_about_the_sender(
    tmp_path: Path, extensions: tuple[str, ...]
) -> None:
    server = ScriptedServer(
        answering(("RCPT", A, "550 5.1.1 Unknown"), ("RSET", "", "502 5.5.1 No such command")), extensions
    )
    courier = FakeSource(make_messages(A, B, C))
    converse(server, courier, tmp_path)
    courier.check()
    assert courier.verdicts == [Verdict.rejected, Verdict.give_back]
    assert (courier.outcomes[1].stage, server.kept) == (Reached.reset, [])
    assert courier.closings == [courier.outcomes[1]]


def test_a_server_that_wants_a_message_for_nobody_gets_an_empty_one(tmp_path: Path, loop: str) -> None:
    # RFC 2920 §3.1: 354 to DATA is possible although every recipient was refused.
    server = ScriptedServer(answering(("RCPT", B, "550 5.1.1 Unknown")), takes_data=True)
    courier = FakeSource(make_messages(A, B, C))
    converse(server, courier, tmp_path, loop)
    courier.check()
    assert courier.verdicts == [Verdict.sent, Verdict.rejected, Verdict.sent]
    assert [parcel.recipient for parcel in courier.requested] == [A, C]
    assert b".\r\n" in server.chunks[0]
    assert (len(server.chunks), server.recipients) == (1, [A, C])


def test_a_refusal_of_the_sender_alone_never_becomes_an_empty_message(tmp_path: Path, loop: str) -> None:
    # A server that refuses the sender, and then takes the recipient and wants the message.
    def script(verb: str, argument: str) -> str | Act | None:
        server.takes_data = True
        return {"MAIL": "550 5.7.1 Not you", "RCPT": "250 2.1.5 Ok"}.get(verb)

    server = ScriptedServer(script)
    courier = FakeSource(make_messages(A, B))
    converse(server, courier, tmp_path, loop)
    courier.check()
    assert (courier.verdicts, len(courier.closings)) == ([Verdict.stop], 1)
    assert (server.kept, server.lines[-1]) == ([], "DATA")


@pytest.mark.parametrize("said", ["what? who is there", "", "354 Go on"])
def test_a_reply_that_may_have_accepted_the_recipient_never_brings_an_empty_message(
    tmp_path: Path, loop: str, said: str
) -> None:
    # The server accepts the recipient, replies with something else, and wants the message.
    server = ScriptedServer(answering(("RCPT", A, said)), takes_data=True)
    courier = FakeSource(make_messages(A, B))
    converse(server, courier, tmp_path, loop)
    courier.check()
    assert (courier.verdicts[0], len(courier.closings)) == (Verdict.give_back, 1)
    assert (server.kept, server.lines[-1]) == ([], "DATA")


def test_a_server_that_shuts_down_after_a_message_has_taken_it(tmp_path: Path, loop: str) -> None:
    # The next envelope is on its way already when the server says that it shuts down.
    said = iter([None, "421 4.3.2 Shutting down"])
    server = ScriptedServer(lambda verb, _: next(said) if verb == "MAIL" else None)
    courier = FakeSource(make_messages(A, B, C))
    converse(server, courier, tmp_path, loop)
    courier.check()
    assert courier.verdicts == [Verdict.sent, Verdict.give_back]
    assert courier.outcomes[1].stage is Reached.mail
    assert not courier.outcomes[1].is_attempt
    assert (courier.closings, server.acknowledged) == ([courier.outcomes[1]], [A])


@pytest.mark.parametrize("act", list(Act))
def test_of_two_messages_on_their_way_only_the_one_that_was_sent_is_in_doubt(
    tmp_path: Path, loop: str, act: Act
) -> None:
    courier = FakeSource(make_messages(A, B, C))
    server = ScriptedServer(be_late(courier, answering((".", A, act))))
    converse(server, courier, tmp_path, loop)
    courier.check()
    assert courier.verdicts == [Verdict.in_doubt, Verdict.give_back]
    # Nobody has looked at the second reader.
    assert not courier.outcomes[1].is_attempt
    assert server.recipients == [A]


@pytest.mark.parametrize("verdict", ["451 4.3.0 Later", "554 5.7.1 Spam", "421 4.3.2 Shutting down"])
def test_a_message_refused_at_the_end_was_not_taken(tmp_path: Path, verdict: str) -> None:
    server = ScriptedServer(answering((".", A, verdict)))
    courier = FakeSource(make_messages(A, B))
    converse(server, courier, tmp_path)
    courier.check()
    assert A not in courier.recipients(Verdict.sent) + courier.recipients(Verdict.in_doubt)
    assert courier.recipients(Verdict.sent) == server.recipients
    # Whether the second one goes out now or comes back, nothing has been held against it.
    assert courier.outcomes[1].verdict is Verdict.sent or not courier.outcomes[1].is_attempt


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [("552 5.3.4 Too big", Verdict.stop), ("250 2.0.0 Why not", Verdict.give_back), ("?", Verdict.give_back)],
)
def test_an_answer_in_the_middle_of_a_long_message_ends_the_line(
    tmp_path: Path, loop: str, answer: str, verdict: Verdict
) -> None:
    courier = FakeSource([make_message(A, LONG), make_message(B)])

    async def work() -> None:
        async with ScriptedServer() as server:

            def answer_early(verb: str, argument: str) -> str | Act | None:
                if verb != "BODY":
                    return None
                server.conversations[0].transport.write(f"{answer}\r\n".encode())
                server.conversations[0].transport.pause_reading()
                return Act.hang

            server.script = answer_early
            await run_connection(server.client(tmp_path), courier)

    run(work(), loop)
    courier.check()
    assert courier.verdicts == [verdict, Verdict.give_back]
    assert not courier.outcomes[1].is_attempt
    # At once, and not when the patience for the rest has run out.
    assert "timed out" not in courier.outcomes[1].text


def test_a_farewell_nobody_asked_for_ends_an_idle_line(tmp_path: Path) -> None:
    courier = FakeSource(stays=True)

    async def work() -> None:
        async with ScriptedServer() as server:
            await server.client(tmp_path).connect(courier)
            server.conversations[0].transport.write(b"421 4.4.2 Idle for too long\r\n")
            await await_that(lambda: bool(courier.closings))

    run(work())
    (ending,) = courier.closings
    assert ending is not None
    assert (ending.verdict, "4.4.2 Idle for too long" in ending.text) == (Verdict.give_back, True)


@pytest.mark.parametrize("may_send", [True, False])
def test_leave_that_comes_after_the_line_was_lost_sends_nothing(
    tmp_path: Path, loop: str, may_send: bool
) -> None:
    courier = FakeSource(make_messages(A, B), Answer.never)
    server = ScriptedServer()

    async def work() -> None:
        async with server:
            line = await server.client(tmp_path).connect(courier)
            line.wake()
            await await_that(lambda: bool(courier.held))
            server.conversations[0].transport.abort()
            await await_that(lambda: bool(courier.closings))
            assert courier.reported == []
            courier.release(may_send)
            await settle_down()

    run(work(), loop)
    courier.check()
    assert courier.verdicts == ([Verdict.give_back] if may_send else [])
    assert (len(courier.closings), server.recipients) == (1, [])
    assert [parcel.recipient for parcel in courier.messages] == [B]


def test_closing_does_not_begin_what_was_only_offered(tmp_path: Path, loop: str) -> None:
    def close_soon(parcel: OutgoingMessage) -> Answer:
        # After leave was given, and before the server can have answered.
        running = asyncio.get_running_loop()
        assert courier.connection is not None
        running.call_soon(running.call_soon, courier.connection.close)
        return Answer.yes

    courier = FakeSource(make_messages(A, B), close_soon)
    server = ScriptedServer()

    async def work() -> None:
        async with server:
            await run_connection(server.client(tmp_path), courier)

    run(work(), loop)
    courier.check()
    assert courier.verdicts == [Verdict.sent, Verdict.give_back]
    assert (server.recipients, courier.closings) == ([A], [None])


def test_a_long_message_goes_ahead_of_the_next_envelope(tmp_path: Path, loop: str) -> None:
    server = ScriptedServer()
    courier = FakeSource([make_message(A, LONG), make_message(B, LONG), make_message(C)])
    converse(server, courier, tmp_path, loop)
    assert courier.verdicts == 3 * [Verdict.sent]
    assert [mail.content for mail in server.kept] == [LONG, LONG, MESSAGE]


@pytest.mark.parametrize("act", [Act.close, Act.abort, Act.hang])
def test_a_long_message_whose_end_was_held_back_is_given_back(tmp_path: Path, loop: str, act: Act) -> None:
    courier = FakeSource([make_message(A, LONG), make_message(B)])

    async def work() -> None:
        async with ScriptedServer() as server:
            line = await server.client(tmp_path).connect(courier)

            def stop_reading(verb: str, argument: str) -> str | Act | None:
                if verb != "BODY":
                    return None
                if act is Act.hang:
                    server.conversations[0].transport.pause_reading()
                return act

            server.script = stop_reading
            line.wake()
            await await_that(lambda: bool(courier.requested))
            for _ in range(50):
                await asyncio.sleep(0.001)
            if act is Act.hang:
                line.check_timeout(asyncio.get_running_loop().time() + 6)
            await await_that(lambda: bool(courier.closings))
            assert server.kept == []

    run(work(), loop)
    courier.check()
    assert courier.verdicts[0] is Verdict.give_back
    assert courier.outcomes[0].stage is Reached.body


def test_no_number_of_messages_goes_astray(tmp_path: Path, loop: str) -> None:
    addresses = [f"r{number}@example.org" for number in range(500)]
    server = ScriptedServer()
    courier = FakeSource(make_messages(*addresses))
    converse(server, courier, tmp_path, loop, messages_per_connection=1_000)
    assert courier.recipients(Verdict.sent) == server.acknowledged == addresses


# Replies in whatever pieces


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(piece=st.integers(1, 40), loop=st.sampled_from(sorted(LOOPS)), pipelines=st.booleans())
def test_replies_may_come_in_pieces(tmp_path: Path, piece: int, loop: str, pipelines: bool) -> None:
    script = answering(
        ("RCPT", B, "550-5.1.1 Unknown\r\n550-5.1.1 to all of\r\n550 5.1.1 us"),
        ("RCPT", C, "250-2.1.5 One\r\n250-\r\n250"),
        (".", A, "250-2.0.0 Kept\r\n250 2.0.0 as 4F2"),
    )
    server = ScriptedServer(script, piece=piece)
    courier = FakeSource(make_messages(A, B, C))
    converse(server, courier, tmp_path, loop, pipelining=pipelines)
    sent, rejected, _ = courier.outcomes
    assert courier.verdicts == [Verdict.sent, Verdict.rejected, Verdict.sent]
    assert sent.text == "2.0.0 Kept 2.0.0 as 4F2"
    assert rejected.text == "5.1.1 Unknown 5.1.1 to all of 5.1.1 us"
    assert server.acknowledged == [A, C]


def test_a_server_that_talks_without_end_is_left(tmp_path: Path) -> None:
    server = ScriptedServer(answering((".", "", "250 " + 9_000 * "x" + "\n" + 9_000 * "x")))
    courier = FakeSource(make_messages(A))
    converse(server, courier, tmp_path)
    courier.check()
    assert len(courier.closings) == 1
    assert courier.verdicts[0] in {Verdict.sent, Verdict.in_doubt}


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
def test_whatever_the_server_does_every_message_has_one_end_and_the_right_one(
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
    courier = FakeSource(make_messages(*addresses), lambda _: random_.choice(answers))

    def script(verb: str, argument: str) -> str | Act | None:
        if verb not in VERBS:
            return None
        said = faults.get(next(steps))
        if verb == "BODY" and not isinstance(said, Act):
            return None
        return said

    server = ScriptedServer(be_late(courier, script), extensions, takes_data, piece)

    async def work() -> None:
        async with server:
            transport = server.client(tmp_path, messages_per_connection=4)
            while courier.messages:
                courier.closings.clear()
                await run_connection(transport, courier)
                courier.ahead = 0
                if random_.random() < 0.1:
                    await abort_soon(transport)

    async def abort_soon(transport: SmtpTransport) -> None:
        line = await transport.connect(courier)
        courier.closings.clear()
        line.wake()
        for _ in range(random_.randrange(8)):
            await asyncio.sleep(0)
        line.abort()
        await asyncio.sleep(0.01)

    run(work(), loop)
    courier.check()
    sent, doubted = courier.recipients(Verdict.sent), courier.recipients(Verdict.in_doubt)
    unacknowledged = set(server.recipients) - set(server.acknowledged)
    assert len(server.recipients) == len(set(server.recipients))
    assert set(sent) <= set(server.acknowledged)
    # An acknowledgement that did not reach us leaves a doubt, no more.
    assert set(server.acknowledged) - set(sent) <= set(doubted)
    assert unacknowledged <= set(doubted)
    assert {parcel.recipient for parcel in courier.refused}.isdisjoint(server.recipients)
