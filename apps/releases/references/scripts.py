"""What a script refers to: imports, workers, `new URL(…, import.meta.url)`, import maps, source maps.

Where the grammar does not understand a script, nothing of it counts: see docs/adr/0069.
"""

import re
from collections.abc import Iterator

from tree_sitter import Node, Query, QueryCursor

from apps.releases.references.addresses import reference
from apps.releases.references.found import Collected
from apps.releases.references.grammar import LANGUAGE, UnreadableScriptError, insides, parsed
from apps.releases.references.located import Located, from_script

# A script without any of these refers to nothing: no time is spent on its grammar. A comment may stand where
# the literal is expected; what is in it is left to the grammar, since looking for its end takes long.
_CLUE = re.compile(r"""\b(?:from|import)[\s(]*+(?:["'`][./]|/[*/])|\b(?:Worker|URL)\s*+[(/]\s*+["'`/*]""")
_QUERY = Query(
    LANGUAGE,
    """
    (import_statement source: (string) @module)
    (export_statement source: (string) @module)
    (call_expression function: (import) arguments: (arguments) @import)
    (new_expression constructor: (identifier) @_name arguments: (arguments) @worker
        (#any-of? @_name "Worker" "SharedWorker"))
    (new_expression constructor: (identifier) @_name arguments: (arguments) @url (#eq? @_name "URL"))
    """,
)


def collect_from_script(script: Located, base: str | None, collected: Collected, *, is_file: bool) -> None:
    """Add what a script refers to. `base` is its own address, or for one within a page that of the page.

    A worker's URL is relative to the page that runs the script: in a file of its own (`is_file`) only one
    that begins with a slash is known. Where the script is not understood, that is a finding.
    """
    if not _CLUE.search(script.text):
        return
    try:
        literals = _literals(script.text)
    except UnreadableScriptError as error:
        collected.complain("unreadable_script", str(error))
        return
    for kind, start, end in literals:
        url = from_script(script.part(start, end))
        if _is_path(url.text, kind, is_file=is_file) and (found := reference(url, base)):
            collected.references.append(found)


def collect_from_import_map(text: Located, base: str | None, collected: Collected) -> None:
    """Add the addresses of an import map (HTML, section 8.1.6.3): the values of `imports` and `scopes`."""
    source = f"({text.text})"
    try:
        root = parsed(source)
    except UnreadableScriptError:
        return
    for start, end in insides(source, list(_addresses(root))):
        url = from_script(text.part(start - 1, end - 1))
        if _is_path(url.text, "module", is_file=False) and (found := reference(url, base)):
            collected.references.append(found)


def _is_path(url: str, kind: str, *, is_file: bool) -> bool:
    """Say whether a literal is a path that is known to be relative to the script, or to the site."""
    if kind == "worker" and is_file:
        return url.startswith("/")
    # A module's specifier without a dot or slash in front is a name that an import map explains.
    return kind in {"worker", "url"} or url.startswith(("./", "../", "/"))


def _literals(text: str) -> list[tuple[str, int, int]]:
    """Return (kind, start, end) of each literal that names a file, without its quotes, in order."""
    root = parsed(text)
    captures = QueryCursor(_QUERY).captures(root)
    found = [("module", node) for node in captures.get("module", [])]
    for kind in ("import", "worker", "url"):
        found += [(kind, literal) for node in captures.get(kind, []) if (literal := _literal(kind, node))]
    found.sort(key=lambda each: each[1].start_byte)
    spans = insides(text, [node for _, node in found])
    return [(kind, *span) for (kind, _), span in zip(found, spans, strict=True)]


def _literal(kind: str, arguments: Node) -> Node | None:
    """Return the first argument where it is a literal; for `new URL` only with `import.meta.url` after it."""
    given = [node for node in arguments.named_children if node.type != "comment"]
    if not given or (kind == "url" and (len(given) < 2 or given[1].text != b"import.meta.url")):
        return None
    first = given[0]
    is_plain = first.type == "template_string" and not any(
        node.type == "template_substitution" for node in first.named_children
    )
    return first if first.type == "string" or is_plain else None


def _addresses(root: Node) -> Iterator[Node]:
    outer = _object_of(root)
    for key, value in _pairs(outer):
        if key == "imports":
            yield from _strings(value)
        elif key == "scopes":
            for _, scope in _pairs(value):
                yield from _strings(scope)


def _object_of(root: Node) -> Node | None:
    node: Node | None = root
    while node is not None and node.type != "object":
        node = node.named_children[0] if node.named_children else None
    return node


def _pairs(node: Node | None) -> Iterator[tuple[str, Node]]:
    for pair in node.named_children if node is not None and node.type == "object" else ():
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        if key is not None and key.text is not None and value is not None:
            yield key.text.decode().strip("\"'"), value


def _strings(node: Node) -> Iterator[Node]:
    return (value for _, value in _pairs(node) if value.type == "string")
