"""What a build makes of files that refer to each other, and that it makes the same however it came about."""

import base64
import hashlib
import json
import re

import pytest

from apps.accounts.models import User
from apps.assets import store
from apps.assets.selectors import representations_of
from apps.caching.matching import is_fingerprinted
from apps.jobs.models import Job
from apps.jobs.running import run
from apps.releases.comparing.impact import kind_of
from apps.releases.conflicts.standing import compute_standing
from apps.releases.manifest import Finding, ManifestReader, diff
from apps.releases.manifest.names import fingerprinted_name
from apps.releases.models import Channel, Release
from apps.releases.references import Kind
from apps.releases.references.extraction import MAX_BYTES
from apps.releases.selectors import (
    live_publication,
    manifest_reader_of,
)
from apps.releases.services import building, channels, redirects, review
from tests.releases.conftest import MakeRelease, Publish, put, remove

SITE = {
    "index.html": "<link rel=stylesheet href=css/app.css>"
    '<script type=module src="js/app.js"></script><img src=/logo.svg>',
    "about.html": "<p>No references.</p>",
    "css/app.css": '@import "base.css";\n/*# sourceMappingURL=app.css.map */',
    "css/base.css": "a { background: url(../logo.svg) }",
    "css/app.css.map": '{"version":3,"mappings":"AAAA"}',
    "js/app.js": 'import "./left.js"; import "./lib-BX3k9aQz.js"; go()\n//# sourceMappingURL=app.js.map',
    "js/app.js.map": '{"version":3,"mappings":"AAAA,qDAAqD"}',
    "js/left.js": 'import "./right.js"; export let left = 1',
    "js/right.js": 'import "./left.js"; export let right = 2',
    "js/lib-BX3k9aQz.js": 'import "./left.js"',
    "logo.svg": "<svg/>",
    "LICENSE": "MIT",
}


@pytest.fixture
def site(named: Channel, publish: Publish) -> ManifestReader:
    """`SITE`, built with fingerprinted names and live."""
    return manifest_reader_of(publish(*(put(path, text) for path, text in SITE.items())))


def text_of(reader: ManifestReader, path: str) -> str:
    entry = reader.lookup(path)
    assert entry, path
    return store.read_blob(entry.blob).decode()


def name_of(reader: ManifestReader, path: str) -> str:
    entry = reader.lookup(path)
    assert entry, path
    return fingerprinted_name(path, entry.fingerprint)


def integrity_of(text: str) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(text.encode()).digest()).decode()


def test_references_name_fingerprints_through_every_file(site: ManifestReader) -> None:
    assert f"href={name_of(site, 'css/app.css')}>" in text_of(site, "index.html")
    assert f'src="{name_of(site, "js/app.js")}"' in text_of(site, "index.html")
    assert f"src=/{name_of(site, 'logo.svg')}>" in text_of(site, "index.html")
    assert name_of(site, "css/base.css").removeprefix("css/") in text_of(site, "css/app.css")
    assert f"url(../{name_of(site, 'logo.svg')})" in text_of(site, "css/base.css")
    assert name_of(site, "js/left.js").removeprefix("js/") in text_of(site, "js/right.js")
    assert name_of(site, "js/right.js").removeprefix("js/") in text_of(site, "js/left.js")
    site.verify()
    assert site.has_fingerprints


def test_every_file_but_pages_and_those_named_by_a_hash_has_a_fingerprint(site: ManifestReader) -> None:
    fingerprints = {entry.path: entry.fingerprint for entry in site.entries()}
    without = {path for path, fingerprint in fingerprints.items() if not fingerprint}
    assert without == {"index.html", "about.html", "js/lib-BX3k9aQz.js", "LICENSE"}
    named = [fingerprinted_name(path, each) for path, each in fingerprints.items() if each]
    assert all(map(is_fingerprinted, named))


def test_a_fingerprinted_name_has_the_headers_of_the_rule_for_such_names(site: ManifestReader) -> None:
    entry = site.lookup("logo.svg")
    assert entry
    assert site.header_sets[entry.header_set].rule != "fingerprinted"
    assert site.header_sets[entry.named_header_set].rule == "fingerprinted"
    assert "immutable" in dict(site.header_sets[entry.named_header_set].headers)["cache-control"]


