"""w3m, a browser for terminals: the HTML as text beside the text part. Both must say the same."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from tests.judges.complaint import Complaint, run_judge
from tests.judges.mails import Mail

# So wide that nothing is broken; links are numbered, and listed at the end.
_COMMAND = (
    *("w3m", "-dump", "-cols", "4000", "-o", "display_link_number=1"),
    *("-T", "text/html", "-I", "UTF-8", "-O", "UTF-8"),
)
# As people take it out of a text: brackets in pairs, and without the stop that ends the sentence.
_URL = re.compile(r"https?://(?:[^\s()<>]|\([^\s()<>]*\))+(?<![.,;:!?])")
_REFERENCES = re.compile(r"^References:\n\n", re.MULTILINE)
_REFERENCE = re.compile(r"^\[\d+\] (\S+)$", re.MULTILINE)
# A browser's command line names the links within a page by the file it was given.
_WITHIN = "file:"


def judge_parts(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """Every story's title and every link of one part is in the other."""
    for mail in mails:
        dumped = run_judge([*_COMMAND, mail.html])
        *body, references = _REFERENCES.split(dumped) if _REFERENCES.search(dumped) else [dumped, ""]
        yield from compare_parts(mail, "".join(body), _REFERENCE.findall(references))


def compare_parts(mail: Mail, shown: str, links: Sequence[str]) -> Iterator[Complaint]:
    """What only one part says; ``shown`` is the HTML as text, ``links`` are where it leads."""
    text = mail.text.read_text("utf-8")
    for title in mail.titles:
        for file, words in ((mail.html, shown), (mail.text, text)):
            if _squeeze(title) not in _squeeze(words):
                yield Complaint(file, 1, f"the title “{title}” is missing")
    in_html = {_normalise(link) for link in links if not link.startswith(_WITHIN)}
    in_text = {_normalise(link) for link in _URL.findall(text)}
    for link in sorted(in_text - in_html):
        yield Complaint(mail.html, 1, f"the text part links to {link}, and nothing here does")
    for link in sorted(in_html - in_text):
        if not _is_address_in(link, text):
            yield Complaint(mail.text, 1, f"the HTML links to {link}, and nothing here does")


def _is_address_in(link: str, text: str) -> bool:
    """Whether ``link`` is a mailto whose address a text names; the subject it begins with is for programs."""
    address = link.removeprefix("mailto:").partition("?")[0]
    return link.startswith("mailto:") and address in unquote(text)


def _squeeze(text: str) -> str:
    """``text`` without spaces and line ends: each part breaks its lines elsewhere."""
    return "".join(text.split())


def _normalise(url: str) -> str:
    """``url`` as w3m lists it: it adds the slash of a bare host, and escapes what is not ASCII."""
    return unquote(f"{url}/" if re.fullmatch(r"https?://[^/?#]+", url) else url)
