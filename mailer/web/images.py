"""The media types and headers with which an edition's images are served."""

from mailer.web.page_renderer import CACHE_FOREVER

IMAGE_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif"}
IMAGE_HEADERS = {
    "cache-control": CACHE_FOREVER,
    "content-security-policy": "default-src 'none'; sandbox",
    # Webmail shows our images on its own pages.
    "cross-origin-resource-policy": "cross-origin",
}
