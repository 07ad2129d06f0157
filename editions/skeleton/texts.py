"""The texts of the example edition, in English and, for the translation it shows, in Chinese."""

from collections.abc import Mapping
from typing import Any

LETTER_BODY = """
This is the letter at the beginning of the edition. Replace it with your own. If you do not want a letter,
delete this text and the key `letter` above.

Each file in `stories/` is one story. The three digits at the beginning of its name set its place, and the
rest of the name becomes part of its address. `mailer check` lists what is wrong and what to do;
`mailer preview` shows the email while you write.
"""

STORY_BODY = """
A story is a few paragraphs of Markdown, with a blank line between them. *One star* on each side makes a
word italic, **two stars** make it bold, and [text in square brackets](https://www.example.org) links to
the address after it.

## A heading within a story

- A list has one line for each item.
- Keep it short: people read two or three items, but not seven.

| Use | For |
| --- | --- |
| A table | data in rows and columns |
| A list | everything else |

Put pictures into `images/` and name them above, under `image`. They must be JPEG, PNG or GIF, at least 592
pixels wide, or better 1184. Places, names and camera data are removed before they are sent.
"""

LIST_BODY = """
- Use the kind `list` for a round-up, with one line for each item.
- Items have no picture, so many of them fit into one email.
"""

NOTICE_BODY = """
Use the kind `notice` for news about the office itself. It has no sector, and with `everyone` all readers
get it, whatever they follow.
"""

EDITION_VALUES_ZH: Mapping[str, Any] = {
    "title": "合作伙伴通讯",
    "period": "2026年11月",
    "subject": "三篇待改写的报道",
    "preheader": "收件箱会在主题之后显示这些文字：请写明邮件中还有哪些内容，四十到一百三十个字符之间。",
    "letter": {
        "title": "亲爱的合作伙伴",
        "name": "您的姓名",
        "titles": ["您的职务"],
        "portrait": {"alt": "主任坐在桌前", "caption": "主任", "credit": "摄影：姓名"},
    },
    "introductions": {"office": "本部分报道之前的一两句话。"},
    "translated_from": "0123456789ab",
}

STORY_VALUES_ZH: Mapping[str, Any] = {
    "title": "如何撰写报道",
    "date": "10月24日",
    "lead": "用一两句话概括报道的内容。",
    "image": {"alt": "三排山丘，一排比一排淡", "caption": "请换成您自己的图片", "credit": "插图"},
    "images": [{"alt": "两个人在一张大纸上画画", "caption": "工作坊", "credit": "摄影：姓名"}],
    "read_more": [{"what": "教科文组织的通讯", "url": "https://www.unesco.org/zh"}],
    "button": {"what": "报名参加论坛", "url": "https://www.example.org/zh/register"},
    "video": {
        "alt": "台上的发言者",
        "caption": "开幕式",
        "credit": "视频：姓名",
        "what": "论坛开幕式",
        "url": "https://www.example.org/zh/video",
    },
    "translated_from": "0123456789ab",
}

LETTER_BODY_ZH = "这是信件的正文。"

STORY_BODY_ZH = "这是报道的正文。"
