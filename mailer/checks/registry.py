"""Every check there is: those of an edition's files, and those of the mail it becomes."""

from collections.abc import Mapping
from types import MappingProxyType

from editions.checks.registry import SOURCE_CHECKS, Check
from editions.problem import Level

CHECK_NUMBERS = range(1, 40)
"""The questions a newsletter is asked; every one has at least one check."""

_CANIEMAIL = "https://www.caniemail.com/features"
_CODE = "https://www.goodemailcode.com/email-code/template"
_CONTRAST = "https://www.w3.org/WAI/WCAG22/Understanding/contrast-minimum"
_DARK = "https://www.litmus.com/blog/the-ultimate-guide-to-dark-mode-for-email-marketers"
_HEADINGS = "https://www.w3.org/WAI/tutorials/page-structure/headings/"
_LINK_WORDS = "https://www.w3.org/WAI/WCAG22/Understanding/link-purpose-in-context"
_MAIZZLE = "https://maizzle.com/docs/transformers"
_PARCEL = "https://parcel.io/blog/accessibility-checker-updates"
_REPORT = "https://emailmarkup.org/en/reports/accessibility/2026"
_PREHEADER = "https://emailmarkup.org/en/blog/"
_SENDERS = "https://support.google.com/a/answer/81126"
_SENDERS_ALSO = "https://support.google.com/a/answer/15263077"
_SPAM = "https://spamassassin.apache.org/old/tests_3_3_x.html"
_TABLES = "https://www.w3.org/WAI/tutorials/tables/"


def _check(
    number: int | None,
    code: str,
    level: Level,
    essential: bool,
    title: str,
    why: str,
    advice: str,
    *sources: str,
) -> Check:
    return Check(
        code=code,
        number=number,
        level=level,
        essential=essential,
        title=title,
        why=why,
        advice=advice,
        sources=sources,
    )


def _error(number: int | None, code: str, title: str, why: str, advice: str, *sources: str) -> Check:
    return _check(number, code, Level.error, False, title, why, advice, *sources)


def _warning(number: int | None, code: str, title: str, why: str, advice: str, *sources: str) -> Check:
    return _check(number, code, Level.warning, False, title, why, advice, *sources)


def _essential(number: int | None, code: str, title: str, why: str, advice: str, *sources: str) -> Check:
    """An error that protects readers: the law or the mail programs of most of them leave no choice."""
    return _check(number, code, Level.error, True, title, why, advice, *sources)


_ALL_THE_SAME = (
    _essential(
        None,
        "unreadable",
        "The edition cannot be read at all.",
        "The workspace or one of its files refuses to be opened.",
        "Mend what the message names.",
    ),
    _essential(
        None,
        "template",
        "The template or its theme is wrong.",
        "No mail can be made with it.",
        "Mend the template at the line the message names.",
    ),
)

