"""The configuration of Cloudflare: the cache rules of a zone, as the body of one request.

Read: developers.cloudflare.com, Cache Rules (settings, order and priority: of several rules that match, the
last one counts) and the Rules language. Its regular expressions need a paid plan and know no look-ahead, so
that addresses are told by functions and wildcards, which every plan has.
"""

import json
from collections.abc import Iterable, Iterator

from apps.caching.addresses import escaped
from apps.caching.exports.addresses import PREFIX_OF_DJANGO, Scope
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import Condition, RuleSet, conditions, description, harmless, words_of
from apps.caching.matching import glob_pieces
from apps.caching.rules import BypassKind

MAX_EXPRESSION = 4_096  # characters

_PATH, _QUERY = "http.request.uri.path", "http.request.uri.query"
_NAMES = (_PATH, f'concat({_PATH}, "index.html")', f'concat({_PATH}, ".html")')
_EXTENSION = f"{_PATH}.extension"
_PAGE = f'{_EXTENSION} eq "" or {_EXTENSION} in {{"htm" "html" "xht" "xhtml"}}'
# What no address that is kept has. Escapes are of one form here only if there are none.
_OTHER_SPELLINGS = ("//", "/./", "/../", "%", "\\", '"', "<", ">", "^", "`", "{", "|", "}", "[", "]")


def cloudflare(rules: RuleSet, _placement: Placement) -> str:
    """Return JSON to PUT to `/zones/ZONE/rulesets/phases/http_request_cache_settings/entrypoint`.

    The same rules give the same bytes.
    """
    body = {
        "description": _words(description(rules)),
        "rules": [
            {
                "description": "Files are kept as the origin says, under their path.",
                "expression": "true",
                "action": "set_cache_settings",
                "action_parameters": {
                    "cache": True,
                    "edge_ttl": {"mode": "bypass_by_default"},
                    "browser_ttl": {"mode": "respect_origin"},
                    "serve_stale": {"disable_stale_while_updating": False},
                    "respect_strong_etags": True,
                    "cache_key": {"custom_key": {"query_string": {"exclude": {"all": True}}}},
                },
            },
            *_always(rules),
            *map(_steps_aside, conditions(rules)),
        ],
    }
    return json.dumps(body, indent=2, ensure_ascii=True) + "\n"


def _always(rules: RuleSet) -> Iterator[dict[str, object]]:
    """Yield where a cache steps aside whatever the rules say."""
    if rules.preview_domain:
        yield _bypass(
            "Previews are never kept.", f"ends_with(http.host, {_text('.' + rules.preview_domain)})"
        )
    yield _bypass("What the site says of itself.", f"starts_with({_PATH}, {_text(PREFIX_OF_DJANGO)})")
    yield _bypass(
        "A query on a page may be meant for a redirect; a file has none that counts.",
        f'{_QUERY} ne "" and ({_PAGE})',
    )
    yield _bypass(
        "Only addresses as the origin writes them are kept: each file has one name in the cache.",
        " or ".join(f"raw.{_PATH} contains {_text(one)}" for one in _OTHER_SPELLINGS),
    )


def _steps_aside(condition: Condition) -> dict[str, object]:
    asked, within = _asked(condition), _within(condition.scope)
    expression = f"{asked} and ({within})" if within else asked
    if len(expression) <= MAX_EXPRESSION:
        return _bypass(_words(words_of(condition)), expression)
    words = [*words_of(condition), "(For all addresses: those of the rule take too long an expression.)"]
    return _bypass(_words(words), asked)


def _asked(condition: Condition) -> str:
    """Return an expression for a condition: a name within another one counts too, encoded or not."""
    name = _text(condition.name)
    if condition.kind is BypassKind.QUERY:
        return f"url_decode({_QUERY}) contains {name}"
    if condition.kind is BypassKind.COOKIE:
        return f"http.cookie contains {name}"
    return f"any(http.request.headers.names[*] eq {name})"


def _within(scope: Scope) -> str:
    parts = [
        " or ".join(
            f"{name} strict wildcard {_text(_wildcard(glob))}" for glob in scope.globs for name in _NAMES
        ),
        " or ".join(f"starts_with({_PATH}, {_text(f'/{escaped(folder)}/')})" for folder in scope.folders),
        " or ".join(
            f"ends_with(lower({name}), {_text('.' + escaped(extension.lower()))})"
            for extension in scope.extensions
            for name in _NAMES
        ),
    ]
    return " and ".join(f"({part})" for part in parts if part)


def _wildcard(glob: str) -> str:
    """Return a wildcard for no fewer paths than a glob is for: `*` is any text here, slashes included."""
    pieces = ("*" if piece in {"**/", "**", "*", "?"} else escaped(piece) for piece in glob_pieces(glob))
    return "/" + "".join(pieces)


def _bypass(words: str, expression: str) -> dict[str, object]:
    return {
        "description": words,
        "expression": expression,
        "action": "set_cache_settings",
        "action_parameters": {"cache": False},
    }


def _text(value: str) -> str:
    """Return a string of the Rules language: backslashes and quotes are escaped."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _words(lines: Iterable[str]) -> str:
    return " ".join(harmless(line).strip() for line in lines)