def test_elements_say_the_digest_of_what_is_served(site: ManifestReader) -> None:
    page = text_of(site, "index.html")
    found = set(re.findall(r'integrity="([^"]+)"', page))
    assert found == {integrity_of(text_of(site, path)) for path in ("css/app.css", "js/app.js")}


def test_a_page_names_ahead_what_its_head_waits_for_as_its_elements_do(site: ManifestReader) -> None:
    digests = [integrity_of(text_of(site, path)) for path in ("css/app.css", "js/app.js")]
    assert site.link_of("about.html") == ""
    assert site.link_of("index.html").replace('"', "") == (
        f"</{name_of(site, 'css/app.css')}>; rel=preload; as=style; integrity={digests[0]}, "
        f"</{name_of(site, 'js/app.js')}>; rel=modulepreload; integrity={digests[1]}"
    )


def test_a_file_named_by_a_hash_is_never_rewritten_but_guarded(publish: Publish, named: Channel) -> None:
    text = 'import "./a.js"'
    page = '<script src="lib-BX3k9aQz.js"></script>'
    reader = manifest_reader_of(
        publish(put("index.html", page), put("a.js", "1"), put("lib-BX3k9aQz.js", text))
    )
    assert text_of(reader, "lib-BX3k9aQz.js") == text
    assert text_of(reader, "index.html") == (
        f'<script integrity="{integrity_of(text)}" src="lib-BX3k9aQz.js"></script>'
    )


def test_what_was_uploaded_is_kept_beside_what_is_served(site: ManifestReader) -> None:
    for path, text in SITE.items():
        uploaded, served = site.uploaded(path), site.lookup(path)
        assert uploaded
        assert served
        assert store.read_blob(uploaded.blob).decode() == text
        assert served.size == len(text_of(site, path).encode())
    assert site.original_of("logo.svg") is None
    assert site.original_of("about.html") is None
    assert site.original_of("index.html")


def test_a_source_map_moves_with_its_script(site: ManifestReader) -> None:
    script, source_map = text_of(site, "js/app.js"), json.loads(text_of(site, "js/app.js.map"))
    assert source_map["mappings"] == "AAAA,kEAAqD"
    assert script.index("go()") == SITE["js/app.js"].index("go()") + 13
    assert script.endswith(f"sourceMappingURL={name_of(site, 'js/app.js.map').removeprefix('js/')}")


def test_the_same_changes_again_change_nothing(site: ManifestReader, make_release: MakeRelease) -> None:
    release = make_release(*(put(path, text) for path, text in SITE.items()))
    assert release.changes.count() == 0


def test_a_draft_remembers_what_was_uploaded_before(site: ManifestReader, make_release: MakeRelease) -> None:
    release = make_release(put("index.html", "<p>"), remove("css/app.css"))
    remembered = dict(release.changes.values_list("asset__path", "replaced_blob"))
    assert {path: store.read_blob(digest).decode() for path, digest in remembered.items()} == {
        path: SITE[path] for path in ("index.html", "css/app.css")
    }


def test_only_what_depends_on_a_change_is_made_anew(
    site: ManifestReader, publish: Publish, production: Channel
) -> None:
    release = publish(put("logo.svg", "<svg></svg>"))
    after = manifest_reader_of(release)
    brought = {entry.path for entry in after.entries() if entry.release == release.pk}
    assert brought == {"logo.svg", "css/base.css", "css/app.css", "index.html"}
    renamed = {path for path in SITE if fingerprint_of(site, path) != fingerprint_of(after, path)}
    assert renamed == {"logo.svg", "css/base.css", "css/app.css"}


def fingerprint_of(reader: ManifestReader, path: str) -> str:
    entry = reader.lookup(path)
    return entry.fingerprint if entry else ""


def test_what_returns_has_the_name_that_it_had(site: ManifestReader, publish: Publish) -> None:
    publish(put("js/right.js", "export let right = 3"), remove("css/base.css"))
    again = publish(put("js/right.js", SITE["js/right.js"]), put("css/base.css", SITE["css/base.css"]))
    assert manifest_reader_of(again).digest == site.digest


