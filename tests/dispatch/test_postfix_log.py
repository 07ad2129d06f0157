"""The log of a Postfix relay, as evidence: what it proves, and what it does not."""

import gzip
import io
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailer.dispatch.postfix_log import (
    STANDARD_INPUT,
    PostfixLog,
    PostfixLogError,
    RelayStatus,
    read_postfix_log,
)
from tests.factories.postfix_log import NOON, Relay, name

(ONE,) = name(1)

# What Postfix 3.10.13 wrote when clients spoke to it, in the order in which it wrote it: a message taken; one
# cut off after 28,870 bytes; one whose client was gone right after the final dot; and on one connection a
# message taken and one cut off, whose Message-ID cleanup named after the session had ended.
REAL = """\
Nov 24 22:18:48 relay postfix/master[15269]: daemon started -- version 3.10.13, configuration /etc/postfix
Nov 24 22:18:51 relay postfix/smtpd[15316]: warning: dict_nis_init: NIS domain name not set - NIS lookups disabled
Nov 24 22:18:51 relay postfix/smtpd[15316]: connect from localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/smtpd[15316]: 15A36AA8934: client=localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/cleanup[15319]: 15A36AA8934: message-id=<c42.s1.0123456789ab@example.org>
Nov 24 22:18:51 relay postfix/smtpd[15316]: disconnect from localhost[127.0.0.1] helo=1 mail=1 rcpt=1 data=1 quit=1 commands=5
Nov 24 22:18:51 relay postfix/qmgr[15271]: 15A36AA8934: from=<a@example.org>, size=65077, nrcpt=1 (queue active)
Nov 24 22:18:51 relay postfix/smtpd[15316]: connect from localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/smtpd[15316]: 1687EAA8935: client=localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/cleanup[15319]: 1687EAA8935: message-id=<c42.s2.0123456789ab@example.org>
Nov 24 22:18:51 relay postfix/discard[15320]: 15A36AA8934: to=<b@example.org>, relay=none, delay=0.01, delays=0.01/0.01/0/0, dsn=2.0.0, status=sent (example.org)
Nov 24 22:18:51 relay postfix/qmgr[15271]: 15A36AA8934: removed
Nov 24 22:18:51 relay postfix/smtpd[15321]: connect from localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/smtpd[15321]: 19C8FAA8934: client=localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/smtpd[15316]: 1687EAA8935: lost connection after DATA (28870 bytes) from localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/cleanup[15319]: 1687EAA8935: removed (canceled)
Nov 24 22:18:51 relay postfix/smtpd[15316]: disconnect from localhost[127.0.0.1] helo=1 mail=1 rcpt=1 data=0/1 commands=3/4
Nov 24 22:18:51 relay postfix/smtpd[15316]: connect from localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/smtpd[15316]: 1A28FAA8935: client=localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/cleanup[15319]: 1A28FAA8935: message-id=<c42.s4.0123456789ab@example.org>
Nov 24 22:18:51 relay postfix/qmgr[15271]: 1A28FAA8935: from=<a@example.org>, size=997, nrcpt=1 (queue active)
Nov 24 22:18:51 relay postfix/discard[15320]: 1A28FAA8935: to=<b@example.org>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (example.org)
Nov 24 22:18:51 relay postfix/qmgr[15271]: 1A28FAA8935: removed
Nov 24 22:18:51 relay postfix/cleanup[15322]: 19C8FAA8934: message-id=<c42.s3.0123456789ab@example.org>
Nov 24 22:18:51 relay postfix/smtpd[15316]: 1A91CAA8937: client=localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/qmgr[15271]: 19C8FAA8934: from=<a@example.org>, size=29077, nrcpt=1 (queue active)
Nov 24 22:18:51 relay postfix/smtpd[15321]: disconnect from localhost[127.0.0.1] helo=1 mail=1 rcpt=1 data=1 commands=4
Nov 24 22:18:51 relay postfix/discard[15320]: 19C8FAA8934: to=<b@example.org>, relay=none, delay=0.01, delays=0.01/0/0/0, dsn=2.0.0, status=sent (example.org)
Nov 24 22:18:51 relay postfix/qmgr[15271]: 19C8FAA8934: removed
Nov 24 22:18:51 relay postfix/smtpd[15316]: 1A91CAA8937: lost connection after DATA (790 bytes) from localhost[127.0.0.1]
Nov 24 22:18:51 relay postfix/smtpd[15316]: disconnect from localhost[127.0.0.1] helo=1 mail=2 rcpt=2 data=1/2 commands=6/7
Nov 24 22:18:51 relay postfix/cleanup[15319]: 1A91CAA8937: message-id=<c42.s5.0123456789ab@example.org>
Nov 24 22:18:51 relay postfix/cleanup[15319]: 1A91CAA8937: removed (canceled)
"""  # noqa: E501 - as it was written


