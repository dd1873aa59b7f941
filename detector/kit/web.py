"""What counts as the address of something on the web."""

from urllib.parse import urlsplit


def is_web_url(text: str) -> bool:
    """Whether it is an absolute http(s) URL with a host, and a port that can be one if any."""
    try:
        parts = urlsplit(text)
        # Only asking for the port finds out that it is none.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