def test_a_target_that_comes_or_goes_changes_those_that_name_it(
    site: ManifestReader, publish: Publish
) -> None:
    without = manifest_reader_of(publish(remove("css/base.css")))
    assert text_of(without, "css/app.css").startswith('@import "base.css"')
    assert list(without.findings()) == [Finding("css/app.css", "missing_reference", "css/base.css")]


def test_rewritten_files_get_content_codings_though_nobody_uploaded_them(
    named: Channel, publish: Publish
) -> None:
    words = "<p>the same words again and again</p>" * 100
    release = publish(put("index.html", f"<img src=logo.svg>{words}"), put("logo.svg", "<svg/>"))
    entry = manifest_reader_of(release).lookup("index.html")
    assert entry
    jobs = [job for job in Job.objects.all() if entry.blob in job.payload["digests"]]
    assert {job.kind for job in jobs} == {"assets.encode_fast", "assets.encode"}
    for job in jobs:
        run(job.pk)
    codings = representations_of([entry.blob])[entry.blob]
    assert {coding.coding for coding in codings} == {"zstd", "br", "gzip"}
    assert building.refresh_manifests()
    assert manifest_reader_of(Release.objects.get()).representations(entry.blob)


@pytest.mark.parametrize("option", ["fingerprints", "early_hints"])
def test_an_option_that_is_turned_off_again_leaves_no_trace(
    option: str,
    production: Channel,
    publish: Publish,
    make_release: MakeRelease,
    editor: User,
    administrator: User,
) -> None:
    plain = publish(*(put(path, text) for path, text in SITE.items()))
    channels.set_options(channel=production, actor=administrator, **{option: True})
    with_option = publish(put("x.txt", "x"))
    assert manifest_reader_of(with_option).link_of("index.html")
    channels.set_options(channel=production, actor=administrator, **{option: False})
    again = publish(remove("x.txt"))
    assert again.manifest == plain.manifest


def test_a_release_without_changes_brings_names_to_what_is_live(
    production: Channel, publish: Publish, administrator: User
) -> None:
    plain = publish(*(put(path, text) for path, text in SITE.items()))
    channels.set_options(channel=production, actor=administrator, fingerprints=True)
    renewed = manifest_reader_of(publish())
    assert name_of(renewed, "css/app.css") in text_of(renewed, "index.html")
    kept = renewed.lookup("logo.svg")
    assert kept
    assert kept.release == plain.pk


def test_what_follows_from_other_paths_is_no_conflict(
    site: ManifestReader, publish: Publish, make_release: MakeRelease, named: Channel
) -> None:
    mine = make_release(put("index.html", "<p>"), put("css/base.css", "a {}"))
    publish(put("logo.svg", "<svg></svg>"), put("css/base.css", "b {}"))
    conflicts = compute_standing(mine, live_publication(named)).conflicts
    assert [conflict.label for conflict in conflicts] == ["css/base.css"]


def test_a_rule_that_changes_changes_headers_under_both_names(
    site: ManifestReader, make_release: MakeRelease, editor: User
) -> None:
    release = make_release()
    rule = release.rules.get(rule__slug="fingerprinted")
    changed = type(rule).objects.get(pk=rule.pk)
    changed.pk, changed.number = None, rule.number + 1
    changed.policy = rule.policy | {"browser_ttl_seconds": 4242}
    changed.save(force_insert=True)
    release.rules.remove(rule)
    release.rules.add(changed)
    after = manifest_reader_of(review.submit(release=release, actor=editor))
    entry = after.lookup("logo.svg")
    assert entry
    assert "4242" in dict(after.header_sets[entry.named_header_set].headers)["cache-control"]
    assert "4242" not in dict(after.header_sets[entry.header_set].headers)["cache-control"]


