"""What is found in pages, style sheets and scripts, and what is left alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.manifest import Entry
from apps.releases.references.extraction import MAX_BYTES, Kind, extract, kind_of, too_large
from apps.releases.references.rewriting import insertions, rewritten

FINGERPRINT = "3f2a9c1b0d4e"


def marked(kind: Kind, text: str, *, path: str = "css/app.css") -> str:
    """Return `text` with a • wherever a fingerprint goes, whatever is referred to."""
    extraction = extract(kind, path, text.encode())
    places = insertions(extraction, dict.fromkeys(extraction.targets, FINGERPRINT))
    for place in sorted(places, reverse=True):
        text = f"{text[:place]}•{text[place:]}"
    return text


def targets(kind: Kind, text: str, *, path: str = "css/app.css") -> list[str]:
    return extract(kind, path, text.encode()).targets


@pytest.mark.parametrize(
    ("path", "media_type", "kind"),
    [
        ("a.html", "text/html", Kind.PAGE),
        ("a.css", "text/css", Kind.STYLE),
        ("a.mjs", "text/javascript", Kind.SCRIPT),
        ("a.js.map", "application/json", Kind.MAP),
        ("a.json", "application/json", None),
        ("a.png", "image/png", None),
    ],
)
def test_only_files_that_can_refer_to_others_are_read(path: str, media_type: str, kind: Kind | None) -> None:
    assert kind_of(path, media_type) is kind


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("a.png", "css/a.png"),
        ("./a.png", "css/a.png"),
        ("../img/a.png", "img/a.png"),
        ("../../../a.png", "a.png"),
        ("/img/a.png?v=1#x", "img/a.png"),
        ("  a.png  ", "css/a.png"),
        ("a%20b.png", "css/a b.png"),
        ("e\u0301.png", "css/é.png"),
        ("a;b.png", "css/a;b.png"),
    ],
)
def test_a_reference_is_resolved_against_the_file_that_it_stands_in(url: str, target: str) -> None:
    assert targets(Kind.STYLE, f'a {{ background: url("{url}") }}') == [target]


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/a.png",
        "//elsewhere.example/a.png",
        "data:image/png;base64,AA==",
        "blob:x.png",
        "#mask",
        "?v=1",
        "",
        " ",
        "folder/",
        "/",
        "..",
        "a\\\\b.png",
        "%ff.png",
    ],
)
def test_what_leads_elsewhere_or_to_no_file_is_no_reference(url: str) -> None:
    assert targets(Kind.STYLE, f'a {{ background: url("{url}") }}') == []


@pytest.mark.parametrize(
    "css",
    [
        '@import "b•.css" layer(base);',
        "@IMPORT/**/url( 'b•.css?x' ) screen;",
        "a { background: url(i•.png), URL( /r•.svg#f ), url(data:x) }",
        "a { background: image-set('x•.avif' type('image/avif') 1x, url(y•.png) 2x) }",
        "@media print { @supports (x: y) { a { src: local(x.png), url('f•.woff2') } } }",
        '\ufeff@charset "utf-8";\r\n/* é\f */a{}\r\nb { background: url(\r\n"i•.png") }',
        r"a { background: url(a\20 b•.png) url('\e9•\2e png') url('it\'s•.png') }",
        "a { content: 'url(no.png)'; --x: [ url(y•.png) ] }/* url(no.png) */",
        "a { background: url(no-extension) url(v1.2/none) }",
        "/* unclosed url(no.png)",
        'a { background: url("unclosed•.png',
    ],
)
def test_style_sheets_name_files_by_url_import_and_image_set(css: str) -> None:
    assert marked(Kind.STYLE, css.replace("•", "")) == css


@pytest.mark.parametrize(
    "script",
    [
        'import a, { b as c } from "./a•.js"; import "../b•.mjs"',
        "export * from './b•.js'; export { x } from \"/c•.js\"",
        "const m = await import('./d•.js?q'), n = await import(/* chunk */ `./e•.js`)",
        "import j from './j•.json' with { type: 'json' }",
        "new URL('x•.png', import.meta.url); new Worker(new URL('./w•.js', import.meta.url))",
        "new Worker('/w•.js', { type: 'module' }); new SharedWorker('/s•.js')",
        "class A { #p = 1; static x = 2; static { } get q() { return this.#p?.y ?? 3 } } import './a•.js'",
        "/* é 😀 */ import './ü•.js'; import './d•\\u002ejs'; import './x\\\n\\x61\\u{62}\\q•.js'",
        "import 'bare'; import 'bare/x.js'; import('lib/' + x); import(`./${x}.js`); import(x, './y.js')",
        "new Worker('relative.js'); new URL('./x.png', base); new URL(); new Image('./x.png')",
        "const s = 'import(\"./no.js\")', t = `import './no.js'`; // import './no.js'",
        "import './a•.js'; /re[/]'/.test(x) ? `${await import('./t•.js')}` : 0",
    ],
)
def test_scripts_name_files_by_import_worker_and_url(script: str) -> None:
    extraction = extract(Kind.SCRIPT, "js/app.js", script.replace("•", "").encode())
    assert extraction.findings == ()
    assert marked(Kind.SCRIPT, script.replace("•", ""), path="js/app.js") == script


@pytest.mark.parametrize(
    "page",
    [
        "<link rel=stylesheet href=a•.css><link REL='shortcut icon' HREF='/f•.ico'>",
        '<link rel="preload" as="image" imagesrcset="a•.png 1x, b•.png 2x" href="a•.png">',
        "<link rel=modulepreload href=a•.js><link rel=manifest href=m•.webmanifest>",
        "<link rel=canonical href=a.html><link rel=alternate href=feed.xml><a href=a.css>x</a>",
        '<script src="a•.js"></script><script type=module src = a•.mjs ></script><script src></script>',
        "<img src=a•.png srcset='a,b•.png 2x,c•.png 1x,d•.png, e•.png' alt=x.png>",
        '<img srcset="data:image/png;base64,AA== 1x, a•.png calc(1,2), b•.png">',
        '<video poster="p•.jpg" src=v•.mp4><source src=v•.webm><track src=t•.vtt></video><audio src=a•.ogg>',
        "<object data=o•.svg></object><embed src=e•.svg><input type=image src=i•.png>",
        "<svg><use href=s•.svg#i /><image xlink:href='i•.png'/></svg><iframe src=frame.html></iframe>",
        '<p style="background: url(&quot;a&amp;b•.png&quot;)"><p style="color: red">',
        "<style>@import 'a•.css'; a { background: url(b•.png) }</style>",
        "<script>import('./a•.js'); '<img src=no.png>'</script><script src=x•.js>import('./no.js')</script>",
        "<script type=module>import './a•.js'</script><script type=text/template>import './no.js'</script>",
        '<script type="importmap">{"imports": {"a": "./a•.js", "b": "https://x.example/b.js", "c/": "./c/"},'
        ' "scopes": {"/x/": {"a": "/b•.js"}}, "integrity": {"./a.js": "x"}}</script>',
        "<script type=importmap>{ broken './a.js'</script><script type=importmap>[]</script>",
        "<!-- <img src=no.png> --><!--><img src=a•.png><!---><img src=b•.png><!-- --!><img src=c•.png>",
        "<!doctype html><?x <img src=no.png><img src=a•.png><!x <img src=no.png><img src=b•.png>",
        "<svg><![CDATA[ <img src=no.png> ]]></svg><![CDATA[ <img src=no.png> ]]><img src=b•.png>",
        "<title><img src=no.png></title><textarea><img src=no.png></textarea x><img src=a•.png>",
        "<script><!-- <script> </script> <img src=no.png> --></script><img src=a•.png>",
        "<script><!--> </script><img src=a•.png><script><!-- </script><img src=b•.png>",
        "<script><!-- <script> --> </script><img src=a•.png><script> <script> </script><img src=b•.png>",
        "<img src=a•.png src=no.png><img / src=b•.png /><img src=><img ='x' src=c•.png>",
        "< img src=no.png><3><img\nsrc=a•.png\n><template><img src=b•.png></template></img src=no.png>",
        "<img src=a•.png><img src=no.png",
        '<img src=a•.png><img src="no.png>',
        "<img src=a•.png><!-- <img src=no.png>",
        "<img src=a•.png><!x",
        "<img src=a•.png><style>a { b: url(c•.png) }",
        "<plaintext><img src=no.png>",
        '<base href="/other/"><img src=a•.png>',
    ],
)
def test_pages_name_files_by_what_loads_them(page: str) -> None:
    assert marked(Kind.PAGE, page.replace("•", ""), path="docs/index.html") == page


def test_a_page_refers_against_its_base() -> None:
    page = '<img src=a.png><base target=x><base href="/other/x"><base href="/no/"><img src=../b.png>'
    assert targets(Kind.PAGE, page, path="docs/index.html") == ["b.png", "other/a.png"]
    elsewhere = '<base href="https://cdn.example/"><img src=/a.png><script>import("./a.js")</script>'
    assert targets(Kind.PAGE, elsewhere, path="index.html") == []


def test_inline_code_that_a_policy_names_by_digest_stays_as_it_is() -> None:
    policy = "<meta http-equiv=Content-Security-Policy content=\"script-src 'sha256-AA=='\">"
    page = f"{policy}<img src=a.png style='background: url(b.png)'><script>import('./c.js')</script>"
    assert targets(Kind.PAGE, page, path="index.html") == ["a.png"]
    assert targets(Kind.PAGE, page.replace("'sha256-AA=='", "'self'"), path="index.html") == [
        "a.png",
        "b.png",
        "c.js",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "target"),
    [
        (Kind.SCRIPT, "x\n//# sourceMappingURL=app.js.map\n", "js/app.js.map"),
        (Kind.SCRIPT, "x//@ sourceMappingURL=/m/app.map", "m/app.map"),
        (Kind.STYLE, "a{}\n/*# sourceMappingURL=app.css.map */", "js/app.css.map"),
        (Kind.SCRIPT, "//# sourceMappingURL=no.map\nmore()", None),
        (Kind.SCRIPT, "'sourceMappingURL=no.map'", None),
        (Kind.SCRIPT, "x\n//# sourceMappingURL=https://x.example/app.js.map", None),
    ],
)
def test_the_last_comment_names_the_source_map(kind: Kind, text: str, target: str | None) -> None:
    extraction = extract(kind, "js/app.js", text.encode())
    assert extraction.map_target == target
    assert extraction.targets == ([target] if target else [])


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"import './a.js'; let = = 1", ("unreadable_script", "line 1")),
        (b"import './a.js';\n\nif (", ("unreadable_script", "line 3")),
        (b"import './a.js'; '\xff'", ("not_utf8", "byte 18 is no UTF-8")),
    ],
)
def test_a_script_that_is_not_understood_is_found_and_left_alone(
    content: bytes, finding: tuple[str, str]
) -> None:
    extraction = extract(Kind.SCRIPT, "a.js", content)
    assert [(found.kind, found.detail) for found in extraction.findings] == [finding]
    assert not extraction.is_rewritable
    assert extraction.targets == []


def test_a_script_in_a_page_that_is_not_understood_leaves_the_rest_of_the_page() -> None:
    extraction = extract(Kind.PAGE, "index.html", b"<script>import('./a.js'); = =</script><img src=b.png>")
    assert [found.kind for found in extraction.findings] == ["unreadable_script"]
    assert extraction.is_rewritable
    assert extraction.targets == ["b.png"]


def test_a_script_without_references_is_not_asked_for_its_grammar() -> None:
    assert extract(Kind.SCRIPT, "a.js", b"let = = 1 // export import from").findings == ()


def test_a_file_too_large_to_read_is_found() -> None:
    entry = Entry("a.css", "", MAX_BYTES[Kind.STYLE], "text/css", header_set=1, release=1)
    assert too_large(entry, Kind.STYLE) is None
    extraction = too_large(replace(entry, size=entry.size + 1), Kind.STYLE)
    assert extraction
    assert [found.kind for found in extraction.findings] == ["too_large"]
    assert not extraction.is_rewritable


def test_deep_nesting_and_long_runs_are_read_in_bounded_depth() -> None:
    assert targets(Kind.STYLE, "(" * 5_000 + "url(a.png)") == ["css/a.png"]
    assert targets(Kind.PAGE, "<div>" * 5_000 + "<img src=a.png>", path="x.html") == ["a.png"]
    assert extract(Kind.SCRIPT, "a.js", b"import './b.js';" + b"(" * 5_000).findings


@given(
    st.sampled_from([Kind.PAGE, Kind.STYLE, Kind.SCRIPT]),
    st.text(alphabet="<>!-/=\"'()ab. \n\\@;{}[]&#s", max_size=60),
)
def test_whatever_a_file_holds_is_read_and_only_added_to(kind: Kind, text: str) -> None:
    content = f"{text} url(a.png) <img src=b.png> import './c.js'".encode()
    extraction = extract(kind, "x/y", content)
    names = dict.fromkeys(extraction.targets, FINGERPRINT)
    assert rewritten(content, extraction, names).replace(f".{FINGERPRINT}".encode(), b"") == content


LONG = 60_000
HOSTILE = [
    (Kind.SCRIPT, "import/*" * LONG, []),
    (Kind.SCRIPT, "import './a.js'; " + "/[" * LONG, []),
    (Kind.SCRIPT, "import " + "/*a*/" * LONG + " x", []),
    (Kind.SCRIPT, "/* é */" + "import './a.js';" * LONG, ["a.js"]),
    (Kind.SCRIPT, "import './a.js';" + "//# sourceMappingURL=" * LONG, ["a.js"]),
    (Kind.STYLE, "@import 'a.css';" + "url(" * LONG, ["a.css"]),
    (Kind.STYLE, "url(" + "\\" * LONG, []),
    (Kind.PAGE, "<x a='\"" * LONG, []),
    (Kind.PAGE, "<!--" * LONG, []),
    (Kind.PAGE, "<svg>" + "<![CDATA[" * LONG, []),
    (Kind.PAGE, "<script><!--<script>" * LONG, []),
    (Kind.PAGE, "<img srcset='" + "a.png ((" * LONG + "'>", ["a.png"]),
]


@pytest.mark.parametrize(("kind", "text", "expected"), HOSTILE, ids=[text[:12] for _, text, _ in HOSTILE])
def test_texts_made_to_take_long_are_read_in_a_time_that_grows_with_their_length(
    kind: Kind, text: str, expected: list[str]
) -> None:
    """Each of these takes hours, or for ever, where a step of the reading begins again at every place."""
    assert targets(kind, text, path="x") == expected
