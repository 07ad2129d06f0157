"""What each finding means and what to do: in ``docs/doctor.md`` and from ``mailer doctor --explain``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

_FILE = Path(__file__).with_name("explanations.toml")


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The page of one finding.

    ``title`` says what is wrong, ``why`` what it means for the mail, ``advice`` what to do; each is one or
    more whole sentences. ``sources`` are web addresses.
    """

    code: str
    title: str
    why: str
    advice: str
    sources: tuple[str, ...] = ()


@cache
def read_explanations() -> Mapping[str, Explanation]:
    """The pages of all findings by code, in the order of the file.

    Raises:
        TypeError: an entry lacks a key, or has one that pages do not have.
    """
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return MappingProxyType({code: _read_entry(code, **entry) for code, entry in entries.items()})


def _read_entry(
    code: str, *, title: str, why: str, advice: str, sources: list[str] | None = None
) -> Explanation:
    return Explanation(code=code, title=title, why=why, advice=advice, sources=tuple(sources or ()))


def describe_finding(explanation: Explanation) -> str:
    """The page of one finding, in Markdown."""
    lines = [f"**{explanation.title}**", "", explanation.why, "", explanation.advice]
    if explanation.sources:
        lines += ["", " ".join(f"<{source}>" for source in explanation.sources)]
    return "\n".join(lines)


def describe_findings() -> str:
    """Every page, one section for each code."""
    sections = (f"### {code}\n\n{describe_finding(each)}" for code, each in read_explanations().items())
    return "\n\n".join(sections)
