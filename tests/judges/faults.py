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
    _edit(mail.mjml, "<mj-section", '<mj-section paddign="0px"')


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
    "mjml": misspell_an_attribute,
}


def copy_mail(mail: Mail, folder: Path) -> Mail:
    """``mail`` with files of its own in ``folder``, to plant a fault in."""
    folder.mkdir(parents=True)
    files = {name: folder / getattr(mail, name).name for name in ("html", "text", "eml", "mjml")}
    for name, path in files.items():
        shutil.copyfile(getattr(mail, name), path)
    # SpamAssassin's verdicts are told apart by it.
    _edit(files["eml"], "\nMessage-ID: <", f"\nMessage-ID: <{folder.name}.")
    return replace(mail, **files)