_ACCESS = (
    _error(
        1,
        "no-language",
        "The mail does not say its language.",
        "Screen readers choose their voice by it; 96 of 100 mails lack it. Mail programs take `<html>` "
        "away, so the element within `<body>` must say it too.",
        "Set `lang` on `<mjml>` in the template.",
        _REPORT,
        _CODE,
        f"{_CANIEMAIL}/html-lang/",
    ),
    _error(
        1,
        "bad-language",
        "The mail’s language is none.",
        "Screen readers fall back to the reader’s own voice, which reads Mongolian as if it were English.",
        "Write a tag of BCP 47, such as `en` or `zh-Hans`.",
        "https://www.rfc-editor.org/rfc/rfc5646",
    ),
    _error(
        2,
        "no-direction",
        "The mail does not say its direction.",
        "Arabic and Hebrew begin on the wrong side, and so do mails of other languages in their programs.",
        "Set `dir` on `<mjml>` in the template.",
        _REPORT,
        _PARCEL,
        f"{_CANIEMAIL}/html-dir/",
    ),
    _error(
        2,
        "wrong-direction",
        "The mail’s direction is not that of its language.",
        "Every line begins on the wrong side, and full stops jump to the other.",
        "Set `dir` to `page.direction` in the template.",
        f"{_CANIEMAIL}/html-dir/",
    ),
    _error(
        3,
        "no-title",
        "The mail has no title.",
        "It is the first thing a screen reader says, and the name of the tab in the archive.",
        "Set `mj-title` in the template.",
        _CODE,
    ),
    _error(
        3,
        "no-article",
        "Nothing in the mail says that it is the mail.",
        "By `role=article` a screen reader tells it from the web page of the mail program around it.",
        "Set `mj-title` in the template; the renderer does the rest.",
        _CODE,
    ),
    _error(
        3,
        "title-differs",
        "The mail has two names.",
        "The title in the head and the name of the article are heard one after the other.",
        "Let `mj-title` set both.",
        _CODE,
    ),
    _error(
        4,
        "layout-table",
        "A table that only lays the mail out is read out as a table.",
        "Whoever listens hears “table with one row and one column” before every picture.",
        'Give it `role="presentation"`, in comments for Outlook too.',
        _REPORT,
        _MAIZZLE,
        _TABLES,
    ),
    _error(
        4,
        "data-table",
        "A table of data does not say what its heads head.",
        "Whoever listens to a cell hears a number and not of what.",
        'Give each `<th>` a `scope`, and take `role="presentation"` off.',
        _TABLES,
    ),
    _error(
        5,
        "no-alt",
        "A picture has no alt text.",
        "Its file name is read out instead, and where pictures are off there is nothing.",
        'Say what the picture shows, or write `alt=""` where it is decoration.',
        _REPORT,
        "https://www.w3.org/WAI/tutorials/images/decision-tree/",
    ),
    _warning(
        6,
        "linked-picture",
        "A picture that is a link does not say where it leads.",
        "In a list of links it is “Logo” or “Photo of a tree”.",
        "Let its alt text say the destination: “Website of the office”.",
        "https://www.w3.org/WAI/tutorials/images/functional/",
    ),
    _error(
        7,
        "one-heading",
        "The mail has no first heading, or several.",
        "Whoever listens starts from the one heading of level 1; three of four mails have none.",
        "Make the mail’s title the only `<h1>`.",
        "https://emailmarkup.org/en/reports/accessibility/2025",
        _HEADINGS,
    ),
    _warning(
        7,
        "heading-leap",
        "A heading leaps over a level.",
        "It sounds as if something were missing.",
        "Use the next level.",
        _HEADINGS,
    ),
    _error(
        7,
        "silent-heading",
        "A heading of the mail has no words.",
        "It is read out all the same.",
        "Give it words, or leave it out.",
        _HEADINGS,
    ),
    _error(
        8,
        "silent-link",
        "A link of the mail has no words.",
        "Nobody sees it, and whoever listens hears its address.",
        "Say where it leads, or leave it out.",
        _LINK_WORDS,
        _REPORT,
    ),
    _error(
        9,
        "low-contrast",
        "Words are hard to tell from their ground.",
        "Who sees little, or reads in the sun, cannot read them; spam filters take it for hidden text.",
        "Choose a colour further from its ground: 4.5:1, or 3:1 for words of 24 pixels, or 19 and bold. It "
        "is measured for the light palette, the dark one, and for programs that drop style sheets.",
        _CONTRAST,
        _SPAM,
    ),
    _warning(
        10,
        "small-text",
        "Words are small.",
        "Phones enlarge small text as they like and break the layout; many cannot read it.",
        "Set running text in 14 pixels or more, better 16, and nothing below 12.",
        f"{_CANIEMAIL}/css-font-size/",
    ),
    _warning(
        10,
        "tight-lines",
        "Lines stand close.",
        "The eye slips into the line above or below.",
        "Set the line height to 1.4 times the size or more.",
        "https://www.w3.org/WAI/WCAG22/Understanding/text-spacing",
    ),
    _warning(
        10,
        "plain-link",
        "Links do not show that they are links.",
        "Colour alone is not seen by everybody.",
        "Underline links, or make them buttons with a ground.",
        "https://www.w3.org/WAI/WCAG22/Understanding/use-of-color",
    ),
    _warning(
        10,
        "centred-text",
        "A paragraph is centred or justified.",
        "The eye has to look for the beginning of every line.",
        "Let paragraphs begin at the margin.",
        "https://www.w3.org/WAI/WCAG22/Understanding/visual-presentation",
    ),
    _error(
        11,
        "unmarked-language",
        "Words in another script do not say their language.",
        "The wrong voice reads them out or skips them, and the wrong font draws them.",
        'Put them into an element with `lang`, such as `<span lang="zh-Hans">`; in Markdown this happens by '
        "itself.",
        "https://www.w3.org/WAI/WCAG22/Understanding/language-of-parts",
        f"{_CANIEMAIL}/html-lang/",
    ),
    _warning(
        11,
        "no-words",
        "There are no phrases in the mail’s language.",
        "English ones stand in, such as “Read more” and “Unsubscribe”, marked as English for screen readers; "
        "not every reader will understand how to leave.",
        "Write a file such as `templates/email/words/ar.toml` in the workspace, named by the language’s tag, "
        "with every key of [Words](../templates.md#words).",
        "https://www.w3.org/WAI/WCAG22/Understanding/language-of-parts",
    ),
    _warning(
        12,
        "no-east-asian-font",
        "Chinese, Japanese or Korean words have no font with their letters.",
        "Each program takes another, and some mix two within a word.",
        "Name a family such as PingFang SC, Microsoft YaHei or Hiragino Sans before `sans-serif`.",
        "https://www.hteumeuleu.com/2020/mso-generic-font-family/",
    ),
    _warning(
        12,
        "web-font-first",
        "A web font is named first on an element.",
        "Outlook on Windows takes Times instead of the whole list.",
        "Name web fonts within `@media` alone.",
        f"{_CANIEMAIL}/css-at-font-face/",
    ),
)

