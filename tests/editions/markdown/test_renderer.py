"""Markdown becomes sanitised XHTML and plain text; what a mail cannot carry is named with its line."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from editions.errors import ProblemLevel
from editions.markdown.renderer import LETTER_HEADING_LEVEL, RenderedMarkdown, render_markdown

MARKUP = st.text(
    alphabet=st.sampled_from("*_~`[]()<>!#&;|-+1.:/\\\"'= \n\tabé中，“\u3000\u00a0\x0c\x00\u2028\ufffe"),
    max_size=80,
)


def render(source: str, language: str = "en") -> RenderedMarkdown:
    return render_markdown(source, language=language, path="stories/010-x.md", line=10)


def parse(html: str) -> etree._Element:
    return etree.fromstring(f"<root>{html}</root>")


# --- HTML ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("One\ntwo.", "<p>One two.</p>"),
        ("One  \ntwo.", "<p>One<br />two.</p>"),
        ("One.\n\nTwo.", "<p>One.</p><p>Two.</p>"),
        ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>"),
        ("a < b & c > d", "<p>a &lt; b &amp; c &gt; d</p>"),
        ("“a”&nbsp;b", "<p>“a”&#160;b</p>"),
        ("a&#10;b&#12;c", "<p>a b c</p>"),
        ("- a\n- b\n  - c", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"),
        ("> a\n> b", "<blockquote><p>a b</p></blockquote>"),
        ("***", "<hr />"),
        ("## A\n\n### B", "<h4>A</h4><h5>B</h5>"),
        (
            "```python\na < 1\n\nb\n```",
            '<pre style="white-space:pre-wrap"><code>a &lt; 1\n\nb\n</code></pre>',
        ),
        (
            "[a & b](https://example.org/?x=1&y=2)",
            '<p><a href="https://example.org/?x=1&amp;y=2">a &amp; b</a></p>',
        ),
        ('[a](https://example.org "title")', '<p><a href="https://example.org">a</a></p>'),
        ("[a]\n\n[a]: https://example.org", '<p><a href="https://example.org">a</a></p>'),
        ("[a](mailto:me@example.org)", '<p><a href="mailto:me@example.org">a</a></p>'),
        ("[a](https://example.org/中)", '<p><a href="https://example.org/%E4%B8%AD">a</a></p>'),
        (
            "|a|b|\n|-|-:|\n|x|2|",
            '<table class="tb" cellpadding="6" cellspacing="0" border="0"><thead><tr><th scope="col">a</th>'
            '<th style="text-align:right" scope="col">b</th></tr></thead>'
            '<tbody><tr><td>x</td><td style="text-align:right">2</td></tr></tbody></table>',
        ),
        ("", ""),
    ],
)
def test_markdown_becomes_xhtml_on_one_line(source: str, html: str) -> None:
    prose = render(source)
    assert prose.html == html
    assert prose.problems == ()


def test_a_letter_s_headings_stand_one_level_higher() -> None:
    assert (
        render_markdown("## A\n\n### B", language="en", heading=LETTER_HEADING_LEVEL).html
        == "<h3>A</h3><h4>B</h4>"
    )


@pytest.mark.parametrize(
    ("source", "language", "html"),
    [
        ("中文\n中文", "zh", "<p>中文中文</p>"),
        ("中文，\n**强**", "zh", "<p>中文，<strong>强</strong></p>"),
        ("**か**\n**な**", "ja", "<p><strong>か</strong><strong>な</strong></p>"),
        ("中文\nUNESCO", "zh", "<p>中文 UNESCO</p>"),
        ("한국\n어", "ko", "<p>한국 어</p>"),
        ("a\nb", "zh", "<p>a b</p>"),
    ],
)
def test_a_line_end_between_chinese_characters_is_not_a_space(source: str, language: str, html: str) -> None:
    prose = render(source, language)
    assert prose.html == html
    assert prose.text == re.sub("<.*?>", "", html)


def test_words_in_another_script_are_marked() -> None:
    assert render("The [论坛](https://example.org) met.").html == (
        '<p>The <a href="https://example.org"><span lang="zh-Hans">论坛</span></a> met.</p>'
    )


@given(MARKUP)
@example("```\n\n\n```")
@example("- \n  <b")
@example("[](javascript:x)")
@example("&#x0d;&#x85;")
def test_html_is_always_well_formed_and_has_no_line_end_outside_pre(source: str) -> None:
    prose = render(source)
    root = parse(prose.html)
    for pre in root.iter("pre"):
        pre.clear()
    assert "\n" not in etree.tostring(root, encoding="unicode")
    assert all(10 <= problem.line <= 10 + source.count("\n") for problem in prose.problems)


@given(MARKUP)
@example("<script>alert(1)</script>")
@example("[a](javascript:alert(1))")
@example("[a](/b)")
@example("[a](<javascript:alert(1)>)")
@example("<JavaScript:alert(1)>")
@example("![a](https://example.org/x.png)")
@example("[a](data:text/html,<script>)")
def test_html_has_only_what_a_mail_may_carry(source: str) -> None:
    root = parse(render(source).html)
    allowed = {
        "p": set(), "br": set(), "hr": set(), "h4": set(), "h5": set(), "ul": set(), "li": set(),
        "ol": {"start", "type", "style"}, "blockquote": set(), "pre": {"style"}, "code": set(),
        "em": {"style"}, "strong": set(), "s": set(), "a": {"href", "role"}, "thead": set(),
        "table": {"class", "cellpadding", "cellspacing", "border"}, "tbody": set(), "tr": set(),
        "th": {"scope", "style"}, "td": {"style"}, "span": {"lang", "class", "id"},
        "sup": {"id"}, "div": {"class"},
    }  # fmt: skip
    for element in root.iterdescendants():
        assert set(element.attrib) <= allowed[str(element.tag)]
    for link in root.iter("a"):
        assert re.match("https?:|mailto:|#(note|ref)-", str(link.get("href", "https:")), re.IGNORECASE)


def test_nineteen_quotations_and_nine_lists_keep_what_they_hold() -> None:
    lists = "".join(f"{'  ' * depth}- item {depth}\n" for depth in range(9))
    for source, words in (("> " * 19 + "deep", "deep"), (lists, "item 8")):
        prose = render(source)
        assert prose.problems == ()
        assert words in prose.html
        assert words in prose.text


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line", "code", "words"),
    [
        pytest.param(
            "One.\n\n<div>\nx\n</div>",
            12,
            "raw-html",
            "raw HTML and comments are not allowed, .*: `<div> x </div>`",
            id="block",
        ),
        pytest.param("One\ntwo <b>three</b>.", 11, "raw-html", "`<b>`.* Use Markdown, or write", id="inline"),
        pytest.param("One\n\n<!-- note -->", 12, "raw-html", "<!-- note -->", id="comment"),
        pytest.param(
            "One.\n\n" + "> " * 20 + "two", 12, "nested-too-deep", "would be lost", id="twenty quotations"
        ),
        pytest.param(
            "".join(f"{'  ' * depth}- {depth}\n" for depth in range(10)),
            19,
            "nested-too-deep",
            "Use one or two levels",
            id="ten lists",
        ),
        pytest.param(
            "> " * 2000 + "two", 10, "nested-too-deep", "would be lost", id="two thousand quotations"
        ),
        pytest.param("> One\n> two\n> <br>", 12, "raw-html", "<br>", id="in a quotation"),
        pytest.param(
            "One\ntwo ![x](y.png)",
            11,
            "picture-in-body",
            "Name the picture in the front matter, under `image`",
            id="picture",
        ),
        pytest.param(
            "# One", 10, "top-heading", "the title is in the front matter. Begin with `##`", id="h1"
        ),
        pytest.param("One\n===", 10, "top-heading", "`#` is not allowed", id="underlined h1"),
        pytest.param(
            "## A\n\n### B\n\n#### C",
            14,
            "deep-heading",
            "`####` is not allowed: .* Use `##` or `###`",
            id="h4",
        ),
        pytest.param("One.\n\n### B", 12, "skipped-heading", "`###` has no `##` above it", id="h3 first"),
        pytest.param("One.\n\n##", 12, "empty-heading", "this heading is empty", id="empty heading"),
        pytest.param(
            "One\n[two](/three)", 11, "relative-link", "the link '/three' is relative", id="relative"
        ),
        pytest.param(
            "One\ntwo [three\nfour](three.html)",
            11,
            "relative-link",
            "beginning with https://",
            id="over two lines",
        ),
        pytest.param(
            "[a](javascript:alert(1))",
            10,
            "link-scheme",
            "links that begin with javascript:",
            id="javascript",
        ),
        pytest.param("[a](data:text/html,x)", 10, "link-scheme", "links that begin with data:", id="data"),
        pytest.param("<ftp://example.org>", 10, "link-scheme", "links that begin with ftp:", id="ftp"),
        pytest.param("[a](https://)", 10, "broken-link", "is not a valid web address", id="no host"),
        pytest.param("[a](mailto:office)", 10, "broken-link", "has no valid email address", id="no mailbox"),
        pytest.param("[a]()", 10, "relative-link", "the link '' is relative", id="no link"),
        pytest.param(
            "One\n[](https://example.org)",
            11,
            "empty-link",
            "has no text, so readers cannot see it",
            id="no words",
        ),
        pytest.param("[x]\n\n[x]: /y", 10, "relative-link", "'/y'", id="reference"),
        pytest.param("|a|b|\n|-|-|\n|1|<b>|", 12, "raw-html", "<b>", id="in a table"),
        pytest.param("- a\n- b\n  [c](d)", 12, "relative-link", "'d'", id="in a list"),
    ],
)
def test_what_a_mail_cannot_carry_is_named_with_its_line(
    source: str, line: int, code: str, words: str
) -> None:
    (problem,) = render(source).problems
    assert (problem.path, problem.line, problem.code) == ("stories/010-x.md", line, code)
    assert problem.level == ProblemLevel.error
    assert re.search(words, problem.message)


def test_raw_html_comes_out_as_the_words_it_was_written_with() -> None:
    assert render("a <b>c</b>").html == "<p>a &lt;b&gt;c&lt;/b&gt;</p>"


def test_a_long_tag_is_shown_by_its_beginning() -> None:
    (problem,) = render(f'<a href="{"x" * 99}">').problems
    assert re.search(r": `<a href=\"x+…`\.", problem.message)


def test_links_are_listed_with_words_address_and_line() -> None:
    prose = render("[a *b*\nc](https://example.org/1)\nand <https://example.org/2>")
    assert [(link.text, link.url, link.line) for link in prose.links] == [
        ("a b c", "https://example.org/1", 10),
        ("https://example.org/2", "https://example.org/2", 12),
    ]


# --- words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("One two, three.", 3),
        ("It’s well-known: 3.5 per cent", 5),
        ("[One](https://example.org/a/b/c) *two*", 2),
        ("中文四字", 2),
        ("中文 and English。", 3),
        ("한국어", 2),
        ("— · “”", 0),
        ("- a\n- b\n\n    code here", 4),
    ],
)
def test_words_are_counted_as_a_reader_s_time_goes(source: str, words: int) -> None:
    assert render(source).word_count == words
