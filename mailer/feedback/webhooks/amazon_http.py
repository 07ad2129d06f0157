"""Fetches the certificates of Amazon SNS, and confirms subscriptions."""

from mailer.public_http import AddressRule, ForbiddenAddressError, is_public, open_public_client

_SECONDS = 5.0
_MOST_BYTES = 64 * 1024


def fetch_from_amazon(url: str, *, is_allowed: AddressRule = is_public) -> bytes:
    """Return what is at ``url``, without following redirects: they could lead to anybody.

    Raises:
        OSError: it cannot be had, or is larger than any certificate.
    """
    import httpx2

    try:
        with (
            open_public_client(is_allowed, timeout=_SECONDS, user_agent="partner-mailer") as client,
            client.stream("GET", url, follow_redirects=False) as answer,
        ):
            if answer.status_code != 200:
                raise OSError(f"the answer was {answer.status_code}")
            body = b""
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise OSError("the answer is too large")
            return body
    except (httpx2.HTTPError, httpx2.InvalidURL, ForbiddenAddressError) as error:
        raise OSError(str(error) or type(error).__name__) from error
