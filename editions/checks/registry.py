"""What is checked about an edition's files: every complaint there can be, with its reason and its cure.

The pages in ``docs/checks/`` are written from these rows, and ``mailer check --explain`` prints them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from editions.problem import Level

_ALT = "https://www.w3.org/WAI/tutorials/images/decision-tree/"
_ACCESSIBILITY = "https://emailmarkup.org/en/reports/accessibility/2026"
_COMMONMARK = "https://spec.commonmark.org/0.31.2/"
_HEADINGS = "https://www.w3.org/WAI/tutorials/page-structure/headings/"
_LINK_WORDS = "https://www.w3.org/WAI/WCAG22/Understanding/link-purpose-in-context"
_PARTS = "https://www.w3.org/WAI/WCAG22/Understanding/language-of-parts"
_SENDERS = "https://support.google.com/a/answer/81126"
_SPAM = "https://spamassassin.apache.org/old/tests_3_3_x.html"
_TAGS = "https://www.rfc-editor.org/rfc/rfc5646"
_URLS = "https://www.rfc-editor.org/rfc/rfc3986"
_YAML = "https://yaml.org/spec/1.2.2/"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that is looked at.

    ``number`` is its place in the list of what a newsletter is checked for (1 to 39), None where it is about
    the files alone. ``title`` says the fault in a few words, ``why`` whom it harms, ``advice`` what to do;
    each is whole sentences. ``sources`` are web addresses. An ``essential`` check cannot be switched off.
    """

    code: str
    level: Level
    title: str
    why: str
    advice: str
    number: int | None = None
    sources: tuple[str, ...] = ()
    essential: bool = False


def _error(code: str, number: int | None, title: str, why: str, advice: str, *sources: str) -> Check:
    return Check(
        code=code, level=Level.error, number=number, title=title, why=why, advice=advice, sources=sources
    )


def _warning(code: str, number: int | None, title: str, why: str, advice: str, *sources: str) -> Check:
    return Check(
        code=code, level=Level.warning, number=number, title=title, why=why, advice=advice, sources=sources
    )


def _essential_error(
    code: str, title: str, why: str, advice: str, *sources: str, number: int | None = None
) -> Check:
    """An error without whose cure there is no edition, or an unsafe one."""
    return Check(
        code=code,
        level=Level.error,
        number=number,
        title=title,
        why=why,
        advice=advice,
        sources=sources,
        essential=True,
    )


_FOLDER = (
    _essential_error(
        "not-an-edition",
        "There is no edition here.",
        "The name given leads to no folder, so nothing can be read.",
        "Name the folder of an edition; `mailer check` lists those there are.",
    ),
    _essential_error(
        "unreadable-file",
        "A file or folder cannot be read.",
        "The system refuses to open it, usually because of its permissions.",
        "Make it readable for the account that runs `mailer`, and try again.",
    ),
    _essential_error(
        "bad-folder-name",
        "The edition’s folder has a name that no web address can hold.",
        "The folder’s name becomes part of the address of the archive.",
        "Rename the folder with letters, digits and hyphens, as in `2021-2`.",
        _URLS,
    ),
    _essential_error(
        "missing-edition-file",
        "There is no edition.md.",
        "It holds the title, the subject and the letter; without it there is no mail.",
        "Write `edition.md`; `mailer init --sample` brings one to look at.",
    ),
    _essential_error(
        "no-stories",
        "The edition has no story.",
        "There is nothing to send.",
        "Write a story into `stories/`, named as in `010-forum.md`.",
    ),
    _essential_error(
        "story-name",
        "A story’s file is not named as stories are.",
        "The name gives a story its place and its address; this one would be left out without a word.",
        "Rename it to three digits, a hyphen and a slug, as in `010-youth-forum.md`.",
    ),
    _essential_error(
        "duplicate-number",
        "Two stories have the same number.",
        "Chance would decide which comes first.",
        "Give one of them another number.",
    ),
    _essential_error(
        "duplicate-slug",
        "Two stories have the same slug.",
        "Links to them could not tell them apart.",
        "Rename one of the two files.",
    ),
    _essential_error(
        "duplicate-translation",
        "A text is translated twice into one language.",
        "Only one of the two could be sent.",
        "Keep one file and delete the other.",
    ),
    _essential_error(
        "orphan-translation",
        "A translation has no original.",
        "The files are matched by number and slug, and nothing matches this one.",
        "Give it the name of its original with the language added, or delete it.",
    ),
    _warning(
        "stray-file",
        None,
        "A file is no part of the edition.",
        "It is not sent, and somebody may believe that it is.",
        "Move it where it belongs: stories into `stories/`, pictures into `images/`, the rest elsewhere.",
    ),
    _essential_error(
        "outside-folder",
        "A file leads out of the edition’s folder.",
        "A link to another place of the disk could send what nobody meant to send.",
        "Put a copy of the file into the edition’s folder.",
    ),
    _essential_error(
        "file-too-large",
        "A text file is too large.",
        "No story is a megabyte long; this is likely another kind of file.",
        "Look whether it is the right file, and shorten it.",
    ),
    _essential_error(
        "not-utf-8",
        "A file is not written in UTF-8.",
        "Its letters would come out as others, Chinese ones as none at all.",
        "Save it again with the encoding UTF-8.",
        "https://www.rfc-editor.org/rfc/rfc3629",
    ),
    _essential_error(
        "unsafe-character",
        "A text holds a character that must not be sent.",
        "Control characters and marks that turn the direction of writing break mails or hide what they say.",
        "Delete the character; typing the words anew gets rid of it.",
        "https://www.unicode.org/reports/tr36/",
    ),
)