def test_a_circle_of_style_sheets_and_one_that_imports_itself_have_names(
    named: Channel, publish: Publish
) -> None:
    circle = {"a.css": '@import "b.css"', "b.css": '@import "/a.css"', "self.css": '@import "self.css?v=1#x"'}
    reader = manifest_reader_of(publish(*(put(path, text) for path, text in circle.items())))
    assert text_of(reader, "a.css") == f'@import "{name_of(reader, "b.css")}"'
    assert text_of(reader, "b.css") == f'@import "/{name_of(reader, "a.css")}"'
    assert text_of(reader, "self.css") == f'@import "{name_of(reader, "self.css")}?v=1#x"'
    assert fingerprint_of(reader, "a.css") == fingerprint_of(reader, "b.css")
    after = manifest_reader_of(publish(put("b.css", '@import "/a.css"; a {}')))
    assert fingerprint_of(after, "a.css") != fingerprint_of(reader, "a.css")


def test_a_file_that_is_not_understood_is_served_as_it_is_and_found(named: Channel, publish: Publish) -> None:
    broken = {
        "latin.css": b"a { background: url(logo.svg) } /* \xe9 */",
        "broken.js": b'import "./logo.svg"; = = 1',
        "broken.html": b"<img src=logo.svg>\xff",
        "logo.svg": b"<svg/>",
    }
    reader = manifest_reader_of(publish(*(put(path, content) for path, content in broken.items())))
    for path, content in broken.items():
        entry = reader.lookup(path)
        assert entry
        assert store.read_blob(entry.blob) == content
    assert [(finding.path, finding.kind) for finding in reader.findings()] == [
        ("broken.html", "not_utf8"),
        ("broken.js", "unreadable_script"),
        ("latin.css", "not_utf8"),
    ]
    assert fingerprint_of(reader, "latin.css")