_SIZE_AND_HEAD = (
    _warning(
        13,
        "mail-large",
        "The mail is nearly as large as Gmail shows.",
        "A longer translation or two more stories would be cut off.",
        "Keep the edition as it is, or shorten it.",
        "https://www.spamresource.com/2022/01/",
        _MAIZZLE,
    ),
    _essential(
        13,
        "mail-too-large",
        "The mail is larger than Gmail shows.",
        "Gmail hides what comes after some 102 kB, and with it the link to unsubscribe.",
        "Shorten stories, or move some to the next edition.",
        "https://www.spamresource.com/2022/01/",
        _MAIZZLE,
    ),
    _warning(
        14,
        "large-sheet",
        "A style block is too large for Gmail.",
        "Gmail drops a block above 16 kB whole.",
        "Cut it into two blocks.",
        f"{_CANIEMAIL}/html-style/",
    ),
    _error(
        15,
        "no-doctype",
        "The mail does not begin with its document type.",
        "Mail programs then draw it by the rules of 1998: widths and heights come out wrong.",
        "Let nothing stand before `<!DOCTYPE html>`.",
        _CODE,
        f"{_CANIEMAIL}/html-doctype/",
    ),
    _warning(
        16,
        "missing-meta",
        "The head does not declare something that mail programs ask for.",
        "They guess instead: the width of the screen, dark colours, what is a telephone number.",
        "Add the line the message names to the head.",
        _CODE,
        f"{_CANIEMAIL}/html-meta-color-scheme/",
    ),
    _warning(
        17,
        "no-dark-mode",
        "There are no rules for dark mode.",
        "A third of readers use it, and programs invert colours as they like.",
        "Add a block `@media (prefers-color-scheme: dark)` to the theme.",
        _DARK,
        f"{_CANIEMAIL}/css-at-media-prefers-color-scheme/",
    ),
    _warning(
        17,
        "weak-dark-rule",
        "A rule for dark mode cannot win.",
        "The style on the element beats it without `!important`, and half of the mail stays light.",
        "Write ` !important` behind its colours.",
        _DARK,
        f"{_CANIEMAIL}/css-important/",
    ),
    _warning(
        17,
        "important-spelling",
        "`!important` is written so that some programs ignore it.",
        "Some need a space before the exclamation mark, and small letters.",
        "Write a space, then `!important`.",
        f"{_CANIEMAIL}/css-important/",
    ),
    _error(
        18,
        "bright-ground",
        "Words become light in dark mode and their ground stays light.",
        "They vanish. It happens where a ground is painted on an element that no dark rule knows.",
        "Give every painted ground a rule for dark mode.",
        _DARK,
        _CONTRAST,
    ),
)

