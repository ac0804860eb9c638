"""What an exported publication says of itself: the queries that give the canonical rows, and the commands.

The queries say in SQL what `apps.releases.manifest.digest` says in Python, and print it as `sqlite3` does.
"""

from string import Template

from apps.releases.manifest.digest import ROW_JOINS
from apps.releases.manifest.format import FIRST_FORMAT, FORMAT

_PLAIN = "entry.path || char(10) || lower(hex(entry.blob)) || char(10) || lower(hex(header_set.digest))"
_ROW = {
    FIRST_FORMAT: _PLAIN,
    FORMAT: f"""{_PLAIN}
    || CASE WHEN entry.fingerprint <> ''
       THEN char(10) || entry.fingerprint || ' ' || lower(hex(named.digest)) ELSE '' END
    || CASE WHEN length(original.blob) > 0
       THEN char(10) || 'original ' || lower(hex(original.blob)) ELSE '' END
    || CASE WHEN page_link.value <> '' THEN char(10) || 'link ' || page_link.value ELSE '' END""",
}
_REDIRECTS = {
    FIRST_FORMAT: "SELECT '' WHERE 0;",
    FORMAT: "SELECT source || char(10) || target || char(10) || status FROM redirect ORDER BY source;",
}


def queries(file_format: str) -> dict[str, str]:
    """Return name of file → SQL for a manifest of this format."""
    row, joins = _ROW[file_format], ROW_JOINS[file_format]
    rows = f"-- The canonical rows of all paths.\nSELECT {row}\nFROM entry {joins}\nORDER BY entry.path;\n"
    return {"rows.sql": rows, "bucket.sql": _bucket(row, joins)} | {
        "redirects.sql": f"-- The canonical rows of redirects.\n{_REDIRECTS[file_format]}\n",
        "headers.sql": _HEADERS,
    }


def _bucket(row: str, joins: str) -> str:
    return f"""-- The canonical rows of the bucket with the number :n, from 1 on.
WITH bucket_range AS (
    SELECT row_number() OVER (ORDER BY first_path) AS n, first_path,
        lead(first_path, 1, char(1114111)) OVER (ORDER BY first_path) AS following
    FROM bucket
)
SELECT {row}
FROM bucket_range
JOIN entry ON entry.path >= bucket_range.first_path AND entry.path < bucket_range.following
{joins}
WHERE bucket_range.n = :n
ORDER BY entry.path;
"""  # noqa: S608 - ours


_HEADERS = """-- What the digest of each header set is taken of, a line each.
SELECT '{"headers":' || json(headers) || ',"rule":' || json_quote(rule)
    || ',"version":' || rule_version || '}'
FROM header_set ORDER BY id;
"""

_README = Template("""# $tag

What $channel began to serve with this publication, and how to see for yourself that it is that. Nothing
below needs the program that made it: `sha256sum` and `sqlite3` are enough, `openssl` checks signatures.

| file | what it is |
|---|---|
| `statement.json` | what was published, by whom, when and why: its SHA-256 is the seal's hash |
| `history.jsonl` | the statements of all publications up to this one, a line each, in order |
| `manifest.sqlite` | what was served: for each path its bytes' SHA-256, its headers, its content codings |
| `manifest.json` | the manifest's digest, and the SHA-256 of its file and of `rows.txt` |
| `rows.txt` | the canonical rows of the manifest, as text |
| `*.sig`, `key-*.pem` | signatures (Ed25519), and the public keys that the site trusts |
| `*.sql` | the queries that are used below |

## 1. Nothing was lost on the way

```sh
sha256sum --check --quiet SHA256SUMS && echo whole
```

It prints `whole`.

## 2. The statement names the manifest's digest

```sh
sqlite3 :memory: "SELECT json_extract(readfile('statement.json'), '$$.digest')"
```

It prints `$digest`. The digest is of the manifest's rows, so compute it from them: each bucket of rows has a
SHA-256, and the digest is the SHA-256 of those.

```sh
(
    echo 'assetsite manifest 1'
    for n in $$(seq "$$(sqlite3 -readonly manifest.sqlite 'SELECT count(*) FROM bucket')"); do
        sqlite3 -readonly -cmd ".param set :n $$n" manifest.sqlite < bucket.sql | sha256sum | cut -c1-64
    done
    redirects=$$(sqlite3 -readonly manifest.sqlite < redirects.sql | sha256sum | cut -c1-64)
    [ -z "$$(sqlite3 -readonly manifest.sqlite < redirects.sql)" ] || echo "redirects $$redirects"
    sqlite3 -readonly manifest.sqlite \\
        "SELECT 'manner ' || value FROM meta WHERE key = 'manner' AND value <> ''"
) | sha256sum | cut -c1-64
```

It prints the same digest. `rows.txt` has all the rows in one piece:

```sh
sqlite3 -readonly manifest.sqlite < rows.sql | cmp - rows.txt && echo 'same rows'
```

It prints `same rows`. A row names its headers by a SHA-256, which is taken of them:

```sh
sqlite3 -readonly manifest.sqlite < headers.sql |
    while IFS= read -r line; do printf '%s' "$$line" | sha256sum | cut -c1-64; done > headers.found
sqlite3 -readonly manifest.sqlite 'SELECT lower(hex(digest)) FROM header_set ORDER BY id' |
    cmp - headers.found && echo 'same headers'
```

It prints `same headers`.

## 3. The statement has its place in the history

Each statement repeats the SHA-256 of the one before it as `previous`; the first one that of a sentence.

```sh
previous=$$(printf '%s' 'assetsite history of $channel, version 1' | sha256sum | cut -c1-64)
while IFS= read -r statement; do
    case $$statement in *",\\"previous\\":\\"$$previous\\"}") ;; *) echo "broken before: $$statement" ;; esac
    previous=$$(printf '%s' "$$statement" | sha256sum | cut -c1-64)
done < history.jsonl
echo "$$previous"
```

It prints `$hash` and nothing before it. So does

```sh
sha256sum statement.json | cut -c1-64
```

Compare that hash with one that you have from elsewhere: from `scripts/manage tag show $tag --json` on the
site, or from an export that was made earlier, whose history has to be the beginning of this one.

## 4. The site has signed it

The keys here are copies. Take the key that you trust from the site itself, at `/-/keys`, and compare.

```sh
openssl pkeyutl -verify -pubin -inkey key-$seal_key.pem -rawin -in statement.json -sigfile statement.sig
```

```sh
openssl pkeyutl -verify -pubin -inkey key-$manifest_key.pem -rawin -in manifest.json -sigfile manifest.sig
```

Each prints `Signature Verified Successfully`. `manifest.json` has, beside the digest, the SHA-256 of the
file. That covers what the digest leaves out, as it was when this was exported: content codings, sizes, the
column `media_type` (the media type that visitors are told is a header, so the digest has it):

```sh
sqlite3 :memory: "SELECT json_extract(readfile('manifest.json'), '$$.file')"
sha256sum manifest.sqlite | cut -c1-64
```

It prints the same twice.
""")


def readme(**words: str) -> str:
    """Return the README of an export: `tag`, `channel`, `digest`, `hash`, `seal_key`, `manifest_key`."""
    return _README.substitute(words)