def test_a_file_that_is_too_large_is_served_as_it_is_and_not_even_read(
    named: Channel, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in Kind:
        monkeypatch.setitem(MAX_BYTES, kind, 40)
    sheet = "a { background: url(logo.svg) } " + "a {} " * 10
    page = "<link rel=stylesheet href=large.css>"
    release = publish(put("large.css", sheet), put("logo.svg", "<svg/>"), put("index.html", page))
    reader = manifest_reader_of(release)
    assert text_of(reader, "large.css") == sheet
    assert text_of(reader, "index.html") == f"<link rel=stylesheet href={name_of(reader, 'large.css')}>"
    assert list(reader.findings()) == [
        Finding("large.css", "too_large", f"it has {len(sheet)} bytes; 40 are the most")
    ]


def test_digests_that_a_page_says_are_brought_up_to_date_or_found_wrong(
    named: Channel, publish: Publish
) -> None:
    sheet, plain = "a { background: url(logo.svg) }", "b {}"
    page = "".join(
        f'<link rel=stylesheet href={path} integrity="{integrity}">'
        for path, integrity in (
            ("a.css", integrity_of(sheet)),
            ("b.css", integrity_of(plain)),
            ("c.css", integrity_of("other")),
        )
    )
    contents = {"a.css": sheet, "b.css": plain, "c.css": plain, "logo.svg": "<svg/>", "index.html": page}
    frozen = {"frozen-BX3k9aQz.html": page}
    files = [put(path, text) for path, text in (contents | frozen).items()]
    reader = manifest_reader_of(publish(*files))
    found = re.findall(r'integrity="([^"]+)"', text_of(reader, "index.html"))
    assert found == [integrity_of(text_of(reader, "a.css")), integrity_of(plain), integrity_of("other")]
    assert text_of(reader, "frozen-BX3k9aQz.html") == page
    assert list(reader.findings()) == [
        Finding("frozen-BX3k9aQz.html", "wrong_integrity", "a.css"),
        Finding("frozen-BX3k9aQz.html", "wrong_integrity", "c.css"),
        Finding("index.html", "wrong_integrity", "c.css"),
    ]


def test_a_digest_that_a_page_says_of_a_page_is_looked_at_as_that_is_served(
    named: Channel, publish: Publish
) -> None:
    rewritten, plain = "<link rel=stylesheet href=a.css>", "<p>Nothing is named."
    said = [("rewritten.html", integrity_of(rewritten)), ("plain.html", integrity_of(plain))]
    links = "".join(
        f'<link rel=preload as=script href={path} integrity="{integrity}">'
        for path, integrity in [*said, ("index.html", integrity_of("itself"))]
    )
    pages = [put("index.html", links), put("rewritten.html", rewritten), put("plain.html", plain)]
    reader = manifest_reader_of(publish(*pages, put("a.css", "a{}")))
    assert text_of(reader, "rewritten.html") != rewritten
    assert text_of(reader, "index.html") == links
    assert list(reader.findings()) == [
        Finding("index.html", "wrong_integrity", "index.html"),
        Finding("index.html", "wrong_integrity", "rewritten.html"),
    ]
    served = integrity_of(text_of(reader, "rewritten.html"))
    reader = manifest_reader_of(publish(put("index.html", links.replace(said[0][1], served))))
    assert list(reader.findings()) == [Finding("index.html", "wrong_integrity", "index.html")]


def test_an_element_that_wants_no_digest_gets_none(named: Channel, publish: Publish) -> None:
    reader = manifest_reader_of(
        publish(put("index.html", '<script src="a.js" integrity=""></script>'), put("a.js", "1"))
    )
    assert text_of(reader, "index.html") == f'<script src="{name_of(reader, "a.js")}" integrity=""></script>'


def test_a_map_of_two_files_stays_and_is_found(named: Channel, publish: Publish) -> None:
    text = 'import "./logo.svg"\n//# sourceMappingURL=both.map'
    source_map = '{"version":3,"mappings":"AAAA"}'
    reader = manifest_reader_of(
        publish(put("a.js", text), put("b.js", text), put("both.map", source_map), put("logo.svg", "<svg/>"))
    )
    assert text_of(reader, "both.map") == source_map
    assert list(reader.findings()) == [Finding("both.map", "shared_map", "it is the map of a.js and b.js")]


def test_a_redirect_that_answers_a_reference_takes_the_finding_away(
    named: Channel, publish: Publish, make_release: MakeRelease, editor: User
) -> None:
    assert list(manifest_reader_of(publish(put("index.html", "<img src=/old/logo.svg>"))).findings())
    release = make_release()
    redirects.put_redirect(release=release, source="/old/*", target="/new/:splat", actor=editor)
    assert list(manifest_reader_of(review.submit(release=release, actor=editor)).findings()) == []


def test_one_content_in_two_manners_is_two_manifests(
    production: Channel, publish: Publish, administrator: User
) -> None:
    plain = publish(put("index.html", "<img src=gone.png>"))
    channels.set_options(channel=production, actor=administrator, fingerprints=True)
    checked = publish()
    assert checked.manifest != plain.manifest
    assert [finding.detail for finding in manifest_reader_of(checked).findings()] == ["gone.png"]


def test_what_is_uploaded_as_it_is_served_is_another_upload(site: ManifestReader, publish: Publish) -> None:
    release = publish(put("index.html", text_of(site, "index.html")))
    after = manifest_reader_of(release)
    assert text_of(after, "index.html") == text_of(site, "index.html")
    assert after.original_of("index.html") is None
    assert after.digest != site.digest


def test_a_difference_says_what_only_follows(site: ManifestReader, publish: Publish) -> None:
    after = manifest_reader_of(publish(put("logo.svg", "<svg></svg>")))
    kinds = {difference.path: kind_of(difference) for difference in diff(site, after)}
    assert kinds == {
        "logo.svg": "changed",
        "css/base.css": "following",
        "css/app.css": "following",
        "index.html": "following",
    }


def test_a_page_that_is_too_large_to_read_names_nothing_ahead(
    production: Channel, publish: Publish, administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels.set_options(channel=production, actor=administrator, early_hints=True)
    page = "<link rel=stylesheet href=a.css>"
    monkeypatch.setitem(MAX_BYTES, Kind.PAGE, len(page))
    reader = manifest_reader_of(
        publish(put("small.html", page), put("large.html", page + " "), put("a.css", "a {}"))
    )
    assert reader.link_of("small.html") == "</a.css>; rel=preload; as=style"
    assert reader.link_of("large.html") == ""
    assert [(finding.path, finding.kind) for finding in reader.findings()] == [("large.html", "too_large")]