_PICTURES = (
    _error(
        19,
        "picture-width",
        "A picture’s width is no whole number of pixels.",
        "Outlook on Windows takes a percentage of the file’s own pixels, and blows it up.",
        "Set `width` in whole pixels, no wider than the mail.",
        f"{_CANIEMAIL}/html-width/",
    ),
    _error(
        19,
        "picture-height",
        "A picture’s height does not bend with its width.",
        "Phones make it narrower and leave it as high: faces become long.",
        "Set `height:auto` in its style, or leave the attribute out.",
        f"{_CANIEMAIL}/html-height/",
    ),
    _warning(
        20,
        "picture-density",
        "A picture has too few or too many pixels for its place.",
        "Screens of today have two or three for each of the layout: fewer look blurred, more only weigh.",
        "Use a file twice as wide as the picture is shown.",
        f"{_CANIEMAIL}/html-srcset/",
    ),
    _error(
        21,
        "picture-format",
        "A picture is in a format that not every program shows.",
        "Outlook on Windows shows no WebP, Gmail neither SVG nor `data:` addresses.",
        "Use JPEG, PNG or GIF.",
        f"{_CANIEMAIL}/image-webp/",
        f"{_CANIEMAIL}/image-svg/",
        f"{_CANIEMAIL}/image-base64/",
    ),
    _warning(
        22,
        "heavy-picture",
        "A picture is heavy.",
        "A phone waits for it, and somebody pays for it.",
        "Export it below 200 kB.",
        "https://support.wordfly.com/hc/en-us/articles/204768024-Is-there-a-size-limit-for-my-email",
    ),
    _warning(
        22,
        "mail-heavy",
        "The mail and its pictures are heavy.",
        "Many read it on a phone, over a network that they pay by the megabyte.",
        "Send fewer pictures, or smaller ones; 500 kB are enough for most mails.",
        "https://support.wordfly.com/hc/en-us/articles/204768024-Is-there-a-size-limit-for-my-email",
    ),
    _error(
        22,
        "mail-overweight",
        "The mail and its pictures weigh more than a megabyte.",
        "On a slow network most readers give up before it is there.",
        "Send fewer pictures, or smaller ones.",
        "https://support.wordfly.com/hc/en-us/articles/204768024-Is-there-a-size-limit-for-my-email",
    ),
    _error(
        23,
        "image-only",
        "The mail is pictures and hardly any words.",
        "Where pictures are off there is no news, and spam filters refuse such mail.",
        "Write as text what the pictures say.",
        _SPAM,
    ),
)

