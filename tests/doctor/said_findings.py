"""What stays English when findings of the doctor are said in another language."""

import re
from collections.abc import Iterable, Iterator

from locales.phrase import Phrase
from mailer.doctor import Diagnosis
from mailer.i18n import LANGUAGES, SOURCE_LANGUAGE, load_translator

FOREIGN = [tag for tag in LANGUAGES if tag != SOURCE_LANGUAGE]

_ENGLISH = re.compile(r"\b(the|is|are|was|not|your|you|with|that|of|to|and|for|has|have|it|its|from)\b", re.I)
_NO_WORDS = re.compile(r"`[^`]*`|\[\w+\] \w+|\S*[./:=@_-]\w\S*")
"""Commands, settings, and names of hosts, files and options."""
_QUOTED = {"spf-syntax", "spf-include-broken", "dmarc-syntax", "mta-sts-faulty", "tls-rpt-faulty"}
"""Findings that quote what the library which reads such records says of the mistake."""


def find_english(text: str) -> list[str]:
    """The words of ``text`` that only English has."""
    return _ENGLISH.findall(_NO_WORDS.sub("", text))


def list_english(findings: Iterable[Diagnosis]) -> Iterator[str]:
    """Findings that have English in them in a language other than English."""
    for finding in findings:
        if " " not in finding.message:
            continue  # An address.
        for tag in FOREIGN:
            said = load_translator(tag).find_words(finding.message)
            if said is None or said == finding.message or find_english(_leave_quoted(finding, said)):
                yield f"{tag}: {finding.message} -> {said}"


def _leave_quoted(finding: Diagnosis, said: str) -> str:
    if finding.code not in _QUOTED or not isinstance(finding.message, Phrase):
        return said
    quoted = (finding.message.parameters.get(name, "") for name in ("words", "error"))
    for words in filter(None, map(str, quoted)):
        said = said.replace(words, "")
    return said
