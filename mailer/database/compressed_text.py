"""A column type for long texts that are kept and rarely read: compressed, and so not found by LIKE."""

import zlib

from sqlalchemy import Dialect, LargeBinary, TypeDecorator


class CompressedText(TypeDecorator[str]):
    """A text, kept as the zlib (RFC 1950) stream of its UTF-8 bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else zlib.compress(value.encode())

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else zlib.decompress(value).decode()