_CLIENTS = (
    _warning(
        24,
        "bare-background",
        "A picture is used as a ground without anything below it.",
        "Outlook shows no such picture, and where pictures are off the words stand on nothing.",
        "Add `bgcolor` and a `v:fill` in a comment for Outlook.",
        f"{_CANIEMAIL}/css-background-image/",
    ),
    _warning(
        24,
        "url-in-sheet",
        "A style block loads something.",
        "Gmail drops the whole block for one `url()`.",
        "Write the picture on the element.",
        f"{_CANIEMAIL}/css-background-image/",
    ),
    _warning(
        25,
        "picture-button",
        "A button is a picture.",
        "It is gone where pictures are off, and it cannot be enlarged.",
        "Make it a link with words on a coloured cell.",
        _PARCEL,
    ),
    _warning(
        25,
        "cramped-button",
        "A button has no room around its words.",
        "A thumb misses it.",
        "Put padding on the link and on its cell; Outlook heeds the cell’s alone.",
        f"{_CANIEMAIL}/css-padding/",
    ),
    _warning(
        25,
        "vml-content",
        "A drawing for Outlook holds what must be followed or heard.",
        "Screen readers skip what is within VML.",
        "Give the drawing `alt`, and keep links and headings out of it.",
        _PARCEL,
    ),
    _error(
        26,
        "outlook-resolution",
        "The head lacks what keeps Outlook’s sizes together.",
        "On a screen set to 120 dpi Outlook enlarges tables and not pictures.",
        "Add the namespaces to `<html>` and PixelsPerInch to the head; MJML does so by itself.",
        _CODE,
    ),
    _error(
        26,
        "outlook-conditional",
        "A comment for Outlook is not whole.",
        "It swallows what follows it, or shows Outlook’s parts to everybody.",
        "Write `<!--[if mso]>…<![endif]-->`, one after the other, never the form `<![if`.",
        _CODE,
    ),
    _error(
        26,
        "unbalanced",
        "The mail’s elements do not close where they should.",
        "Every program repairs that in its own way, and Outlook’s tables fall apart.",
        "Close every table, row, cell and div, within comments for Outlook too.",
        _CODE,
    ),
    _error(
        27,
        "dead-element",
        "The mail uses an element that mail programs take out.",
        "What was in it is gone without a word; scripts and forms also look like an attack.",
        "Use what the message says instead; the [table](support.md) has what may be used.",
        "https://www.caniemail.com/",
    ),
    _error(
        27,
        "unsupported-style",
        "The layout rests on CSS that Outlook or Gmail do not know.",
        "It falls apart there.",
        "Lay out with tables; the [table](support.md) has what may be used.",
        "https://www.caniemail.com/",
    ),
    _warning(
        27,
        "fragile-feature",
        "An element relies on something that only some programs know.",
        "Nothing takes its place where it is dropped.",
        "Move it into `<style>`, where it is an extra.",
        "https://www.caniemail.com/",
    ),
    _warning(
        27,
        "unlisted-feature",
        "The mail uses something that nobody has looked up.",
        "The [table](support.md) has what our themes use; this is not in it.",
        "Look it up, and give it a line in `mailer/checks/support.toml`, or leave it out.",
        "https://www.caniemail.com/",
    ),
    _error(
        28,
        "dead-anchor",
        "A link leads to a place that is not in the mail.",
        "Nothing happens when it is followed.",
        "Give the place the `id` that the link names.",
        f"{_CANIEMAIL}/html-anchor-links/",
    ),
    _warning(
        28,
        "anchor-without-name",
        "Outlook does not find a place in the mail.",
        "It knows names and no ids. In Gmail on iOS, Outlook on phones and Samsung Mail such links do "
        "nothing at all, so a table of contents is an extra, never the only way.",
        'Put `<a name="…"></a>` at the place, in a comment for Outlook.',
        f"{_CANIEMAIL}/html-anchor-links/",
    ),
)

