"""What the example says, in English and, for the translation it shows, in Chinese."""

from collections.abc import Mapping
from typing import Any

LETTER_BODY = """
This is the letter that opens the edition. Write over it; or delete these words and the key `letter`
above, and the edition begins with its stories.

Each file in `stories/` is one story. The three digits its name begins with are its place, and the words
behind them become part of its address. `mailer check` finds what is wrong, and says where and what to
do; `mailer preview` shows the mail while you write.
"""

STORY_BODY = """
A story is a few paragraphs of Markdown, with a blank line between them. *One star* each side stresses a
word, **two stars** stress it strongly, and [words in square brackets](https://www.example.org) lead to
the address behind them.

## A heading within a story

- A list has a line for each item.
- Two or three items are read, seven are not.

| What | When |
| --- | --- |
| A table | for what has rows and columns |
| A list | for everything else |

Pictures stand in `images/` and are named above, under `image`: JPEG, PNG or GIF, at least 592 pixels
wide and better 1184. Their places, names and camera data are taken out before they are sent.
"""

LIST_BODY = """
- The kind `list` is for a round-up: one line for each item.
- Items without a picture take little room, so that many fit into one mail.
"""

NOTICE_BODY = """
The kind `notice` is for news about the office itself. It belongs to no sector, and with `everyone` each
reader gets it, whatever they follow.
"""

EDITION_VALUES_ZH: Mapping[str, Any] = {
    "title": "合作伙伴通讯",
    "period": "2026年11月",
    "subject": "三篇待改写的报道",
    "preheader": "收件箱会在主题之后显示这些文字：请写明邮件中还有哪些内容，四十到一百三十个字符之间。",
    "letter": {"title": "亲爱的合作伙伴"},
    "introductions": {"office": "本部分报道之前的一两句话。"},
    "translated_from": "0123456789ab",
}

STORY_VALUES_ZH: Mapping[str, Any] = {
    "title": "如何撰写报道",
    "date": "10月24日",
    "image": {"alt": "三排山丘，一排比一排淡", "caption": "请换成您自己的图片"},
    "read_more": [{"what": "教科文组织的通讯", "url": "https://www.unesco.org/zh"}],
    "translated_from": "0123456789ab",
}

LETTER_BODY_ZH = "这是信件的正文。"

STORY_BODY_ZH = "这是报道的正文。"
