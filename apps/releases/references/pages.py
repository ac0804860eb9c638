"""What a page refers to, what of it may carry a digest, and what it needs before it shows."""

import re
from collections.abc import Iterator
from dataclasses import replace

from apps.releases.references.addresses import base_of, based, query_of, reference
from apps.releases.references.found import Collected, Critical, Guard, Reference
from apps.releases.references.located import Located
from apps.releases.references.scripts import collect_from_import_map, collect_from_script
from apps.releases.references.styles import collect_from_style
from apps.releases.references.tags import Tag, tags

# Attributes that load a part of the page, by element. `<a href>` and frames lead to other pages.
_SOURCES = {
    "audio": ("src",),
    "embed": ("src",),
    "feimage": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
    "img": ("src",),
    "input": ("src",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src",),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
_CANDIDATES = {"img": "srcset", "source": "srcset", "link": "imagesrcset"}
_LOADING_RELATIONS = frozenset(
    {
        "apple-touch-icon",
        "apple-touch-icon-precomposed",
        "apple-touch-startup-image",
        "icon",
        "manifest",
        "mask-icon",
        "modulepreload",
        "prefetch",
        "preload",
        "stylesheet",
    }
)
_SCRIPT_TYPES = frozenset({"", "text/javascript", "application/javascript", "text/ecmascript", "module"})
_CANDIDATE = re.compile(r"[\s,]*([^\s,]\S*)")
_MAX_CRITICAL = 10


def collect_from_page(document: str, path: str, collected: Collected) -> None:
    """Add what a page refers to, resolved against its `<base href>` where it has one."""
    everything = list(tags(document))
    base = _base(everything, path)
    may_change_inline = not any(_allows_by_hash(tag) for tag in everything)
    for tag in everything:
        if not tag.is_end:
            collected.references += _loaded(tag, base)
            _collect_guard(tag, base, collected)
            if may_change_inline:
                _collect_inline(tag, base, collected)
    collected.critical += list(_critical(everything, base))[:_MAX_CRITICAL]


def collect_critical(document: str, path: str, collected: Collected) -> None:
    """Add only what a page needs before it shows."""
    everything = list(tags(document))
    collected.critical += list(_critical(everything, _base(everything, path)))[:_MAX_CRITICAL]


def _base(everything: list[Tag], path: str) -> str | None:
    bases = (tag for tag in everything if tag.name == "base" and not tag.is_end and "href" in tag.attributes)
    first = next(bases, None)
    return based(base_of(path), first.value("href")) if first else base_of(path)


def _allows_by_hash(tag: Tag) -> bool:
    """Say whether a policy in the page names its inline scripts and styles by their digests."""
    is_policy = tag.name == "meta" and tag.value("http-equiv").lower() == "content-security-policy"
    return is_policy and "'sha" in tag.value("content").lower()


def _loaded(tag: Tag, base: str | None) -> Iterator[Reference]:
    for url in _urls(tag):
        if found := reference(url, base):
            yield found


def _urls(tag: Tag) -> Iterator[Located]:
    names = _SOURCES.get(tag.name, ())
    if tag.name == "link" and tag.words("rel") & _LOADING_RELATIONS:
        names = ("href",)
    yield from (tag.attributes[name].value for name in names if name in tag.attributes)
    if (candidates := _CANDIDATES.get(tag.name, "")) in tag.attributes:
        yield from _candidates(tag.attributes[candidates].value)


def _candidates(value: Located) -> Iterator[Located]:
    """Yield the URLs of a `srcset` (HTML, section 4.8.4.2.1)."""
    at = 0
    while found := _CANDIDATE.match(value.text, at):
        url = found[1].rstrip(",")
        yield value.part(found.start(1), found.start(1) + len(url))
        at = found.end() if url != found[1] else _after_descriptors(value.text, found.end())


def _after_descriptors(text: str, at: int) -> int:
    """Return where the next candidate may begin: behind a comma that is in no parentheses."""
    depth = 0
    for place in range(at, len(text)):
        if text[place] == "," and not depth:
            return place + 1
        depth += (text[place] == "(") - (text[place] == ")" and depth > 0)
    return len(text)


def _collect_guard(tag: Tag, base: str | None, collected: Collected) -> None:
    attribute = tag.attributes.get("src" if tag.name == "script" else "href")
    if attribute is None or not _may_carry_integrity(tag):
        return
    found = reference(attribute.value, base)
    if found is None:
        return
    guard = Guard(found.target, attribute.name_start, found.at is not None)
    if integrity := tag.attributes.get("integrity"):
        guard = replace(guard, integrity=integrity.text, start=integrity.start, end=integrity.end)
    collected.guards.append(guard)


def _may_carry_integrity(tag: Tag) -> bool:
    if "integrity" in tag.attributes and not tag.value("integrity"):
        return False  # the page says that it wants none
    if tag.name == "script":
        return tag.value("type").lower() in _SCRIPT_TYPES
    relations = tag.words("rel") if tag.name == "link" else set()
    is_code = tag.value("as").lower() in {"script", "style"}
    return bool(relations & {"stylesheet", "modulepreload"}) or ("preload" in relations and is_code)


def _collect_inline(tag: Tag, base: str | None, collected: Collected) -> None:
    if "style" in tag.attributes:
        collect_from_style(tag.attributes["style"].value, base, collected)
    if tag.text is None or "src" in tag.attributes:
        return
    kind = tag.value("type").lower()
    if tag.name == "style":
        collect_from_style(tag.text, base, collected)
    elif tag.name == "script" and kind == "importmap":
        collect_from_import_map(tag.text, base, collected)
    elif tag.name == "script" and kind in _SCRIPT_TYPES:
        collect_from_script(tag.text, base, collected, is_file=False)


def _critical(everything: list[Tag], base: str | None) -> Iterator[Critical]:
    """Yield what the page's head names and a browser waits for, in order, each once.

    No module of a page with an import map: fetched ahead, it would be resolved before the map is known,
    and fail for good (HTML, section 8.1.6.2).
    """
    seen: set[str] = set()
    has_map = any(tag.name == "script" and tag.value("type").lower() == "importmap" for tag in everything)
    is_without_scripts = False
    for tag in everything:
        if tag.name == "body" or (tag.name == "head" and tag.is_end):
            return
        if tag.name == "noscript":
            is_without_scripts = not tag.is_end
        elif not tag.is_end and not is_without_scripts and (found := _critical_of(tag, base)):
            if found.target not in seen and not (has_map and found.rel == "modulepreload"):
                yield found
            seen.add(found.target)


def _critical_of(tag: Tag, base: str | None) -> Critical | None:
    attribute = tag.attributes.get("src" if tag.name == "script" else "href")
    relation = _relation(tag)
    found = reference(attribute.value, base) if attribute and relation else None
    if attribute is None or relation is None or found is None:
        return None
    rel, kind = relation
    given = [("as", kind)] if kind else []
    given += [(name, tag.value(name)) for name in ("type", "media") if rel == "preload" and tag.value(name)]
    if "crossorigin" in tag.attributes:
        mode = tag.value("crossorigin").lower()
        given.append(("crossorigin", "use-credentials" if mode == "use-credentials" else "anonymous"))
    return Critical(
        found.target,
        query_of(attribute.text),
        rel,
        tuple(given),
        may_be_guarded=_may_carry_integrity(tag),
        integrity=tag.value("integrity"),
    )


def _relation(tag: Tag) -> tuple[str, str] | None:
    """Return (rel, as) of the Link that fetches what `tag` needs; None where the browser does not wait."""
    relations = tag.words("rel") if tag.name == "link" else set()
    if tag.name == "script":
        return _relation_of_script(tag)
    if "stylesheet" in relations:
        is_waited_for = (
            tag.value("media").lower() in {"", "all", "screen"} and "disabled" not in tag.attributes
        )
        return ("preload", "style") if is_waited_for and "alternate" not in relations else None
    if "modulepreload" in relations:
        return "modulepreload", ""
    if "preload" in relations and tag.value("as") and "imagesrcset" not in tag.attributes:
        return "preload", tag.value("as").lower()
    return None


def _relation_of_script(tag: Tag) -> tuple[str, str] | None:
    kind = tag.value("type").lower()
    if kind == "module":
        return "modulepreload", ""
    is_waited_for = not tag.attributes.keys() & {"async", "defer", "nomodule"}
    return ("preload", "script") if kind in _SCRIPT_TYPES and is_waited_for else None
