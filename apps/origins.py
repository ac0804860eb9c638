"""Origins of addresses: scheme, host and port, and nothing more. Pure."""

from urllib.parse import urlsplit


def origin_of(url: str) -> str:
    """Return `https://www.example.com:8443` of a URL that says only that, with a slash at most; else ""."""
    try:
        parts = urlsplit(url)
        is_place = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return ""
    is_more = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None
    if not is_place or is_more or parts.scheme not in ("http", "https"):
        return ""
    return f"{parts.scheme}://{parts.netloc}"