_FRONT_MATTER = (
    _essential_error(
        "no-front-matter",
        "A file does not begin with front matter.",
        "Without it the file has no title.",
        "Begin the file with a line `---`, the keys, and `---` again.",
        _YAML,
    ),
    _essential_error(
        "open-front-matter",
        "The front matter is never closed.",
        "All of the file would be keys, and nothing the text.",
        "Add a line `---` after the last key.",
        _YAML,
    ),
    _essential_error(
        "yaml-syntax",
        "The front matter is not valid YAML.",
        "It can be read in more than one way, or in none.",
        "Mend the line; a value with a colon or a quotation mark needs quotes around it.",
        _YAML,
    ),
    _essential_error(
        "no-keys",
        "The front matter has no keys.",
        "It must be a list of keys with a value each.",
        "Write lines such as `title: Our year`.",
        _YAML,
    ),
    _essential_error(
        "yaml-too-deep",
        "The front matter is nested too deeply.",
        "No key asks for it, and deep nesting can exhaust the memory.",
        "Write it flat.",
    ),
    _essential_error(
        "yaml-anchor",
        "The front matter uses an anchor or an alias.",
        "A few lines of them can unfold into gigabytes.",
        "Write the value out, or put quotes around it.",
        "https://yaml.org/spec/1.2.2/#3222-anchors-and-aliases",
    ),
    _essential_error(
        "yaml-tag",
        "The front matter uses a tag.",
        "Tags make a program construct objects; every value here is plain text.",
        "Put quotes around the value.",
        "https://yaml.org/spec/1.2.2/#3221-tags",
    ),
    _essential_error(
        "front-matter-too-large",
        "The front matter is too long.",
        "Long texts do not belong there.",
        "Move long texts into the body.",
    ),
    _essential_error(
        "duplicate-key",
        "A key is given twice.",
        "One of the two values would be lost without a word.",
        "Keep one.",
        _YAML,
    ),
    _essential_error(
        "missing-key",
        "A key is missing or empty.",
        "The mail cannot be made without it.",
        "Add the line that the message names.",
    ),
    _essential_error(
        "unknown-key",
        "A key is not known.",
        "It would be ignored without a word; most often it is misspelt.",
        "Correct it; the message names the likeliest.",
    ),
    _essential_error(
        "wrong-type",
        "A key has a value of the wrong kind.",
        "A list stands where a text belongs, or the other way round.",
        "Write the value as the message says.",
    ),
    _essential_error(
        "bad-date",
        "A date is none.",
        "It is in no calendar, or not written as year-month-day.",
        "Write it as in `2021-12-31`.",
        "https://www.rfc-editor.org/rfc/rfc3339",
    ),
    _essential_error(
        "unknown-language",
        "A language is not known.",
        "Nobody’s language would match it, and screen readers could not choose a voice.",
        "Use a tag such as `en`, `zh-Hans`, `mn`, `ja`, `ko` or `fr`.",
        _TAGS,
    ),
    _essential_error(
        "unknown-country",
        "A country is not known.",
        "Nobody would be matched by it.",
        "Use the two letters of ISO 3166-1, such as `MN`.",
        "https://www.iso.org/iso-3166-country-codes.html",
    ),
    _essential_error(
        "country-case",
        "A country is not written in capitals.",
        "Small letters are languages: `mn` is Mongolian, `MN` is Mongolia.",
        "Write the code in capitals.",
        "https://www.iso.org/iso-3166-country-codes.html",
    ),
    _essential_error(
        "unknown-sector",
        "A sector is none of those in mailer.toml.",
        "The story would reach nobody who follows a sector.",
        "Use one of the configured sectors, or leave the line out for office news.",
    ),
    _essential_error(
        "unknown-section",
        "An introduction belongs to no section.",
        "Nobody would see its words.",
        "Name a sector or one of the fixed sections.",
    ),
    _essential_error(
        "unknown-kind",
        "A story’s kind is not known.",
        "The kind picks the block that draws the story.",
        "Use one of the kinds the message lists.",
    ),
    _essential_error(
        "unknown-personalisation",
        "The way to personalise is not known.",
        "Nobody could say who gets which story.",
        "Write `off`, `order` or `filter`.",
    ),
    _essential_error(
        "bad-template",
        "A template’s name is none.",
        "It becomes part of a file’s name.",
        "Use small letters, digits and hyphens, as in `periodical`.",
    ),
    _essential_error(
        "unknown-check",
        "A check that is switched off does not exist.",
        "The line would do nothing, and somebody would believe that it does.",
        "Correct the code, or delete the line.",
    ),
    _essential_error(
        "essential-check",
        "A check is switched off that protects readers.",
        "The law, or the mail programs of most readers, leave no choice in it.",
        "Delete the line and mend what the check finds.",
        _SENDERS,
    ),
    _essential_error(
        "check-without-reason",
        "A check is switched off without a reason.",
        "Whoever approves the campaign reads the reason, and decides by it.",
        "Write the reason behind the code: `checks: {long-story: the minister’s words, in full}`.",
    ),
)

