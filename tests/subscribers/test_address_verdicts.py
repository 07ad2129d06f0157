"""Which addresses are taken and which are not, each with its reason; and all that are can be sent to.

The cases are our own. They follow the grammar of RFC 5321 (what SMTP transports), RFC 5322 (what may stand in
a header), RFC 6531 (what is not ASCII), and what lists from partners contain.
"""

from collections.abc import Hashable, Mapping
from pathlib import Path

import pytest

from mailer.smtp.interfaces import OutgoingMessage, apply_dot_stuffing
from mailer.smtp.reply_classifier import Outcome, Verdict
from mailer.smtp.transport import send_messages
from subscribers.address import normalise_address
from subscribers.errors import AddressError
from tests.servers.scripted_smtp import EXTENSIONS, ScriptedServer

TAKEN: Mapping[str, tuple[str, ...]] = {
    "ordinary addresses": (
        *("mei@example.org", "m@example.org", "mei.lin@example.org", "a.b.c.d.e.f@example.org"),
        *("MEI@EXAMPLE.ORG", "mei@a.example.org", "mei@a-b.example.org", "mei@a--b.example.org"),
    ),
    "every character of an atom (RFC 5322, 3.2.3), for some server gave it to somebody": (
        *("mei+news@example.org", "mei-lin@example.org", "mei_lin@example.org", "_mei@example.org"),
        *("mei_@example.org", "mei-@example.org", "o'neill@example.org", "!#$%&'*+/=?^_`{|}~@example.org"),
        *("/mei@example.org", "mei%example.com@example.org", "gw!mei@example.org", "mei=lin@example.org"),
        *("{mei}@example.org", "|mei@example.org", "`mei`@example.org", "$mei@example.org"),
    ),
    "digits, also as the beginning of a domain (RFC 1123, 2.1)": (
        *("1234@example.org", "mei@1234.org", "mei@12.34.org", "mei@3com.com", "0@0.org"),
    ),
    "as long as SMTP allows: 64 before the @, 63 between dots, 254 in all": (
        "l" * 64 + "@example.org",
        f"mei@{'d' * 63}.org",
        f"mei@{'.'.join(['d' * 60] * 4)}.org",
        f"{'l' * 64}@{'.'.join(['d' * 60] * 3)}.exampl",
        "é" * 32 + "@example.org",
        "李" * 21 + "@example.cn",
    ),
    "space around it, which a cell of a table has": (
        *(" mei@example.org", "mei@example.org ", "\tmei@example.org", "mei@example.org\r\n"),
        "\u3000mei@example.org",
    ),
    "full-width and other compatibility characters, which an input method writes": (
        *("ｍｅｉ@example.org", "mei＠example.org", "mei@example．org", "mei@例子。cn", "１２３@example.org"),
        *("ﬁ@example.org", "ſ@example.org", "K@example.org"),
    ),
    "domains in any script (IDNA 2008), or as A-labels": (
        *("mei@bücher.example.com", "mei@xn--bcher-kva.example.com", "mei@XN--BCHER-KVA.example.com"),
        *("mei@例子.cn", "mei@пример.рф", "mei@faß.example.com", "mei@אב.example.com"),
        f"m@{'例' * 30}.cn",
    ),
    "local parts in any script (RFC 6531)": (
        *("李雷@example.cn", "mëi@example.org", "é@example.org", "e\u0301@example.org", "שלום@example.org"),
        *("مي@example.org", "👍@example.org", "İ@example.org"),
    ),
    "names that may exist: whether they do is for the relay to say": (
        *("mei@example.c", "mei@example.internal", "test@example.com"),
    ),
}

