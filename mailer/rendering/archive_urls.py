"""The addresses of public pages that a mail names: an edition and its stories in the archive, and /verify."""

from urllib.parse import quote

DIGEST_DIGITS = 16
"""Digits of a content's digest in the address of an edition: 64 bits, too many to guess."""


def archive_url(base_url: str, edition: str, language: str, digest: str = "") -> str:
    """Return the address of an edition in the archive. With the ``digest`` of its content, as in the email,
    it opens for everyone who has the email, even if it is not in an archive; it cannot be guessed without the
    content."""
    return f"{base_url}/e/{quote(edition, safe='')}/{quote(language, safe='')}{version_query(digest)}"


def story_url(base_url: str, edition: str, language: str, story: str, version: str = "") -> str:
    """Return the address of an edition's story in the archive; ``version`` is a :func:`version_query`."""
    return f"{archive_url(base_url, edition, language)}/{quote(story, safe='')}{version}"


def version_query(digest: str) -> str:
    """Return the query that opens the pages of an edition outside the archive; "" without ``digest``."""
    return f"?v={digest[:DIGEST_DIGITS]}" if digest else ""


def verify_url(base_url: str) -> str:
    """Return the address of the page that tells whether a message is from us."""
    return f"{base_url}/verify"


def verify_place(base_url: str) -> str:
    """Return the same address as people read and type it: ``news.example.org/verify``."""
    return verify_url(base_url).partition("://")[2]