_CONTENT = (
    _essential_error(
        "reserved-sign",
        "A text holds @@.",
        "It marks the places of a mail that are filled for each reader.",
        "Write one @, or put a space between the two.",
        number=37,
    ),
    _error(
        "empty-story",
        None,
        "A story has no body.",
        "There is nothing to read under its title.",
        "Write the story below the front matter.",
    ),
    _warning(
        "long-story",
        None,
        "A story is long.",
        "Few read on after 400 words, and Gmail cuts a mail off at 102 kB.",
        "Shorten it, and link to the rest with `read_more`.",
        "https://www.spamresource.com/2022/01/",
    ),
    _error(
        "empty-letter",
        None,
        "The letter has a heading and no words.",
        "Readers would see a name above nothing.",
        "Write the letter below the front matter of `edition.md`, or delete the key `letter`.",
    ),
    _error(
        "letter-without-heading",
        None,
        "The letter has words and no heading.",
        "It would not be sent.",
        "Add `letter` with a title and a name to the front matter, or delete the words.",
    ),
    _essential_error(
        "body-too-long",
        "A body is longer than a mail can be.",
        "A whole mail stays below 100 kB.",
        "Shorten it, and link to the rest.",
        "https://www.spamresource.com/2022/01/",
    ),
    _essential_error(
        "raw-html",
        "A body holds raw HTML.",
        "Mail programs each draw it differently, and it could carry what harms readers.",
        "Use Markdown, or write `\\<` for a plain sign.",
        _COMMONMARK,
    ),
    _error(
        "picture-in-body",
        None,
        "A picture stands in the body.",
        "It would have neither size nor credit, and Outlook would draw it as large as its file.",
        "Name it in the front matter, under `image`.",
        "https://www.caniemail.com/features/html-width/",
    ),
    _error(
        "nested-too-deep",
        None,
        "Quotations or lists are nested beyond reason.",
        "What stands deeper than ten lists or twenty quotations would be missing in the mail.",
        "Use one or two levels.",
    ),
    _error(
        "top-heading",
        7,
        "A body has a heading of the first level.",
        "The mail has one such heading, its own title; people who listen find their way by the levels.",
        "Begin with `##`.",
        _HEADINGS,
        _ACCESSIBILITY,
    ),
    _error(
        "deep-heading",
        7,
        "A heading is of too deep a level.",
        "A story has room for two levels below its title.",
        "Use `##` or `###`.",
        _HEADINGS,
    ),
    _error(
        "skipped-heading",
        7,
        "A heading skips a level.",
        "A skipped level sounds as if something were missing.",
        "Use `##`, or put a `##` above it.",
        _HEADINGS,
    ),
    _error(
        "empty-heading",
        7,
        "A heading has no words.",
        "It is read out all the same.",
        "Delete it.",
        _HEADINGS,
    ),
    _warning(
        "long-subject",
        30,
        "The subject is long.",
        "Inboxes cut it off after some 70 characters, phones sooner.",
        "Say the most important thing in 70 characters; a Chinese character counts for two.",
    ),
    _warning(
        "shouting-subject",
        30,
        "The subject is in capitals only.",
        "It reads as shouting, and spam filters count it against the mail.",
        "Use small letters too.",
        _SPAM,
    ),
    _warning(
        "loud-subject",
        30,
        "The subject sounds like an advertisement.",
        "Spam filters count several exclamation marks and promises such as “100% guaranteed” against a mail.",
        "Say what is in the mail, without exclamation.",
        _SPAM,
    ),
    _warning(
        "preheader-length",
        29,
        "The preheader is too short or too long.",
        "Inboxes show it behind the subject: they fill up a short one with the mail’s first words, and cut "
        "off a long one.",
        "Write 40 to 130 characters.",
        "https://emailmarkup.org/en/blog/",
    ),
    _warning(
        "preheader-repeats-subject",
        29,
        "The preheader repeats the subject.",
        "The two stand side by side in the inbox.",
        "Say what else is in the mail.",
        "https://emailmarkup.org/en/blog/",
    ),
)