REFUSED: Mapping[str, tuple[str, ...]] = {
    "no address": (
        *(
            "",
            " ",
            "@",
            "mei",
            "mei@",
            "@example.org",
            "mei.example.org",
            "example.org",
            "mei at example.org",
        ),
        *("N/A", "none", "-", "?"),
    ),
    "several, or several @": (
        *("mei@@example.org", "mei@a@example.org", "mei@example.org@", "mei@example.org, lin@example.org"),
        *("mei@example.org lin@example.org", "mei@example.org;lin@example.org", "mei\\@lin@example.org"),
    ),
    "dots that stand alone (RFC 5321, 4.1.2)": (
        *(".mei@example.org", "mei.@example.org", "mei..lin@example.org", "...@example.org"),
        *("mei@.example.org", "mei@example..org", "mei@example.org.", "mei@example.org.."),
    ),
    "hyphens where no host name has them (RFC 1123, 2.1)": (
        *("mei@-a.example.org", "mei@a-.example.org", "mei@a.-org", "mei@xn--.example.org"),
    ),
    "too long (RFC 5321, 4.5.3.1), in bytes": (
        "l" * 65 + "@example.org",
        f"mei@{'d' * 64}.org",
        f"l@{'.'.join(['d' * 61] * 4)}.example.org",
        f"{'l' * 64}@{'.'.join(['d' * 60] * 3)}.example",
        "é" * 33 + "@example.org",
        "é" * 64 + "@example.org",
        "李" * 22 + "@example.cn",
        f"m@{'.'.join(['例' * 20] * 6)}.cn",
        f"{'a' * 60}é@{'.'.join(['d' * 60] * 3)}.example.org",
    ),
    "spaces and comments inside, which RFC 5322 calls obsolete and SMTP does not know": (
        *("mei lin@example.org", "mei @example.org", "mei@ example.org", "mei@exam ple.org"),
        *("mei . lin@example.org", "mei\xa0@example.org", "mei\u3000lin@example.org"),
        *("mei(work)@example.org", "(work)mei@example.org", "mei@(work)example.org", "mei@example.org(work)"),
        *("mei((a)b)@example.org", "mei(@example.org", "mei)@example.org"),
    ),
    "line breaks and control characters, which would end a command or a header": (
        *("mei\t@example.org", "mei\r\n@example.org", "mei\r\n @example.org", "mei\n@example.org"),
        *("mei\r@example.org", "mei@example.org\r\nBcc: x@example.org", "mei@example.org>\r\nDATA"),
        *("mei\x00@example.org", "mei@exam\x00ple.org", "mei\x01@example.org", "mei\x1b@example.org"),
        *("mei\x7f@example.org", "mei\x80@example.org", "mei\u2028@example.org", '"mei\r\n"@example.org'),
    ),
    "invisible characters, with which two addresses look the same": (
        *(
            "mei\u200b@example.org",
            "a\u200cb@example.org",
            "mei@a\u200db.example.com",
            "\ufeffmei@example.org",
        ),
        *("mei\u202e@example.org", "mei\u2066@example.org", "mei@ex\u00adample.org", "\ud800@example.org"),
        "\u0301@example.org",
    ),
    "quoted local parts: valid, but many servers, forms and other tools refuse or change them": (
        *('"mei"@example.org', '"mei lin"@example.org', '""@example.org', '"mei\\"lin"@example.org'),
        *('"mei@lin"@example.org', '"\\a"@example.org', '"(mei)"@example.org', '"mei.@example.org'),
        *(
            'mei"@example.org',
            '"mei"lin@example.org',
            'mei."lin"@example.org',
            '"mei"',
            '"mei\x00"@example.org',
        ),
    ),
    "characters that need quotes": (
        *("mei\\lin@example.org", "\\mei@example.org", "mei,lin@example.org", "mei;lin@example.org"),
        *("mei:lin@example.org", "mei<lin@example.org", "mei>lin@example.org", "mei[lin]@example.org"),
    ),
    "characters that no domain has": (
        *(f"mei@exam{mark}ple.org" for mark in "_,;/:!#%?&=+*'\\^`{|}~$\""),
        *(
            "mei@*.example.org",
            "mei@example.org:25",
            "mei@☃.example.com",
            "mei@👍.org",
            "mei@xn--a.example.com",
        ),
    ),
    "hosts by number: a partner has a domain, and a private network's numbers are not theirs": (
        *("mei@127.0.0.1", "mei@1.2.3", "mei@[127.0.0.1]", "mei@[IPv6:2001:db8::1]", "mei@[IPv6:::]"),
        *(
            "mei@[tag:x]",
            "mei@[]",
            "mei@[127.0.0.1",
            "mei@127.0.0.1]",
            "mei@１２７.０.０.１",
            "mei@example.1",
        ),
    ),
    "no dot in the domain: valid, but only ever the machine's own or a typing error": (
        *("mei@example", "mei@localhost", "mei@io", "mei@org"),
    ),
    "domains reserved for no mail (RFC 2606, 6761)": (
        *("mei@example.invalid", "mei@example.test", "mei@example.local", "mei@a.localhost", "mei@x.onion"),
        "mei@1.0.0.127.in-addr.arpa",
    ),
    "more than the address": (
        *("<mei@example.org>", "Mei <mei@example.org>", "mailto:mei@example.org", "list: mei@example.org;"),
        *("@relay.example:mei@example.org", "<@relay.example:mei@example.org>", "mei@example.org;"),
        *("mei@example.org> NOTIFY=NEVER", "mei@example.org SIZE=1", "mei@example.org/path"),
    ),
    "a hyphen first, which a program that is given it takes for an option": (
        *("-mei@example.org", "-oQ/tmp@example.org", "--@example.org"),
    ),
}