_INBOX_AND_LAW = (
    _warning(
        29,
        "no-preheader",
        "The preheader is not the first text of the mail.",
        "Inboxes show the first text behind the subject.",
        "Put the preheader block at the top of the template.",
        _PREHEADER,
    ),
    _warning(
        29,
        "coloured-preheader",
        "The preheader is hidden by its colour.",
        "Spam filters count text in the colour of its ground against the mail.",
        "Hide it with `display:none` and `mso-hide:all`.",
        _SPAM,
        _PREHEADER,
    ),
    _warning(
        29,
        "no-description",
        "The head has no description.",
        "The archive’s page is announced by it where somebody shares it.",
        'Add `<meta name="description">` with the preheader.',
        _PREHEADER,
    ),
    _essential(
        31,
        "no-text",
        "There is no text part.",
        "Watches, screen readers in a terminal and careful partners read it, and spam filters ask for it.",
        "Give the template its `.txt.j2` twin.",
        _SPAM,
    ),
    _error(
        31,
        "text-differs",
        "The two parts of the mail say different things.",
        "Spam filters compare them, because forgers hide one behind the other.",
        "Let both templates show the same stories in the same words.",
        "https://cwiki.apache.org/confluence/display/SPAMASSASSIN/Rules/MPART_ALT_DIFF",
        _SPAM,
    ),
    _essential(
        32,
        "no-unsubscribe",
        "A part of the mail has no visible link to leave.",
        "The law of most countries asks for it, and whoever does not find it presses “spam”.",
        "Put `page.merge_tag.unsubscribe_url` into the footer of both templates.",
        _SENDERS,
        _SENDERS_ALSO,
    ),
    _essential(
        32,
        "no-preferences",
        "A part of the mail has no link to choose what to get.",
        "Who can choose less does not leave.",
        "Put `page.merge_tag.preferences_url` into the footer of both templates.",
        _SENDERS_ALSO,
    ),
    _essential(
        32,
        "no-postal-address",
        "A part of the mail does not say who writes from where.",
        "The law of most countries asks for the sender’s name and postal address in every mailing.",
        "Put `page.organisation` and the postal address into the footer of both templates.",
        "https://www.ftc.gov/business-guidance/resources/can-spam-act-compliance-guide-business",
        _SENDERS,
    ),
    _essential(
        33,
        "no-list-unsubscribe",
        "The message has no List-Unsubscribe with a page and an address.",
        "Gmail and Yahoo refuse bulk mail without it, and mail programs make their button of it.",
        "Set `web.base_url` to an https address and `sender.address`.",
        _SENDERS,
        "https://www.rfc-editor.org/rfc/rfc2369",
    ),
    _essential(
        33,
        "no-one-click",
        "The message does not offer to leave with one click.",
        "Gmail and Yahoo ask for it of everybody who sends in bulk.",
        "Let the message carry `List-Unsubscribe-Post: List-Unsubscribe=One-Click`.",
        "https://www.rfc-editor.org/rfc/rfc8058",
        _SENDERS,
    ),
    _essential(
        33,
        "no-list-id",
        "The message has no List-Id.",
        "Readers sort by it, and providers judge the list by it.",
        "Set `sender.list_id`, such as `newsletter.example.org`.",
        "https://www.rfc-editor.org/rfc/rfc2919",
    ),
    _essential(
        33,
        "dkim-gap",
        "The signature does not cover the headers for leaving.",
        "Providers heed those headers only where DKIM covers them.",
        "Let the relay sign List-Unsubscribe and List-Unsubscribe-Post.",
        "https://www.rfc-editor.org/rfc/rfc8058",
    ),
    _essential(
        34,
        "message-header",
        "From, Date or Message-ID is missing, double or broken.",
        "Providers take such a message for forged.",
        "Report it: the program makes these headers itself.",
        "https://www.rfc-editor.org/rfc/rfc5322",
        _SPAM,
    ),
    _essential(
        34,
        "foreign-message-id",
        "The Message-ID belongs to another domain than the sender.",
        "Forged mail often does.",
        "Report it: the program makes this header itself.",
        "https://www.rfc-editor.org/rfc/rfc5322",
    ),
    _essential(
        34,
        "long-line",
        "A line of the message is longer than SMTP allows.",
        "Servers cut it, in the middle of a link or of a letter.",
        "Report it: the program encodes the parts itself.",
        "https://www.rfc-editor.org/rfc/rfc5322",
    ),
)

