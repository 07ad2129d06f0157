"""The judges judged: for each of them a fault that it must see, and that no other can."""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tests.judges.mails import Mail

# As strong as a selector need be to win over the theme's own.
_NIGHT = "<style>@media (prefers-color-scheme: dark) { :root h3[class] { color: #333 !important } }</style>"


def fade_headings_by_night(mail: Mail) -> None:
    """Headings are dark grey where the ground is nearly black."""
    _edit(mail.html, "</head>", f"{_NIGHT}</head>")


def shout_the_subject(mail: Mail) -> None:
    """The subject promises too much, too loudly."""
    _edit(mail.eml, r"\nSubject: .*(\n[ \t].*)*", "\nSubject: 100% GUARANTEED WINNER")


def misspell_a_property(mail: Mail) -> None:
    """A heading's style has a property that CSS does not know."""
    _edit(mail.html, r'<h2\b[^>]*? style="', r"\g<0>colour:red;")


def double_a_class(mail: Mail) -> None:
    """A heading is of the same class twice."""
    _edit(mail.html, r'<h3\b[^>]*? class="(\w+)', r"\g<0> \g<1>")


def forget_a_story(mail: Mail) -> None:
    """The text part lacks a story's title, which the HTML has."""
    text = mail.text.read_text("utf-8")
    first = next(title for title in mail.titles if title in text)
    mail.text.write_text(text.replace(first, "A story"), "utf-8")


def misspell_an_attribute(mail: Mail) -> None:
    """A component of the MJML has an attribute that it does not know."""
    assert mail.mjml
    _edit(mail.mjml, "<mj-section", '<mj-section paddign="0px"')


def set_columns_in_a_line(mail: Mail) -> None:
    """On paper the column is one block that no page can hold, as it was before the rules for paper."""
    rule = "@media print{.mj-column-per-100[class]{display:inline-block !important}}"
    _edit(mail.html, "</head>", f"<style>{rule}</style></head>")


def fill_the_sheet(mail: Mail) -> None:
    """A text beside a picture takes every pixel, and has none to spare."""
    _edit(
        mail.html,
        r'class="m" style="float:left;max-width:\d+px',
        # On a phone there is room to spare: that would be another judge's business.
        'class="m" style="float:left;width:min(327px,80vw)',
    )


def leave_the_width_to_a_sheet(mail: Mail) -> None:
    """A title is kept on one line, and only a style sheet says otherwise."""
    _edit(mail.html, r'<h3\b[^>]*? style="', r"\g<0>white-space:nowrap;width:800px;")
    _edit(
        mail.html,
        "</head>",
        "<style>.pg h3{white-space:normal !important;width:auto !important}</style></head>",
    )


def leave_the_dark_to_media_queries(mail: Mail) -> None:
    """The dark rules are inside @media alone."""
    _edit(mail.html, r'<style media="\(prefers-color-scheme:dark\)">[^<]*</style>', "")


def _edit(file: Path, pattern: str, replacement: str) -> None:
    """Replace the first ``pattern`` in ``file``; there must be one."""
    edited, count = re.subn(pattern, replacement, file.read_text("utf-8"), count=1)
    assert count, f"{file.name} has no {pattern}"
    file.write_text(edited, "utf-8")


FAULTS: Mapping[str, Callable[[Mail], None]] = {
    "axe": fade_headings_by_night,
    "spamassassin": shout_the_subject,
    "nu": misspell_a_property,
    "html-validate": double_a_class,
    "w3m": forget_a_story,
    "paper": set_columns_in_a_line,
    "forwarding": fill_the_sheet,
    "unstyled": leave_the_width_to_a_sheet,
    "thunderbird": leave_the_dark_to_media_queries,
    "mjml": misspell_an_attribute,
}


def copy_mail(mail: Mail, folder: Path) -> Mail:
    """``mail`` with files of its own in ``folder``, to plant a fault in."""
    folder.mkdir(parents=True)
    names = ("html", "text", "eml", *(["mjml"] if mail.mjml else []))
    files = {name: folder / getattr(mail, name).name for name in names}
    for name, path in files.items():
        shutil.copyfile(getattr(mail, name), path)
    # SpamAssassin's verdicts are told apart by it.
    _edit(files["eml"], "\nMessage-ID: <", f"\nMessage-ID: <{folder.name}.")
    return replace(mail, **files)
