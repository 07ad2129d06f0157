"""A small mail without a fault, for tests to plant one in: HTML, text and the whole message."""

from dataclasses import replace
from typing import Any

from editions.images.prepared_images import PreparedImage
from mailer.checks.mail.parsed_mail import Mail
from mailer.rendering.themes.theme_files import load_theme

ORGANISATION = "UNESCO Office in Beijing"
ADDRESS = "5-15-3 Waijiaogongyu, Jianguomenwai, Beijing 100600"
PREHEADER = "Forums, workshops and four campaigns, from September to December."
PICTURE = "0123456789abcdef.jpg"

_HEAD = """\
<!DOCTYPE html>
<html lang="en" dir="ltr" xmlns="http://www.w3.org/1999/xhtml" xmlns:v="urn:schemas-microsoft-com:vml"\
 xmlns:o="urn:schemas-microsoft-com:office:office"><head><title>News, autumn 2021</title>
<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<meta name="x-apple-disable-message-reformatting" content="">
<meta name="format-detection" content="telephone=no,date=no">
<meta name="description" content="Forums, workshops and four campaigns, from September to December.">
<!--[if mso]><noscript><xml><o:OfficeDocumentSettings><o:AllowPNG/>\
<o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml></noscript><![endif]-->
<style>a{color:#0a5a9c;text-decoration:underline}img{height:auto}</style>
<style>.pg :lang(zh){font-family:'PingFang SC','Microsoft YaHei',sans-serif}</style>
<style>:root{color-scheme:light dark}@media (prefers-color-scheme:dark){\
body,.pg,.sheet{background-color:#1c242d !important}\
.pg p,.pg h1,.pg h2,.pg td,.pg th{color:#e9eef3 !important}\
.pg a{color:#86c1ff !important}.pg .button{color:#ffffff !important}}</style></head>
"""
_BODY = """\
<body style="background-color:#f4f1ea">
<div aria-label="News, autumn 2021" role="article" aria-roledescription="email"\
 class="pg" lang="en" dir="ltr"\
 style="background-color:#f4f1ea;font-family:Arial,sans-serif;font-size:16px;line-height:26px;color:#1d2733">
<div style="display:none;mso-hide:all">Forums, workshops and four campaigns, from September to December.</div>
<!--[if mso]><table role="presentation" width="600"><tr><td><![endif]-->
<table role="presentation" class="sheet" width="100%" style="background-color:#ffffff"><tr><td>
<h1 style="font-size:28px;line-height:34px;color:#1d2733">News, autumn 2021</h1>
<p><a href="#culture">Culture</a></p>
<!--[if mso]><a name="culture"></a><![endif]--><h2 id="culture">Culture</h2>
<p class="first">Young people of five countries met in the old town to speak about the crafts of their \
grandparents, and what of them may be useful to their own children. \
They wove, carved and sang for three days.</p>
<p>The topic <span lang="zh-Hans">看见</span> had five million views. \
<a href="https://example.org/forum">Read more: the forum in the old town</a></p>
<img src="https://news.example.org/media/0123456789abcdef.jpg" alt="Young people around a loom" width="200"\
 style="display:block;width:100%">
<table style="width:100%"><tr><th scope="col">Country</th><th scope="col">People</th></tr>\
<tr><td>Mongolia</td><td>Twelve</td></tr></table>
<p><a class="button" href="https://example.org/register" style="background-color:#0a5a9c;color:#ffffff;\
padding:12px 24px;text-decoration:none">Register for spring</a></p>
</td></tr></table>
<!--[if mso]></td></tr></table><![endif]-->
<p>UNESCO Office in Beijing, 5-15-3 Waijiaogongyu, Jianguomenwai, Beijing 100600. \
You receive this because you are a partner of the office, or asked for it on our pages.</p>
<p><a href="@@preferences_url@@">Choose what you receive</a> \
<a href="@@unsubscribe_url@@">Unsubscribe</a></p>
</div></body></html>
"""
TEXT = """\
News, autumn 2021

Culture

Young people of five countries met in the old town to speak about the crafts of
their grandparents, and what of them may be useful to their own children. They
wove, carved and sang for three days.

The topic 看见 had five million views.

Read more: the forum in the old town: https://example.org/forum

Country: Mongolia. People: Twelve.

Register for spring: https://example.org/register

UNESCO Office in Beijing, 5-15-3 Waijiaogongyu, Jianguomenwai, Beijing 100600.

You receive this because you are a partner of the office, or asked for it on
our pages.

Choose what you receive: @@preferences_url@@
Unsubscribe: @@unsubscribe_url@@
"""
_MESSAGE = """\
From: UNESCO Beijing <news@example.org>
To: Bat <bat@example.org>
Subject: What we did this autumn
Date: Sun, 01 Mar 2026 09:00:00 +0000
Message-ID: <c1.s1.0123456789ab@example.org>
MIME-Version: 1.0
List-Unsubscribe: <https://news.example.org/u/token>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
List-Id: <newsletter.example.org>
Content-Type: text/plain

Hello.
"""

GOOD = Mail(
    language="en",
    direction="ltr",
    html=_HEAD + _BODY,
    text=TEXT,
    subject="What we did this autumn",
    preheader=PREHEADER,
    theme=load_theme("periodical"),
    organisation=ORGANISATION,
    postal_address=ADDRESS,
    base_url="https://news.example.org",
    message=_MESSAGE.replace("\n", "\r\n").encode(),
    images={PICTURE: PreparedImage(name=PICTURE, data=b"x" * 20_000, width=400, height=300)},
    variant="the whole edition",
)


def plant(old: str, new: str, part: str = "html") -> Mail:
    """The good mail with ``new`` for ``old``, which must be there, in ``html``, ``text`` or ``message``."""
    content: Any = getattr(GOOD, part)
    if part == "message":
        content = content.decode()
    assert old in content, f"{old!r} is not in the {part}"
    changed = content.replace(old, new)
    return replace(GOOD, **{part: changed.encode() if part == "message" else changed})
