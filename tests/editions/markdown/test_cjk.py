"""Emphasis next to Chinese, Japanese and Korean punctuation; everything else as CommonMark has it."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from editions.markdown.renderer import render_markdown
from editions.markdown.writing_systems import use_cjk_rules

STOCK = MarkdownIt("commonmark").enable("strikethrough")
OURS = MarkdownIt("commonmark").enable("strikethrough")
use_cjk_rules(OURS)


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("**「重要」**です。", "<strong>「重要」</strong>です。"),
        ("**重要。**です", "<strong>重要。</strong>です"),
        ("これは**「強調」**です", "これは<strong>「強調」</strong>です"),
        ("한국어**(강조)**는", "한국어<strong>(강조)</strong>는"),
        ("**한국어(韓國語)**를", "<strong>한국어(韓國語)</strong>를"),
        ("中文**“引号”**中文", "中文<strong>“引号”</strong>中文"),
        ("*（注）*说明", "<em>（注）</em>说明"),
        ("**注意**：说明", "<strong>注意</strong>：说明"),
        ("~~（旧）~~新", "<s>（旧）</s>新"),
        ("看见**#残障人#**吧", "看见<strong>#残障人#</strong>吧"),
        ("5*3*2 と 2 * 3", "5<em>3</em>2 と 2 * 3"),
        ("中 ** 文 ** 字", "中 ** 文 ** 字"),
        ("变量_名字_和", "变量_名字_和"),
        ("前**文字**后", "前<strong>文字</strong>后"),
        ("**монгол**", "<strong>монгол</strong>"),
    ],
)
def test_emphasis_works_next_to_east_asian_punctuation(source: str, html: str) -> None:
    assert OURS.render(source) == f"<p>{html}</p>\n"


def test_the_stock_parser_is_left_alone() -> None:
    assert STOCK.render("**「重要」**です") == "<p>**「重要」**です</p>\n"


@settings(max_examples=1000)
@given(st.text(alphabet=st.sampled_from('ab *_~()"“”é.,Ж-[]`\\\n<>!&;1#\u00a0'), max_size=40))
@example("**“a”**b")
@example("a**(b)**c")
def test_text_without_such_characters_is_parsed_as_before(source: str) -> None:
    assert OURS.render(source) == STOCK.render(source)


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("**“引号”**2021年", "<strong>“引号”</strong>2021年"),
        ("2021年**“引号”**", "2021年<strong>“引号”</strong>"),
        ("第3**‘单引号’**4", "第3<strong>‘单引号’</strong>4"),
        ("*等等……*10个", "<em>等等……</em>10个"),
        ("**“a”**b 中文", "**“a”**b 中文"),
    ],
)
def test_curly_quotes_count_as_chinese_next_to_chinese(source: str, html: str) -> None:
    assert OURS.render(source) == f"<p>{html}</p>\n"


@pytest.mark.parametrize(
    ("source", "upright"),
    [
        ("*强调*", True),
        ("*強調*した", True),
        ("*강조*", True),
        ("*UNESCO 教科文*", True),
        ("*plain* 中文", False),
    ],
)
def test_emphasis_in_a_script_without_slanted_letters_is_bold_and_upright(source: str, upright: bool) -> None:
    html = render_markdown(source, language="zh").html
    assert ('<em style="font-style:normal;font-weight:bold">' in html) is upright
