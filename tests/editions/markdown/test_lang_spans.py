"""Words in another script carry their language."""

import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from editions.markdown import writing_systems
from editions.markdown.writing_systems import mark_languages_in_html, mark_languages_in_text


def show(html: str) -> str:
    """``<span lang="zh-Hans">看</span>`` as ``{zh-Hans:看}``, to be read more easily."""
    return re.sub(r'<span lang="([^"]+)">(.*?)</span>', r"{\1:\2}", html)


@pytest.mark.parametrize(
    ("text", "language", "marked"),
    [
        ("Plain words", "en", "Plain words"),
        ("a < b & “c”", "en", "a &lt; b &amp; “c”"),
        ("#看见残障人#", "en", "#{zh-Hans:看见残障人}#"),
        ("Visible (看见残障人)", "en", "Visible ({zh-Hans:看见残障人})"),
        ("《中国，你好！》 today", "en", "{zh-Hans:《中国，你好！》} today"),
        ("2021年12月 issue", "en", "2021{zh-Hans:年12月} issue"),
        ("北京 2021 年", "en", "{zh-Hans:北京 2021 年}"),
        ("北京, 上海 and Xi’an", "en", "{zh-Hans:北京, 上海} and Xi’an"),
        ("東京タワー and 平塚", "en", "{ja:東京タワー} and {zh-Hans:平塚}"),
        ("カナ", "en", "{ja:カナ}"),
        ("유네스코 북경 사무소.", "en", "{ko:유네스코 북경 사무소}."),
        ("韓國語(한국어)", "en", "{zh-Hans:韓國語}({ko:한국어})"),
        ("Улаанбаатар хот, Mongolia", "en", "{mn:Улаанбаатар хот}, Mongolia"),
        ("ᠮᠣᠩᠭᠣᠯ script", "en", "{mn-Mong:ᠮᠣᠩᠭᠣᠯ} script"),
        ("中文 and 한국어", "zh", "中文 and {ko:한국어}"),
        ("中文とカナ", "zh-Hans", "{ja:中文とカナ}"),
        ("中文", "zh-Hant", "中文"),
        ("漢字とかな 한", "ja", "漢字とかな {ko:한}"),
        ("한국 漢字", "ko", "한국 漢字"),
        ("Монгол 中文", "mn", "Монгол {zh-Hans:中文}"),
        ("Москва", "ru", "Москва"),
        ("！！ no letters 。", "en", "！！ no letters 。"),
        ("", "en", ""),
    ],
)
def test_runs_in_another_script_are_marked(text: str, language: str, marked: str) -> None:
    assert show(mark_languages_in_text(text, language=language)) == marked


@pytest.mark.parametrize(
    ("html", "marked"),
    [
        ("<p>a 中 b</p>", "<p>a {zh-Hans:中} b</p>"),
        ("<p><strong>「重要」</strong>です</p>", "<p><strong>{ja:「重要」}</strong>{ja:です}</p>"),
        ("<p>中</p><p>かな</p>", "<p>{zh-Hans:中}</p><p>{ja:かな}</p>"),
        (
            '<p><a href="https://example.org">中 a</a> 文</p>',
            '<p><a href="https://example.org">{zh-Hans:中} a</a> {zh-Hans:文}</p>',
        ),
        ("<p>中&amp;文&#160;字</p>", "<p>{zh-Hans:中}&amp;{zh-Hans:文}&#160;{zh-Hans:字}</p>"),
        ("<pre><code>中\n文</code></pre>", "<pre><code>{zh-Hans:中}\n{zh-Hans:文}</code></pre>"),
        ("<p>plain</p>", "<p>plain</p>"),
    ],
)
def test_runs_within_html_are_marked_through_inline_tags(html: str, marked: str) -> None:
    assert show(mark_languages_in_html(html, language="en")) == marked


@given(
    st.text(alphabet=st.sampled_from("ab <&>\"'中文かナ한글Жө，。「」 1-·"), max_size=40),
    st.sampled_from(["en", "zh", "ja", "ko", "mn"]),
)
def test_marking_changes_no_word_and_leaves_the_other_scripts_inside(text: str, language: str) -> None:
    root = etree.fromstring(f"<p>{mark_languages_in_text(text, language=language)}</p>")
    assert "".join(root.itertext()) == text
    if language == "en":
        outside = (root.text or "") + "".join(span.tail or "" for span in root)
        assert not re.search("[中文かナ한글Жө]", outside)


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(writing_systems).failed == 0