_LINKS = (
    _error(
        "empty-link",
        8,
        "A link has no words.",
        "Nobody can see it, and whoever listens hears its address.",
        "Write `[words](address)`.",
        _LINK_WORDS,
    ),
    _warning(
        "vague-link",
        8,
        "A link’s words say nothing.",
        "Screen readers list links without the words around them; “click here” leads nowhere there.",
        "Say what is behind the link.",
        _LINK_WORDS,
        _ACCESSIBILITY,
    ),
    _warning(
        "bare-link",
        8,
        "A link’s words are its address.",
        "It is read out letter by letter.",
        "Write `[words](address)`, with words that say what it is.",
        _LINK_WORDS,
    ),
    _warning(
        "same-link-words",
        8,
        "Two links have the same words and different targets.",
        "In a list of links they cannot be told apart.",
        "Say in each what it leads to.",
        _LINK_WORDS,
    ),
    _essential_error(
        "relative-link",
        "A link is not a whole address.",
        "A mail has no page that it could be relative to.",
        "Write the whole address, beginning with https://.",
        _URLS,
        number=35,
    ),
    _essential_error(
        "link-scheme",
        "A link leads to something mail programs block.",
        "Only web pages and mail addresses can be opened from a mail; `javascript:` is how phishing works.",
        "Link to https://, http:// or mailto:.",
        _URLS,
        number=35,
    ),
    _essential_error(
        "broken-link",
        "A link is no address.",
        "It leads nowhere.",
        "Copy the address again from the browser.",
        _URLS,
        number=35,
    ),
    _essential_error(
        "numeric-link",
        "A link leads to a number instead of a name.",
        "Spam filters refuse it, since phishing does it.",
        "Use the site’s name.",
        _SPAM,
        number=35,
    ),
    _essential_error(
        "private-link",
        "A link leads into your own network.",
        "Readers elsewhere cannot reach it.",
        "Use the public address.",
        "https://www.rfc-editor.org/rfc/rfc6761",
        number=35,
    ),
    _warning(
        "plain-http",
        35,
        "A link begins with http://.",
        "Browsers warn of pages without encryption, and some mail programs hide such links.",
        "Try the same address with https://, and write that where it works.",
        _SENDERS,
    ),
    _warning(
        "short-link",
        35,
        "A link goes through a shortener.",
        "Nobody can see where it leads, and spam filters count shorteners against a mail.",
        "Write the address of the page itself.",
        "https://www.spamhaus.org/resource-hub/email-security/",
    ),
)

