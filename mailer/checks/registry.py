"""Every check: those of the finished email, read from ``checks.toml``, and those of an edition's files."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from editions.checks.registry import SOURCE_CHECKS, Check, load_checks

MAIL_CHECKS = load_checks(Path(__file__).with_name("checks.toml"))
"""The checks of the finished email by code. Some checks of the files are also made on it."""

CHECKS: Mapping[str, Check] = MappingProxyType({**SOURCE_CHECKS, **MAIL_CHECKS})
"""All checks by code."""
