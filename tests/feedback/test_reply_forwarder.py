"""People's replies go on to the team, every byte as it came, at least once, and never round in a circle."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection
from sqlmodel import Session, col, func, select

from mailer.cli import mailer
from mailer.database.feedback_models import FeedbackState, QueuedReply
from mailer.errors import ConfigurationError
from mailer.feedback.context import FeedbackContext
from mailer.feedback.intake import receive
from mailer.feedback.reply_forwarder import (
    GIVE_UP_AFTER,
    TRACE_FIELD,
    explain_loop,
    forward_due_replies,
    list_waiting_replies,
    make_forwarded_message,
)
from mailer.feedback.worker import run_feedback_worker
from tests.factories.feedback import read_messages
from tests.servers.process import wait_until
from tests.servers.scripted_smtp import Act, ScriptedServer, answering, usual

REPLY = (
    b"DKIM-Signature: v=1; d=example.org; h=from:subject; b=abc\r\nFrom: Mei <mei@example.org>\r\n"
    b"Message-ID: <482@example.org>\r\nSubject: Re: News\r\n\r\nThank you! \xff\r\n.\r\n"
)


def at(moment: datetime) -> Callable[[Connection], datetime]:
    return lambda _: moment


def lead_to(context: FeedbackContext, url: str, reply_to: str = "team@example.com") -> FeedbackContext:
    settings = context.workspace.settings
    changed = settings.model_copy(
        update={
            "smtp": settings.smtp.model_copy(update={"url": url}),
            "sender": settings.sender.model_copy(update={"reply_to": reply_to}),
        }
    )
    return replace(context, workspace=replace(context.workspace, settings=changed))


def count_queued(context: FeedbackContext) -> int:
    with Session(context.engine) as session:
        return session.exec(select(func.count(col(QueuedReply.message_id)))).one()


def run_list(context: FeedbackContext, *options: str) -> str:
    environ = {"MAILER_DATABASE__URL": context.workspace.settings.database.url}
    command = ["-C", str(context.workspace.root), "feedback", "list", *options]
    result = CliRunner(env=environ).invoke(mailer, command)
    assert result.exit_code == 0, result.output
    return result.stdout if "--json" in options else result.output


def test_a_reply_goes_on_with_every_byte_and_a_trace_before_it(
    context: FeedbackContext, now: datetime
) -> None:
    with ScriptedServer() as server:
        context = lead_to(context, server.url)
        assert receive(context, REPLY, source="imap", now=now).state is FeedbackState.forwarding
        assert forward_due_replies(context, clock=at(now)) == 1
        assert forward_due_replies(context, clock=at(now + timedelta(days=1))) == 0
        (mail,) = server.kept
    sender = context.workspace.settings.sender
    assert (mail.sender, mail.recipient) == (sender.bounces_to or sender.address, "team@example.com")
    trace, before, after = mail.content.partition(b"DKIM-Signature")
    assert before + after == REPLY
    lines = trace.decode().replace("\r\n\t", " ").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Received", TRACE_FIELD]
    (message,) = read_messages(context.engine)
    assert (message.state, message.raw, count_queued(context)) == (FeedbackState.forwarded, None, 0)


def test_a_reply_that_cannot_go_on_is_named_and_tried_until_it_can(
    context: FeedbackContext, now: datetime
) -> None:
    script = answering(("RCPT", "", "550 5.1.1 no such user"))
    with ScriptedServer(script=script) as server:
        context = lead_to(context, server.url)
        receive(context, REPLY, source="imap", now=now)
        assert forward_due_replies(context, clock=at(now)) == 0
        # The team mends the address, or the relay comes back; meanwhile each wait is longer.
        assert forward_due_replies(context, clock=at(now + timedelta(seconds=30))) == 0
        with Session(context.engine) as session:
            (waiting,) = list_waiting_replies(session)
        assert (waiting.sender, waiting.subject, waiting.attempts) == ("mei@example.org", "Re: News", 1)
        assert "no such user" in waiting.reason
        assert waiting.next_at == now + timedelta(minutes=1)
        shown = run_list(context)
        assert "A reply of mei@example.org (Re: News) has not gone on after 1 attempt: 550" in shown
        assert json.loads(run_list(context, "--json"))["waiting_replies"][0]["attempts"] == 1
        server.script = usual
        assert forward_due_replies(context, clock=at(now + timedelta(minutes=1))) == 1
        with Session(context.engine) as session:
            assert list_waiting_replies(session) == []


def test_what_the_relay_may_not_have_taken_is_sent_again_with_the_same_bytes(
    context: FeedbackContext, now: datetime
) -> None:
    with ScriptedServer(script=answering((".", "", Act.abort))) as server:
        context = lead_to(context, server.url)
        receive(context, REPLY, source="imap", now=now)
        forward_due_replies(context, clock=at(now))
        server.script = usual
        assert forward_due_replies(context, clock=at(now + timedelta(minutes=1))) == 1
        assert len(server.mails) == 2
        assert len({mail.content for mail in server.mails}) == 1


def test_after_days_a_reply_waits_whole_for_a_person(context: FeedbackContext, now: datetime) -> None:
    context = lead_to(context, "smtp://127.0.0.1:1")
    receive(context, REPLY, source="imap", now=now)
    forward_due_replies(context, clock=at(now))
    forward_due_replies(context, clock=at(now + GIVE_UP_AFTER + timedelta(minutes=1)))
    (message,) = read_messages(context.engine)
    assert (message.state, message.raw, count_queued(context)) == (FeedbackState.held, REPLY, 0)
    assert "could not go on" in message.note


def test_a_sender_that_died_blocks_nothing(context: FeedbackContext, now: datetime) -> None:
    with ScriptedServer() as server:
        context = lead_to(context, server.url)
        receive(context, REPLY, source="imap", now=now)
        with Session(context.engine) as session:
            queued = session.exec(select(QueuedReply)).one()
            queued.attempts, queued.not_before = 1, now + timedelta(minutes=30)
            session.add(queued)
            session.commit()
        assert forward_due_replies(context, clock=at(now)) == 0
        assert forward_due_replies(context, clock=at(now + timedelta(minutes=31))) == 1


def test_a_reply_that_comes_back_goes_to_a_person_not_on(context: FeedbackContext, now: datetime) -> None:
    with ScriptedServer() as server:
        context = lead_to(context, server.url)
        settings = context.workspace.settings
        again = make_forwarded_message(REPLY, number=1, received_at=now, settings=settings)
        receive(context, b"Received: from relay.example.net\r\n" + again, source="imap", now=now)
        assert forward_due_replies(context, clock=at(now)) == 0
        assert server.mails == []
    (message,) = read_messages(context.engine)
    assert message.state is FeedbackState.held
    assert "came back" in message.note
    assert message.raw is not None


@pytest.mark.parametrize(
    "head",
    [
        b"From: Bounces <bounce@news.example.org>\r\n",
        b"From: bounce+00ff@News.Example.org\r\n",
        b"From: x@example.org\r\n" + b"Received: by mx.example.org\r\n" * 60,
    ],
)
def test_mail_of_our_own_addresses_and_of_many_servers_goes_nowhere(
    context: FeedbackContext, head: bytes
) -> None:
    assert explain_loop(head + b"\r\nHello\r\n", context.workspace.settings)
    assert not explain_loop(REPLY, context.workspace.settings)


def test_only_line_ends_and_the_line_of_an_mbox_file_differ(context: FeedbackContext, now: datetime) -> None:
    settings = context.workspace.settings

    def forward(raw: bytes) -> bytes:
        made = make_forwarded_message(raw, number=7, received_at=now, settings=settings)
        return made.partition(TRACE_FIELD.encode())[2].partition(b"\r\n")[2]

    assert forward(REPLY) == REPLY
    assert forward(REPLY.replace(b"\r\n", b"\n")) == REPLY
    assert forward(REPLY.replace(b"\r\n", b"\r")) == REPLY
    assert forward(b"From mei@example.org Sun Mar  1 09:00:00 2026\n" + REPLY) == REPLY
    assert forward(b"From: x\r\n\r\nno end") == b"From: x\r\n\r\nno end\r\n"


def test_a_setting_that_cannot_be_used_is_told_and_nothing_is_lost(
    context: FeedbackContext, now: datetime
) -> None:
    context = lead_to(context, "smtp://127.0.0.1:1", reply_to="not an address")
    receive(context, REPLY, source="imap", now=now)
    with pytest.raises(ConfigurationError, match="not an address"):
        forward_due_replies(context, clock=at(now))
    with Session(context.engine) as session:
        (waiting,) = list_waiting_replies(session)
    assert "not an address" in waiting.reason


def test_the_worker_sends_replies_on_whatever_brings_them(context: FeedbackContext, now: datetime) -> None:
    stop = threading.Event()
    with ScriptedServer() as server:
        context = lead_to(context, server.url)
        receive(context, REPLY, source="pipe", now=now)
        worker = threading.Thread(
            target=run_feedback_worker, args=(context.workspace,), kwargs={"stop": stop, "report": print}
        )
        worker.start()
        try:
            wait_until(lambda: count_queued(context) == 0, what="the reply")
        finally:
            stop.set()
            worker.join()
        assert len(server.kept) == 1
