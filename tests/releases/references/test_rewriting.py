"""Digests in pages, and what a Link header says of them."""

import base64
import hashlib

import pytest

from apps.releases.references.extraction import Kind, critical_of, extract
from apps.releases.references.integrity import integrity_of, is_integrity_of
from apps.releases.references.links import link_header
from apps.releases.references.rewriting import rewritten

NAMES = {"a.css": "3f2a9c1b0d4e", "a.js": "1b2c3d4e5f60"}
DIGESTS = {"a.css": "sha384-CSS", "a.js": "sha384-JS/+="}


def page(text: str) -> str:
    extraction = extract(Kind.PAGE, "index.html", text.encode())
    digests = {guard: DIGESTS[guard.target] for guard in extraction.guards if guard.target in DIGESTS}
    return rewritten(text.encode(), extraction, NAMES, digests).decode()


def link(head: str) -> str:
    extraction = critical_of("index.html", f"<!doctype html><head>{head}</head>".encode())
    return link_header(extraction.critical, NAMES, DIGESTS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "<link rel=stylesheet href=a.css>",
            '<link rel=stylesheet integrity="sha384-CSS" href=a.3f2a9c1b0d4e.css>',
        ),
        (
            "<script type=module src='/a.js'/></script>",
            "<script type=module integrity=\"sha384-JS/+=\" src='/a.1b2c3d4e5f60.js'/></script>",
        ),
        (
            "<link rel=preload as=style href=a.css>",
            '<link rel=preload as=style integrity="sha384-CSS" href=a.3f2a9c1b0d4e.css>',
        ),
        (
            "<link rel=modulepreload href=a.js>",
            '<link rel=modulepreload integrity="sha384-JS/+=" href=a.1b2c3d4e5f60.js>',
        ),
        (
            "<script src=a.js integrity='sha256-old'></script>",
            "<script src=a.1b2c3d4e5f60.js integrity='sha384-JS/+='></script>",
        ),
        (
            "<script src=a.js integrity></script>",
            "<script src=a.1b2c3d4e5f60.js integrity></script>",
        ),
        ("<link rel=preload as=image href=a.css>", "<link rel=preload as=image href=a.3f2a9c1b0d4e.css>"),
        ("<script type=x src=a.js></script>", "<script type=x src=a.1b2c3d4e5f60.js></script>"),
        ("<script src=b.js></script>", "<script src=b.js></script>"),
        ("<script src=https://x.example/a.js></script>", "<script src=https://x.example/a.js></script>"),
    ],
)
def test_elements_that_may_say_a_digest_do(before: str, after: str) -> None:
    assert page(before) == after


def test_a_digest_is_known_by_any_algorithm_that_browsers_know() -> None:
    content = b"body{}"
    assert integrity_of(content) == f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"
    assert is_integrity_of(f"sha256-no {integrity_of(content, 'sha512')}?x", content)
    assert not is_integrity_of(integrity_of(b"other"), content)
    assert not is_integrity_of("md5-x", content)


@pytest.mark.parametrize(
    ("head", "value"),
    [
        (
            "<link rel=stylesheet href=a.css>",
            "</a.3f2a9c1b0d4e.css>; rel=preload; as=style; integrity=sha384-CSS",
        ),
        (
            "<script src=a.js></script>",
            '</a.1b2c3d4e5f60.js>; rel=preload; as=script; integrity="sha384-JS/+="',
        ),
        (
            "<script type=module src=a.js crossorigin=use-credentials></script>",
            '</a.1b2c3d4e5f60.js>; rel=modulepreload; crossorigin=use-credentials; integrity="sha384-JS/+="',
        ),
        ("<link rel=modulepreload href=b.js>", "</b.js>; rel=modulepreload"),
        (
            "<link rel=modulepreload href=b.js><script type=importmap>{}</script>"
            "<script type=module src=a.js></script><link rel=stylesheet href=b.css>",
            "</b.css>; rel=preload; as=style",
        ),
        (
            "<script src=b.js integrity=sha256-x></script><script src=a.css integrity></script>",
            "</b.js>; rel=preload; as=script; integrity=sha256-x,"
            " </a.3f2a9c1b0d4e.css>; rel=preload; as=script",
        ),
        (
            "<link rel=preload as=font type=font/woff2 crossorigin href='f/é.woff2?x=1&amp;y'>",
            '</f/%C3%A9.woff2?x=1&y>; rel=preload; as=font; type="font/woff2"; crossorigin=anonymous',
        ),
        ("<link rel=preload as=x media='a \"b\"' href=c>", '</c>; rel=preload; as=x; media="a \\"b\\""'),
        (
            "<link rel=stylesheet href=b.css><link rel=stylesheet href=b.css><script src=b.js></script>",
            "</b.css>; rel=preload; as=style, </b.js>; rel=preload; as=script",
        ),
        ("<link rel=stylesheet media=print href=a.css><link rel=stylesheet disabled href=a.css>", ""),
        ("<link rel='alternate stylesheet' href=a.css><link rel=icon href=a.ico>", ""),
        ("<script async src=a.js></script><script defer src=a.js></script>", ""),
        ("<script nomodule src=a.js></script><script type=x src=a.js></script><script>1</script>", ""),
        ("<noscript><link rel=stylesheet href=a.css></noscript>", ""),
        ("<link rel=preload as=image imagesrcset='a.png 1x' href=a.png><link rel=preload href=a>", ""),
        ("<link rel=stylesheet href=https://x.example/a.css><link rel=stylesheet>", ""),
        ("</head><link rel=stylesheet href=a.css>", ""),
        ("<body><link rel=stylesheet href=a.css>", ""),
    ],
)
def test_a_page_names_ahead_what_its_head_waits_for(head: str, value: str) -> None:
    assert link(head) == value


def test_at_most_ten_files_are_named_ahead() -> None:
    head = "".join(f"<link rel=stylesheet href={number}.css>" for number in range(12))
    assert link(head).count("rel=preload") == 10
    assert "</9.css>" in link(head)