def read(
    *paths: Path,
    now: datetime = NOON + timedelta(days=1),
    zone: tzinfo = UTC,
    piped: bytes = b"",
) -> PostfixLog:
    return read_postfix_log(paths, lambda _: True, now=now, zone=zone, standard_input=io.BytesIO(piped))


def statuses(log: PostfixLog) -> dict[str, RelayStatus]:
    return {message_id: trace.status for message_id, trace in log.messages.items()}


def test_a_real_postfix_log_is_read_correctly(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_text(REAL)
    log = read(path)
    taken, lost = RelayStatus.delivered, RelayStatus.not_taken
    assert statuses(log) == dict(zip(name(1, 2, 3, 4, 5), (taken, lost, taken, taken, lost), strict=True))
    assert log.messages[ONE].queue_id == "15A36AA8934"
    assert log.covers(
        datetime(2026, 11, 24, 22, 18, 48, tzinfo=UTC), datetime(2026, 11, 24, 22, 18, 51, tzinfo=UTC)
    )


@pytest.mark.parametrize("iso", [False, True])
@pytest.mark.parametrize("queue_id", ["4F7B2100C3", "4bKz9D1mN2z3xQr"])
def test_both_timestamp_formats_and_both_lengths_of_queue_ids_are_read(
    tmp_path: Path, iso: bool, queue_id: str
) -> None:
    relay = Relay(NOON, iso=iso)
    relay.accept(ONE, queue_id=queue_id)
    log = read(relay.save(tmp_path / "mail.log"))
    assert statuses(log) == {ONE: RelayStatus.queued}
    assert log.messages[ONE].queue_id == queue_id
    assert (log.first, log.last) == (NOON, NOON)


def test_a_postfix_instance_with_its_own_syslog_name_is_recognised(tmp_path: Path) -> None:
    relay = Relay(NOON, name="postfix-out/submission")
    relay.accept(ONE)
    assert statuses(read(relay.save(tmp_path / "mail.log"))) == {ONE: RelayStatus.queued}


def test_a_header_alone_proves_nothing(tmp_path: Path) -> None:
    relay = Relay(NOON)
    relay.begin(ONE)
    log = read(relay.save(tmp_path / "mail.log"))
    assert statuses(log) == {ONE: RelayStatus.began}
    assert not log.messages[ONE].status.is_accepted


@pytest.mark.parametrize("names_it", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_a_connection_lost_during_data_proves_that_the_relay_does_not_have_the_message(
    tmp_path: Path, names_it: bool, late: bool
) -> None:
    relay = Relay(NOON)
    relay.cut_off(ONE, names_it=names_it, late=late)
    assert statuses(read(relay.save(tmp_path / "mail.log"))) == {ONE: RelayStatus.not_taken}


def test_a_message_sent_again_after_it_was_cut_off_is_accepted(tmp_path: Path) -> None:
    relay = Relay(NOON)
    relay.cut_off(ONE)
    queue_id = relay.accept(ONE)
    log = read(relay.save(tmp_path / "mail.log"))
    assert (log.messages[ONE].status, log.messages[ONE].queue_id) == (RelayStatus.queued, queue_id)


def test_a_second_copy_cut_off_does_not_undo_the_first(tmp_path: Path) -> None:
    relay = Relay(NOON)
    relay.accept(ONE)
    relay.cut_off(ONE)
    assert statuses(read(relay.save(tmp_path / "mail.log"))) == {ONE: RelayStatus.queued}


def test_a_bounce_by_the_next_server_is_reported(tmp_path: Path) -> None:
    relay = Relay(NOON)
    relay.accept(ONE, status="bounced (host mx.example.org said: 550 5.1.1 No such user)")
    assert statuses(read(relay.save(tmp_path / "mail.log"))) == {ONE: RelayStatus.bounced}


def test_a_reused_queue_id_belongs_to_another_message(tmp_path: Path) -> None:
    relay = Relay(NOON)
    number = relay.cut_off(ONE)
    relay.accept("<somebody@else.example>", queue_id=number)
    assert statuses(read(relay.save(tmp_path / "mail.log"))) == {ONE: RelayStatus.not_taken}


def test_rotated_files_are_read_in_chronological_order(
    tmp_path: Path,
) -> None:
    relay = Relay(NOON)
    relay.accept(ONE)
    *early, last = [line for line in relay.lines if "disconnect" not in line]
    old, new = tmp_path / "mail.log.1.gz", tmp_path / "mail.log"
    old.write_bytes(gzip.compress("\n".join(early).encode() + b"\n"))
    new.write_text(last.replace("12:00:00", "12:00:01") + "\n")
    assert statuses(read(old)) == {ONE: RelayStatus.began}
    assert statuses(read(new, old)) == {ONE: RelayStatus.queued}


def test_standard_input_is_read_too(tmp_path: Path) -> None:
    relay = Relay(NOON)
    relay.accept(ONE)
    assert statuses(read(STANDARD_INPUT, piped="\n".join(relay.lines).encode())) == {ONE: RelayStatus.queued}


def test_a_log_covers_only_the_time_between_its_first_and_last_line(tmp_path: Path) -> None:
    relay = Relay(NOON)
    relay.wait(minutes=10)
    log = read(relay.save(tmp_path / "mail.log"))
    minutes = [NOON + timedelta(minutes=number) for number in range(-1, 12)]
    assert log.covers(minutes[1], minutes[10])
    assert not log.covers(minutes[0], minutes[10])
    assert not log.covers(minutes[1], minutes[12])


def test_a_log_does_not_cover_the_time_of_an_open_session(tmp_path: Path) -> None:
    relay = Relay(NOON)
    relay.begin(ONE)
    relay.wait(minutes=10)
    log = read(relay.save(tmp_path / "mail.log"))
    assert not log.covers(NOON, NOON + timedelta(minutes=5))


def test_a_time_without_a_year_is_never_in_the_future(tmp_path: Path) -> None:
    relay = Relay(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    log = read(relay.save(tmp_path / "mail.log"), now=datetime(2027, 1, 1, 0, 5, tzinfo=UTC))
    assert log.first == datetime(2026, 12, 31, 23, 59, tzinfo=UTC)


def test_a_time_without_a_zone_is_read_in_the_given_zone(tmp_path: Path) -> None:
    path = Relay(NOON).save(tmp_path / "mail.log")
    assert read(path, zone=ZoneInfo("Asia/Shanghai")).first == NOON - timedelta(hours=8)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a log\n" * 2000,
        b"Nov 24 10:00:00 relay sshd[1]: Accepted publickey\n",
        b"\x1f\x8bbroken",
        b"\0\xff",
    ],
)
def test_a_file_that_is_not_a_postfix_log_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(content)
    with pytest.raises(PostfixLogError, match=r"log"):
        read(path)


def test_malformed_lines_are_skipped(tmp_path: Path) -> None:
    relay = Relay(NOON)
    relay.accept(ONE)
    noise = [
        "",
        "\x00\x01",
        "Feb 31 10:00:00 relay postfix/qmgr[1]: AAAAA: from=<x>",
        "Foo 12",
        "postfix/cleanup",
    ]
    path = tmp_path / "mail.log"
    path.write_text("\n".join([relay.lines[0], *noise, *relay.lines[1:]]))
    assert statuses(read(path)) == {ONE: RelayStatus.queued}


def test_memory_does_not_grow_with_other_senders_mail(tmp_path: Path) -> None:
    relay = Relay(NOON)
    for number in range(2000):
        relay.cut_off(f"<{number}@else.example>")
    relay.accept(ONE)
    path = relay.save(tmp_path / "mail.log")
    log = read_postfix_log([path], {ONE}.__contains__, now=NOON, zone=UTC)
    assert statuses(log) == {ONE: RelayStatus.queued}
