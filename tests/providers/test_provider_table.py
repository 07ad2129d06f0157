"""The table of providers: what it says has a source, and a mistake in it is named."""

from datetime import date

import pytest

from mailer.providers.provider_table import (
    Level,
    Period,
    ProviderTableError,
    Requirement,
    load_providers,
    read_table,
)

_TABLE = load_providers()
_GOOD = """
[post]
name = "Post"
mx = ["mx.example.org"]
domains = ["example.org"]
found_by = "page"
asks = [{ what = ["spf", "dkim"], level = "required", source = "page" }]
limits = [
  { messages = 7200, per = "hour", source = "page" },
  { messages = 900, per = "day", source = "page" },
]
connections = { at_once = 2, source = "page" }
refusals = [{ codes = ["X1"], means = "It says X1.", advice = "Wait.", source = "page" }]
[post.sources]
page = { url = "https://example.org/postmaster", date = 2026-01-02 }
"""


def test_whatever_the_table_says_has_the_address_and_the_date_of_its_source() -> None:
    for provider in _TABLE.by_key.values():
        said = [provider.found_by, *(ask.source for ask in provider.asks)]
        said += [limit.source for limit in provider.limits]
        said += [refusal.source for refusal in provider.refusals]
        if provider.connections:
            said.append(provider.connections.source)
        for source in said:
            assert source.url.startswith("http"), provider.key
            assert date(2005, 1, 1) < source.date <= date(2026, 11, 27), provider.key


def test_the_providers_of_our_partners_are_known() -> None:
    assert {
        *("microsoft_365", "outlook_com", "google", "yahoo", "icloud"),
        *("qq", "netease", "alibaba", "sina", "naver", "daum_kakao"),
        *("docomo", "kddi", "softbank", "yahoo_japan"),
        *("orange", "la_poste", "free", "sfr", "gmx", "t_online", "mail_ru", "yandex"),
        *("proton", "zoho", "fastmail", "proofpoint", "mimecast", "barracuda", "cisco", "trend_micro"),
    } <= _TABLE.by_key.keys()


def test_advice_names_a_provider_s_own_key_where_it_speaks_of_its_rate() -> None:
    for key, provider in _TABLE.by_key.items():
        for refusal in provider.refusals:
            if "provider_rates" in refusal.advice and "set a lower rate" not in refusal.advice:
                assert key in refusal.advice


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("example-org.mail.protection.outlook.com.", "microsoft_365"),
        ("example-org.a-v1.mx.microsoft", "microsoft_365"),
        ("example-cn.mail.protection.partner.outlook.cn", "microsoft_365"),
        ("hotmail-com.olc.protection.outlook.com", "outlook_com"),
        ("ASPMX.L.GOOGLE.COM", "google"),
        ("smtp.google.com", "google"),
        ("mxbiz1.qq.com", "qq"),
        ("qiye163mx01.mxmail.netease.com", "netease"),
        ("mx1.qiye.aliyun.com", "alibaba"),
        ("mta7.am0.yahoodns.net", "yahoo"),
        ("mx1.mail.yahoo.co.jp", "yahoo_japan"),
        ("mfsmax.docomo.ne.jp", "docomo"),
        ("smtp-in.orange.fr", "orange"),
        ("smtpz4.laposte.net", "la_poste"),
        ("mx00.kundenserver.de", "gmx"),
        ("mxa-00360101.gslb.pphosted.com", "proofpoint"),
        ("eu-smtp-inbound-1.mimecast.com", "mimecast"),
        ("mx1.hc123-45.eu.iphmx.com", "cisco"),
    ],
)
def test_a_provider_is_found_by_the_end_of_its_host(host: str, key: str) -> None:
    found = _TABLE.find_provider_of_mx([host])
    assert found is not None
    assert found.key == key


@pytest.mark.parametrize(
    "host", ["mx.example.org", "notgoogle.com", "google.com.example.org", "com", "", "outlook.com", "."]
)
def test_another_host_is_nobody_s(host: str) -> None:
    assert _TABLE.find_provider_of_mx([host]) is None


def test_a_provider_s_own_domain_needs_no_host() -> None:
    found = _TABLE.find_provider_of_domain("vip.qq.com")
    assert found is not None
    assert found.key == "qq"
    assert _TABLE.find_provider_of_domain("mail.qq.com") is None


def test_limits_become_a_rate_and_a_number_a_day() -> None:
    provider = read_table(_GOOD).by_key["post"]
    assert provider.rate == 2
    assert provider.daily_limit == 900
    assert provider.connections is not None
    assert provider.connections.at_once == 2
    assert [(ask.requirement, ask.level) for ask in provider.asks] == [
        (Requirement.spf, Level.required),
        (Requirement.dkim, Level.required),
    ]
    assert provider.limits[0].per is Period.hour


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ('name = "Post"\n', "", "post: name: Field required"),
        (
            '"mx.example.org"',
            '"MX.example.org"',
            "post: mx: 0: 'MX.example.org': is not a name in small letters",
        ),
        ('found_by = "page"', 'found_by = "book"', "post: found_by: 'book': is not among its sources"),
        ('"dkim"]', '"manners"]', "post: asks: 1: requirement: 'manners': Input should be 'spf'"),
        (
            'level = "required"',
            'level = "wished"',
            "post: asks: 0: level: 'wished': Input should be 'required'",
        ),
        ("7200", "0", "post: limits: 0: messages: 0: Input should be greater than 0"),
        ('"hour"', '"week"', "post: limits: 0: per: 'week': Input should be 'second', 'hour' or 'day'"),
        (
            "at_once = 2",
            "at_once = true",
            "post: connections: at_once: True: Input should be a valid integer",
        ),
        ('codes = ["X1"]', "codes = []", "post: refusals: 0: codes: []: Tuple should have at least 1 item"),
        ('advice = "Wait."', 'advice = " "', "post: refusals: 0: advice: ' ': is empty"),
        (", date = 2026-01-02", "", "post: sources: page: date: Field required"),
        (
            "https://example.org/postmaster",
            "a letter",
            "post: sources: page: url: 'a letter': is not an address of a page",
        ),
        ("connections = {", "conections = {", "post: conections: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_in_the_table_is_named(right: str, wrong: str, problem: str) -> None:
    assert right in _GOOD
    with pytest.raises(ProviderTableError) as caught:
        read_table(_GOOD.replace(right, wrong, 1))
    assert problem in str(caught.value)


def test_all_mistakes_are_named_at_once() -> None:
    table = (
        _GOOD.replace("7200", "-1").replace("Wait.", "") + '[second]\nname = "S"\nmx = ["mx.example.org"]\n'
    )
    with pytest.raises(ProviderTableError) as caught:
        read_table(table)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        *("post", "post", "second", "second", "second")
    ]
    assert "second: mx: mx.example.org is already post's" in caught.value.problems