_TARGETS = (
    _error(
        35,
        "link-to-nowhere",
        "A link has no address.",
        "Nothing happens when it is followed.",
        "Give it an address, or take it out.",
        "https://www.rfc-editor.org/rfc/rfc3986",
    ),
    _error(
        35,
        "relative-picture",
        "A picture has no full web address.",
        "A mail has no page that it could be relative to.",
        "Begin the address with https://.",
        "https://www.rfc-editor.org/rfc/rfc3986",
    ),
    _warning(
        36,
        "uneven-tags",
        "Links to one site carry different utm_ parameters.",
        "Visits of one mail are counted as those of several.",
        "Give all links to the site the same parameters, or none.",
        _MAIZZLE,
    ),
    _warning(
        36,
        "escaped-twice",
        "A link has been escaped twice.",
        "The site gets a parameter called `amp;utm_medium`.",
        "Write `&` once; the program escapes it.",
        _MAIZZLE,
    ),
    _warning(
        36,
        "tagged-personal-link",
        "A reader’s own link carries utm_ parameters.",
        "Leaving and choosing are nobody’s visit, and some addresses break by it.",
        "Take the parameters off links to leave, to choose and to write.",
        _MAIZZLE,
    ),
    _essential(
        37,
        "jinja-left",
        "The mail holds signs of a template.",
        "Readers would see {{ name }} where a name belongs.",
        "Mend the template, or write the braces otherwise.",
        "https://jinja.palletsprojects.com/en/stable/templates/",
    ),
    _essential(
        37,
        "merge-left",
        "The mail holds a field of another mailing program.",
        "Nothing fills it here; readers would see %%NAME%%.",
        "Take it out; the greeting is `page.merge_tag.greeting`.",
        "https://jinja.palletsprojects.com/en/stable/templates/",
    ),
    _essential(
        37,
        "mjml-left",
        "The mail holds a component of MJML.",
        "The renderer passed it through, and no mail program knows it.",
        "Use the components of `templates/email/components.toml`.",
        "https://documentation.mjml.io/",
    ),
    _essential(
        37,
        "escape-left",
        "The mail holds escapes of the renderer.",
        "An attribute held a character that the renderer writes in its own way.",
        "Report it: the program guards against it.",
        "https://github.com/jdrouet/mrml",
    ),
    _essential(
        37,
        "unknown-hole",
        "The mail has a hole that nothing fills.",
        "Readers would see @@name@@.",
        "Use one of `page.merge_tag`.",
        "https://jinja.palletsprojects.com/en/stable/templates/",
    ),
    _essential(
        37,
        "mark-left",
        "The mail holds the mark of a slice.",
        "A template opens a slice that it never closes, or the other way round.",
        "Mend the marks in the template.",
        "https://jinja.palletsprojects.com/en/stable/templates/",
    ),
    _essential(
        38,
        "mjml",
        "The template is no MJML that the renderer does well.",
        "The renderer says nothing about an unknown component, a misspelt attribute or a wrong place, and "
        "draws something else.",
        "Mend the line that the message names; `templates/email/components.toml` has what may be used.",
        "https://documentation.mjml.io/",
    ),
    _warning(
        39,
        "link-broken",
        "A page answers with an error.",
        "Readers would see “not found”. Only `mailer check --online` asks.",
        "Open the link, and correct it.",
        "https://www.rfc-editor.org/rfc/rfc9110#name-status-codes",
    ),
    _warning(
        39,
        "link-unreachable",
        "A page does not answer.",
        "The site may be gone, or slow from here. Only `mailer check --online` asks.",
        "Open the link from another network, and correct it if it is gone.",
        "https://www.rfc-editor.org/rfc/rfc9110",
    ),
    _warning(
        39,
        "link-refused",
        "A link leads into a private network.",
        "Readers cannot reach it, and we do not ask such addresses.",
        "Use the public address.",
        "https://www.rfc-editor.org/rfc/rfc6890",
    ),
)

MAIL_CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        check.code: check
        for check in (
            *_ACCESS,
            *_SIZE_AND_HEAD,
            *_PICTURES,
            *_CLIENTS,
            *_INBOX_AND_LAW,
            *_TARGETS,
            *_ALL_THE_SAME,
        )
    }
)
"""The checks of the finished mail by code. Some of those of the files are asked of it too."""

CHECKS: Mapping[str, Check] = MappingProxyType({**SOURCE_CHECKS, **MAIL_CHECKS})
"""All of them by code."""
