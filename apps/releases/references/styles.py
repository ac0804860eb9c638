"""What a style sheet refers to: `url()`, `@import`, `image-set()`, and its source map."""

import re
from collections.abc import Iterator, Sequence

import tinycss2
from tinycss2.ast import AtKeywordToken, FunctionBlock, Node, StringToken, URLToken

from apps.releases.references.addresses import reference
from apps.releases.references.found import Collected
from apps.releases.references.located import Located, from_css

# A sheet without any of these refers to nothing: no time is spent on its grammar.
_CLUE = re.compile(r"url\(|src\(|@import|image-set\(", re.IGNORECASE)
_LINE = re.compile(r"\r\n|[\r\n\f]")
_STRING = re.compile(r"""(["'])((?:\\[\s\S]|(?!\1)[^\\])*)""")
_URL = re.compile(
    r"""[^(]*\(\s*(?:(["'])((?:\\[\s\S]|(?!\1)[^\\])*)"""
    r"""|((?:\\[0-9a-fA-F]{1,6}\s?|\\[\s\S]|[^)\s"'\\])*))"""
)
_URL_FUNCTIONS = frozenset({"image-set", "-webkit-image-set", "src", "url"})


def collect_from_style(sheet: Located, base: str | None, collected: Collected) -> None:
    """Add what a style sheet, or the value of a `style` attribute, refers to."""
    if not _CLUE.search(sheet.text):
        return
    starts = [0, *(found.end() for found in _LINE.finditer(sheet.text))]
    for token in _tokens_with_urls(tinycss2.parse_component_value_list(sheet.text)):
        at = starts[token.source_line - 1] + token.source_column - 1
        if found := reference(from_css(_written(sheet, at, token)), base):
            collected.references.append(found)


def _tokens_with_urls(tokens: Sequence[Node]) -> Iterator[Node]:
    """Yield the tokens that hold a URL, however deep they are nested."""
    waiting = [(tokens, "")]
    while waiting:
        tokens, function = waiting.pop()
        is_import = False
        for token in tokens:
            is_string = isinstance(token, StringToken) and (is_import or function in _URL_FUNCTIONS)
            if is_string or isinstance(token, URLToken):
                yield token
            waiting += _nested(token)
            if token.type not in {"whitespace", "comment"}:
                is_import = isinstance(token, AtKeywordToken) and token.lower_value == "import"


def _nested(token: Node) -> Iterator[tuple[Sequence[Node], str]]:
    if isinstance(token, FunctionBlock):
        yield token.arguments, token.lower_name
    elif (content := getattr(token, "content", None)) is not None:
        yield content, ""


def _written(sheet: Located, at: int, token: Node) -> Located:
    """Return the URL of a token as it is written, escapes and all, without its quotes."""
    if isinstance(token, StringToken):
        found, group = _STRING.match(sheet.text, at), 2
    else:
        found = _URL.match(sheet.text, at)
        group = 2 if found and found[1] else 3
    return sheet.part(*found.span(group)) if found else sheet.part(at, at)
