"""A file `_redirects` in a source: what Netlify and Cloudflare Pages call so, a redirect a line.

/old        /new
/blog/*     https://blog.example/:splat   302   # comment
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apps.imports.directory import SourceFile
from apps.imports.exceptions import Fault, SourceRefused
from apps.releases.contents import PutRedirect, RedirectInput, RemoveRedirect
from apps.releases.manifest import Redirect
from apps.releases.redirects.values import MAX_REDIRECTS, RedirectFault, parse_redirect

FILE_NAME = "_redirects"
MAX_BYTES = 4 << 20
USUAL_STATUS = 301  # of this format, where a line names none
_COMMENT = re.compile(r"(^|\s)#.*")
_PLACEHOLDER = re.compile(r"/:[A-Za-z]\w*")
_SHOWN = "write it as in `/old /new 301`"
_REWRITES = {
    "200": (
        "asks for a rewrite (200)",
        "publish the content at that path as well, or redirect with 301 or 302",
    ),
    "404": ("asks for a page of a 404", "name the page in the options of the channel, and remove the line"),
}


@dataclass(frozen=True, slots=True)
class RedirectComparison:
    """What differs between the redirects of a source and those that are live, by source."""

    added: tuple[Redirect, ...] = ()
    changed: tuple[Redirect, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def changes(self) -> list[RedirectInput]:
        return [*map(PutRedirect, self.added + self.changed), *map(RemoveRedirect, self.removed)]


def read_redirects(file: SourceFile) -> dict[str, Redirect]:
    """Return the redirects of a file by source. Raises `SourceRefused` naming every line that is none."""
    if file.size_bytes > MAX_BYTES:
        raise SourceRefused([Fault(file.name, f"is larger than {MAX_BYTES >> 20} MB", "shorten it")])
    try:
        text = b"".join(file.chunks()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceRefused([Fault(file.name, "is not UTF-8", "save it as UTF-8")]) from error
    redirects, faults = parse_redirects(text)
    if faults:
        raise SourceRefused(faults)
    return redirects


def parse_redirects(text: str) -> tuple[dict[str, Redirect], list[Fault]]:
    """Return the redirects in the text of a file by source, and what is wrong with its lines."""
    redirects: dict[str, Redirect] = {}
    lines: dict[str, int] = {}
    faults = []
    for number, words in _words(text):
        name = f"{FILE_NAME}, line {number}"
        if problem := next(_problems(words), None):
            faults.append(Fault(name, *problem))
            continue
        try:
            redirect = parse_redirect(words[0], words[1], int(words[2]) if len(words) > 2 else USUAL_STATUS)
        except RedirectFault as fault:
            faults.append(Fault(name, f"has a {fault.field} that {fault}", "mend or remove the line"))
            continue
        if redirect.source in redirects:
            first = lines[redirect.source]
            faults.append(Fault(name, f"names the source of line {first} once more", "remove one of them"))
            continue
        redirects[redirect.source], lines[redirect.source] = redirect, number
    if len(redirects) > MAX_REDIRECTS:
        reason = f"has {len(redirects):,} redirects; {MAX_REDIRECTS:,} are the most"
        faults.append(Fault(FILE_NAME, reason, "put one with a wildcard in the place of many"))
    return redirects, faults


def compare_redirects(
    wanted: dict[str, Redirect], live: dict[str, Redirect], *, mirrored: str | None
) -> RedirectComparison:
    """Compare the redirects of a file with those that are live.

    `mirrored` begins the sources that are removed where the file lacks them; None removes nothing.
    """
    return RedirectComparison(
        added=tuple(redirect for source, redirect in wanted.items() if source not in live),
        changed=tuple(wanted[source] for source in wanted if live.get(source) not in (None, wanted[source])),
        removed=tuple(
            source
            for source in live
            if mirrored is not None and source.startswith(mirrored) and source not in wanted
        ),
    )


def _words(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the words of each line that has any beside a comment."""
    for number, line in enumerate(text.split("\n"), start=1):
        if words := _COMMENT.sub("", line).split():
            yield number, words


def _problems(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what these words ask for that a redirect cannot do, each with what to do about it."""
    if len(words) < 2:
        yield "names no target", _SHOWN
        return
    source, target, *rest = words
    status = rest[0] if rest else ""
    if re.match("https?://", source, re.IGNORECASE):
        yield "has a source on a host of its own", "give the source as a path; hosts lead to channels"
    if "=" in target and not target.startswith(("/", "http")):
        yield "depends on the query", "remove the condition; redirects go by the path alone"
    if _PLACEHOLDER.search(source):
        yield "has a placeholder in its source", "use a * at its end, and :splat in the target"
    if status in _REWRITES:
        yield _REWRITES[status]
    if status.endswith("!"):
        yield "wants to win over a file", "remove the ! and the file at that path; a file wins"
    if len(rest) > 1 or (status and not (status.isascii() and status.isdecimal())):
        yield "depends on a condition", "remove what follows the status; redirects go by the path alone"
