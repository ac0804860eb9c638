"""Rules out of a `_headers` file, as Netlify and Cloudflare Pages read it. Pure.

Read: docs.netlify.com, custom headers, and developers.cloudflare.com, Pages: headers. All blocks that match a
path count there; here the first rule does, so that a block gets what the wider ones around it say as well.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

from apps.caching.covering import covers, may_meet
from apps.caching.importing.drafts import ImportedRule, draft, slug_for, untrusted
from apps.caching.importing.policies import read_policy
from apps.caching.rules import Match

FILE = "_headers"
MOST_PATHS, MOST_HEADERS = 200, 100  # of a file, and of a path: each is compared with all others
_LINE_END = re.compile(r"\r\n|\n|\r")  # as hosts have it; what ends a line elsewhere is in one
_PLACEHOLDER = re.compile(r":[A-Za-z]\w*")


class HeadersFileFault(ValueError):
    """A line that is no part of a `_headers` file; its words name the line and the next step."""


@dataclass(frozen=True, slots=True)
class _Block:
    """A path with its headers, and the names of headers that it takes back; `line` is where it begins."""

    line: int
    address: str
    match: Match
    headers: tuple[tuple[str, str], ...] = ()
    taken_back: tuple[str, ...] = ()


def rules_of_headers_file(text: str, *, taken: Collection[str]) -> list[ImportedRule]:
    """Return a draft a block, the narrowest first, so that the first that matches says all that holds.

    `taken` are the slugs that there are. Raises `HeadersFileFault`.
    """
    blocks = _narrowest_first(_joined(_blocks(text)))
    found: list[ImportedRule] = []
    for place, block in enumerate(blocks, start=1):
        wider = [other for other in blocks if other is not block and covers(other.match, block.match)]
        read = read_policy(_headers_of(block, wider))
        slug = slug_for(block.address, {*taken, *(rule.slug for rule in found)})
        content = draft(
            slug,
            f"Files at {block.address}",
            order=place,
            match=block.match,
            policy=read.policy,
            path=_example_path(block.match.paths[0] if block.match.paths else "**"),
            source=f"line {block.line} of {FILE}",
        )
        left_out = (*read.left_out, *_overlaps(block, blocks[place:]), *untrusted(block.match))
        found.append(ImportedRule(slug, content, left_out))
    return found


def _blocks(text: str) -> Iterator[_Block]:
    block: _Block | None = None
    paths = 0
    for number, line in enumerate(_LINE_END.split(text), start=1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        if line[0].isspace():
            block = _with_header(block, number, words)
            continue
        if block:
            yield block
        block, paths = _Block(number, words, _match(number, words)), paths + 1
        if paths > MOST_PATHS:
            raise HeadersFileFault(
                f"Line {number} is one path too many: {MOST_PATHS} are taken at once. Import it in parts."
            )
    if block:
        yield block


def _with_header(block: _Block | None, number: int, words: str) -> _Block:
    """Return a block with what a line says beside: a header, or that one is taken back."""
    if block is None:
        raise HeadersFileFault(
            f"Line {number} is a header of no path: {words[:200]!r}. Put its path above it."
        )
    if len(block.headers) + len(block.taken_back) == MOST_HEADERS:
        raise HeadersFileFault(f"Line {number} is one header too many: a path has at most {MOST_HEADERS}.")
    if words.startswith("!"):
        return replace(block, taken_back=(*block.taken_back, words[1:].strip().lower()))
    name, colon, value = words.partition(":")
    if not colon:
        raise HeadersFileFault(f"Line {number} has no colon: {words[:200]!r}. Write it as Name: value.")
    return replace(block, headers=(*block.headers, (name.strip().lower(), value)))


def _match(number: int, address: str) -> Match:
    if not address.startswith("/"):
        raise HeadersFileFault(
            f"Line {number} is not a path of this site: {address[:200]!r}."
            " Rules hold for all hosts of a channel: take the host away, or leave the block out."
        )
    glob = _decoded(number, _PLACEHOLDER.sub("*", address.removeprefix("/").replace("*", "**")))
    if glob in {"", "**"}:
        return Match(paths=("index.html",)) if not glob else Match()
    if glob.endswith("/"):
        return Match(paths=(f"{glob}index.html",))
    if "." in glob.rpartition("/")[2] or glob.endswith("*"):
        return Match(paths=(glob,))
    return Match(paths=(f"{glob}.html", f"{glob}/index.html", glob))  # a page, by any of its files


def _decoded(number: int, glob: str) -> str:
    """Return a glob for paths as releases have them; an escaped asterisk stands for any character."""
    try:
        return unquote(glob.replace("%2A", "?").replace("%2a", "?"), errors="strict")
    except UnicodeDecodeError as error:
        raise HeadersFileFault(
            f"Line {number} has an escape that is no UTF-8: {glob[:200]!r}. Write the path as it is."
        ) from error


def _joined(blocks: Iterator[_Block]) -> list[_Block]:
    """Return the blocks, those of one path as one: a page that has two addresses says the same at both."""
    joined: dict[Match, _Block] = {}
    for block in blocks:
        known = joined.get(block.match, replace(block, headers=(), taken_back=()))
        joined[block.match] = replace(
            known,
            headers=tuple(dict.fromkeys(known.headers + block.headers)),
            taken_back=known.taken_back + block.taken_back,
        )
    return list(joined.values())


def _narrowest_first(blocks: list[_Block]) -> list[_Block]:
    """Return each block before all that cover it, and otherwise in the order of the file."""
    ordered: list[_Block] = []
    for block in blocks:
        place = next(
            (place for place, other in enumerate(ordered) if covers(other.match, block.match)), len(ordered)
        )
        ordered.insert(place, block)
    return ordered


def _headers_of(block: _Block, wider: list[_Block]) -> list[tuple[str, str]]:
    own = {name for name, _ in block.headers} | set(block.taken_back)
    inherited = [pair for other in wider for pair in other.headers if pair[0] not in own]
    return [*block.headers, *inherited]


def _overlaps(block: _Block, later: list[_Block]) -> Iterator[str]:
    for other in later:
        if may_meet(block.match, other.match) and not covers(other.match, block.match):
            yield (
                f"Files that {other.address} (line {other.line}) matches as well get the headers of"
                f" {block.address} alone."
            )


def _example_path(glob: str) -> str:
    """Return a path that a glob matches."""
    return re.sub(r"\*+", "example", glob).replace("?", "x")
