"""For how long each kind of cache may go on with an answer, and which header says so. No Django.

RFC 9111 (Cache-Control), RFC 5861 (stale times), RFC 9213 (CDN-Cache-Control), Edge Architecture
Specification 1.0 (Surrogate-Control).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from apps.caching.wording import short_duration

BROWSER, SHARED, CDN = "browser", "shared cache", "CDN"
_FOR_CDNS = ("cdn-cache-control", "surrogate-control")


@dataclass(frozen=True, slots=True)
class Keeping:
    """What one kind of cache may do. Times are in seconds, 0 for "ask before each use".

    `header` names what decides it, as in `cache-control: s-maxage`. The stale times come after that: while
    the cache asks anew, and while the origin fails.
    """

    cache: str
    may_keep: bool
    seconds: int
    header: str
    stale_while_revalidate: int = 0
    stale_if_error: int = 0

    @property
    def words(self) -> str:
        if not self.may_keep:
            return "keeps nothing"
        kept = (
            f"keeps it {short_duration(self.seconds)}" if self.seconds else "keeps it, asks before each use"
        )
        stale = [
            f", then up to {short_duration(seconds)} {while_}"
            for seconds, while_ in (
                (self.stale_while_revalidate, "while it asks anew"),
                (self.stale_if_error, "while the origin fails"),
            )
            if seconds
        ]
        return kept + "".join(stale)


def keepings(headers: Mapping[str, str]) -> tuple[Keeping, Keeping, Keeping]:
    """Return what a browser, a shared cache and a CDN may do; `headers` by lower-case name."""
    plain = directives(headers.get("cache-control", ""))
    shared = _keeping(SHARED, "cache-control", plain)
    targeted = next((name for name in _FOR_CDNS if directives(headers.get(name, ""))), "")
    for_cdns = (
        _keeping(CDN, targeted, directives(headers[targeted])) if targeted else replace(shared, cache=CDN)
    )
    return _keeping(BROWSER, "cache-control", plain), shared, for_cdns


def directives(value: str) -> dict[str, str]:
    """Return the directives of a Cache-Control by lower-case name; of one that is there twice the first."""
    found: dict[str, str] = {}
    for part in value.split(","):
        name, _, given = part.strip().partition("=")
        if name:
            found.setdefault(name.strip().lower(), given.strip().strip('"'))
    return found


def _keeping(cache: str, header: str, given: Mapping[str, str]) -> Keeping:
    is_shared = cache != BROWSER
    refusing = next((name for name in ("no-store", "private") if name in given), "")
    if refusing == "no-store" or (refusing and is_shared):
        return Keeping(cache, may_keep=False, seconds=0, header=f"{header}: {refusing}")
    asking = "no-cache" in given
    decisive = "no-cache" if asking else _decisive(given, is_shared=is_shared)
    # RFC 9111 lets s-maxage forbid stale answers too; caches in use go by the stale times beside it.
    strict = {"must-revalidate", *(("proxy-revalidate",) if is_shared else ())}
    is_strict = asking or bool(strict & set(given))
    return Keeping(
        cache,
        may_keep=True,
        seconds=0 if asking else _seconds(given, decisive),
        header=f"{header}: {decisive}" if decisive else f"no time in {header}",
        stale_while_revalidate=0 if is_strict else _seconds(given, "stale-while-revalidate"),
        stale_if_error=0 if is_strict else _seconds(given, "stale-if-error"),
    )


def _decisive(given: Mapping[str, str], *, is_shared: bool) -> str:
    names = ("s-maxage", "max-age") if is_shared else ("max-age",)
    return next((name for name in names if name in given), "")


def _seconds(given: Mapping[str, str], name: str) -> int:
    value = given.get(name, "")
    if not (value.isascii() and value.isdigit()):
        return 0
    # However long a number is: caches take it for the largest that they know (RFC 9111 section 1.2.2).
    return min(int(value.lstrip("0")[:11] or "0"), 1 << 31)