_IMAGES = (
    _error(
        "alt-is-file-name",
        5,
        "An alt text is the name of a file.",
        "It is read out, and says nothing.",
        "Say what the picture shows.",
        _ALT,
        _ACCESSIBILITY,
    ),
    _error(
        "alt-repeats-caption",
        5,
        "An alt text repeats the caption.",
        "Whoever listens hears it twice.",
        "Say what the picture shows.",
        _ALT,
    ),
    _warning(
        "long-alt",
        5,
        "An alt text is long.",
        "It is read in one breath, and cannot be skimmed.",
        "Keep it to 125 characters, and say the rest in the caption or the body.",
        _ALT,
    ),
    _essential_error(
        "image-path",
        "A picture is named by more than its file’s name.",
        "Pictures lie in `images/`, and nowhere else.",
        "Write the file’s name alone, as in `forum.jpg`.",
    ),
    _essential_error(
        "missing-image",
        "A picture is not there.",
        "Readers would see an empty frame.",
        "Put the file into `images/`, or correct its name.",
    ),
    _essential_error(
        "image-format",
        "A picture is in a format that not every mail program shows.",
        "Outlook on Windows shows no WebP, Gmail no SVG.",
        "Save it as JPEG, PNG or GIF.",
        "https://www.caniemail.com/features/image-webp/",
        "https://www.caniemail.com/features/image-svg/",
        number=21,
    ),
    _essential_error(
        "image-too-large",
        "A picture is too large to be read.",
        "It would fill the memory.",
        "Export it smaller; 1,200 pixels of width are enough.",
    ),
    _essential_error(
        "broken-image",
        "A picture’s file is broken.",
        "It cannot be read to its end.",
        "Export or download it again.",
    ),
    _warning(
        "narrow-image",
        20,
        "A picture has few pixels.",
        "It looks blurred, most of all on phones.",
        "Use one that is twice as wide as it is shown: 1,184 pixels for a story.",
        "https://www.caniemail.com/features/html-srcset/",
    ),
    _warning(
        "unused-image",
        None,
        "A picture is named by no story.",
        "It is not sent, and somebody may believe that it is.",
        "Name it in a story, or delete it.",
    ),
)

_TRANSLATIONS = (
    _warning(
        "incomplete-translation",
        None,
        "A translation is not whole.",
        "An edition is sent in a language only when all of it is there.",
        "Add what the message lists.",
    ),
    _essential_error(
        "own-language",
        "A file translates into the language of the original.",
        "There would be two originals.",
        "Delete one.",
    ),
    _warning(
        "original-changed",
        None,
        "The original has changed since it was translated.",
        "The translation may say something else by now.",
        "Compare the two, then write the new digest behind `translated_from`.",
    ),
    _error(
        "image-without-original",
        None,
        "A translation has words for a picture that the original has not.",
        "They belong to no picture.",
        "Delete `image` in the translation, or add it to the original.",
    ),
    _warning(
        "untranslated-alt",
        11,
        "An alt text is not translated.",
        "It is read out by the voice of the other language.",
        "Add `alt` under `image` of the translation.",
        _PARTS,
    ),
    _warning(
        "untranslated-caption",
        None,
        "A caption is not translated.",
        "Readers get it in another language.",
        "Add `caption` under `image` of the translation.",
    ),
    _warning(
        "untranslated-links",
        None,
        "The links below a story are not translated.",
        "Readers get them in another language.",
        "Add `read_more` to the translation.",
    ),
)

_WORD_DOCUMENTS = (
    _essential_error(
        "not-a-document",
        "A file to import is no Word document.",
        "Only `.docx` holds its text in a form that can be read without Word.",
        "Open it in Word or LibreOffice and save it as `.docx`.",
    ),
    _essential_error(
        "protected-document",
        "A document to import is protected by a password.",
        "Its text is encrypted.",
        "Open it in Word, take the password off, and save it again.",
    ),
    _essential_error(
        "broken-document",
        "A document to import is broken.",
        "A part of it cannot be unpacked or read.",
        "Open it in Word or LibreOffice and save it again.",
    ),
    _essential_error(
        "document-too-large",
        "A document to import is larger than a newsletter can be.",
        "Unpacking it could fill the memory.",
        "Split it, or save it again in Word.",
    ),
    _essential_error(
        "document-type",
        "A document to import declares a document type.",
        "Word never writes one, and attacks do.",
        "Ask where the file comes from.",
    ),
    _essential_error(
        "edition-exists",
        "There is an edition of that name.",
        "None is ever overwritten.",
        "Give the new one another name.",
    ),
)

_ALL = (*_FOLDER, *_FRONT_MATTER, *_CONTENT, *_LINKS, *_IMAGES, *_TRANSLATIONS, *_WORD_DOCUMENTS)

SOURCE_CHECKS: Mapping[str, Check] = MappingProxyType({check.code: check for check in _ALL})
"""The checks of this package by code."""