def test_there_are_enough_cases_and_none_is_decided_twice() -> None:
    taken = [text for texts in TAKEN.values() for text in texts]
    refused = [text for texts in REFUSED.values() for text in texts]
    assert len(taken) + len(refused) == len({*taken, *refused}) > 200


@pytest.mark.parametrize("reason", TAKEN)
def test_these_are_taken(reason: str) -> None:
    for text in TAKEN[reason]:
        address = normalise_address(text)
        assert normalise_address(address.envelope) == address, text


@pytest.mark.parametrize("reason", REFUSED)
def test_these_are_refused(reason: str) -> None:
    for text in REFUSED[reason]:
        assert not is_taken(text), text


def is_taken(text: str) -> bool:
    try:
        normalise_address(text)
    except AddressError:
        return False
    return True


@pytest.mark.parametrize("has_smtputf8", [True, False])
def test_whatever_is_taken_reaches_the_server_as_it_is(tmp_path: Path, has_smtputf8: bool) -> None:
    """Without SMTPUTF8 (RFC 6531) those that need it fail, and they alone."""
    addresses = [normalise_address(text) for texts in TAKEN.values() for text in texts]
    message = apply_dot_stuffing(b"Subject: x\r\nMessage-ID: <x@example.org>\r\n\r\nx\r\n")
    mails = [
        OutgoingMessage(number, "news@example.org", address.envelope, message)
        for number, address in enumerate(addresses)
    ]
    extensions = tuple(name for name in EXTENSIONS if has_smtputf8 or name != "SMTPUTF8")
    outcomes: dict[Hashable, Outcome] = {}
    with ScriptedServer(extensions=extensions) as server:
        # A connection takes so many messages and no more.
        for first in range(0, len(mails), 20):
            outcomes |= send_messages(server.client(tmp_path), mails[first : first + 20])
    sent = [address for address in addresses if has_smtputf8 or not address.needs_smtputf8]
    assert server.recipients == [address.envelope for address in sent]
    failed = [number for number, outcome in outcomes.items() if outcome.verdict is Verdict.failed]
    assert failed == [number for number, address in enumerate(addresses) if address not in sent]
    assert all(line.count("<") == line.count(">") == 1 for line in server.lines if line.startswith("RCPT"))
