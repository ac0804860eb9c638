"""Which path of the site a URL in one of its files means, and where in it a fingerprint would go."""

import re
import unicodedata
from urllib.parse import quote, unquote, urljoin, urlsplit

from apps.releases.references.found import Reference
from apps.releases.references.located import Located

_ORIGIN = "https://site.invalid/"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_END = re.compile(r"[?#]")
_WHITE = "".join(map(chr, range(0x21)))
# What a URL parser drops or turns (URL Standard, section 4.4): too odd to be worth following.
_ODD = re.compile(r"[\t\n\r\\]")


def base_of(path: str) -> str:
    """Return the URL, of an origin that there is not, against which the file at `path` refers."""
    return _ORIGIN + quote(path)


def based(base: str, href: str) -> str | None:
    """Return the base that `<base href>` makes of a page's own; None where it leads off the site."""
    href = href.strip(_WHITE)
    return None if _leads_away(href) else urljoin(base, href)


def reference(url: Located, base: str | None, *, is_map: bool = False) -> Reference | None:
    """Return what `url` refers to; None for another site, a fragment, a folder, or the file itself."""
    start = len(url.text) - len(url.text.lstrip(_WHITE))
    url = url.part(start, max(start, len(url.text.rstrip(_WHITE))))
    end = found.start() if (found := _END.search(url.text)) else len(url.text)
    name = url.text[:end]
    if base is None or not name or _leads_away(name) or _ODD.search(name):
        return None
    target = _target(urljoin(base, name))
    return Reference(target, _place(url, name, target), is_map=is_map) if target else None


def query_of(url: str) -> str:
    """Return the query of a URL, with its question mark, or ""."""
    query = urlsplit(url.strip(_WHITE)).query
    return f"?{query}" if query else ""


def _leads_away(url: str) -> bool:
    return url.startswith("//") or _SCHEME.match(url) is not None


def _target(url: str) -> str | None:
    try:
        path = unquote(url.removeprefix(_ORIGIN), errors="strict")
    except UnicodeDecodeError:
        return None
    return None if path.endswith("/") else unicodedata.normalize("NFC", path)


def _place(url: Located, name: str, target: str) -> int | None:
    """Return where the dot before the target's extension stands."""
    dot = name.rfind(".")
    is_its_own = dot > name.rfind("/") + 1 and unquote(name[dot + 1 :]) == target.rpartition(".")[2]
    return url.places[dot] if is_its_own else None
