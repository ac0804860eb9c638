"""What the two caches that are configured in VCL, Varnish and Fastly, have in common."""

from collections.abc import Iterator
from pathlib import Path

from apps.caching.exports.addresses import CANONICAL, FILE, PREFIX_OF_DJANGO, cookie, parameter
from apps.caching.exports.source import Condition, commented, words_of
from apps.caching.rules import BypassKind

_PARTS = Path(__file__).parent
_MARKS = {"canonical": CANONICAL, "file": FILE, "django": PREFIX_OF_DJANGO}


def written(name: str, **values: str) -> str:
    """Return a part of the VCL that is the same for all rules, with `values` in the places of its marks."""
    text = (_PARTS / f"{name}.vcl").read_text()
    for mark, value in (_MARKS | values).items():
        text = text.replace(f"@{mark}@", value)
    return text


def steps_aside(found: list[Condition], *, quotes: tuple[str, str] = ('"', '"')) -> Iterator[str]:
    """Yield the subroutine that sets X-Assetsite-Status where a cache has to step aside."""
    yield "# When to step aside."
    yield "sub assetsite_step_aside {"
    for condition in found:
        yield from commented(words_of(condition), indent="    ")
        if not _can_be_said(condition):
            yield "    # VCL has no way to write this header's name, so it does not step aside here."
            continue
        yield f"    if ({_asked(condition, quotes)}{_within(condition, quotes)}) {{"
        yield f'        set req.http.X-Assetsite-Status = "fwd=bypass; detail={condition.kind}";'
        yield "    }"
    yield "}"
    yield ""


def _can_be_said(condition: Condition) -> bool:
    """A header's name is written without quotes: letters, digits, dashes and underscores."""
    name = condition.name.replace("-", "").replace("_", "")
    return condition.kind is not BypassKind.HEADER or (name.isalnum() and condition.name[0].isalpha())


def _asked(condition: Condition, quotes: tuple[str, str]) -> str:
    if condition.kind is BypassKind.QUERY:
        return f"req.http.X-Assetsite-Query ~ {_quoted(parameter(condition.name), quotes)}"
    if condition.kind is BypassKind.COOKIE:
        return f"req.http.Cookie ~ {_quoted(cookie(condition.name), quotes)}"
    return f"req.http.{condition.name}"


def _within(condition: Condition, quotes: tuple[str, str]) -> str:
    if not condition.scope.expression:
        return ""
    expression = _quoted(condition.scope.expression, quotes)
    path, page = "req.http.X-Assetsite-Path", "req.http.X-Assetsite-Page"
    return f" && ({path} ~ {expression} || {page} ~ {expression})"


def _quoted(expression: str, quotes: tuple[str, str]) -> str:
    return f"{quotes[0]}{expression}{quotes[1]}"
