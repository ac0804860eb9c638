"""A build on a base makes what a build from nothing makes, however it came about and whatever the options."""

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.assets import store
from apps.assets.intake import take_in_many
from apps.caching.selectors import current_versions
from apps.releases.contents import PutChange, RemoveChange
from apps.releases.manifest import Entry, Finding, ManifestReader
from apps.releases.manifest.names import split_fingerprinted
from apps.releases.models import Channel, Manifest, Release
from apps.releases.references import kind_of
from apps.releases.references.extraction import extract
from apps.releases.references.found import Extraction
from apps.releases.references.integrity import is_integrity_of
from apps.releases.selectors import open_manifest
from apps.releases.services import building, drafts

POOL = (
    "a.css",
    "x.js",
    "d/y.js",
    "x.js.map",
    "d/m.map",
    "p.html",
    "i.png",
    "n-BX3k9aQz.js",
    "h-BX3k9aQz.html",
    "NONE",
)
File = tuple[int, list[str]]
"""What makes a file differ, and what it refers to."""
Step = tuple[dict[str, File | None], str]
"""What a release puts and removes, and the option that its channel has."""

one_file = st.tuples(st.integers(0, 5), st.lists(st.sampled_from(POOL), max_size=3))
first_files = st.dictionaries(st.sampled_from(POOL), one_file, max_size=8)
changes = st.dictionaries(st.sampled_from(POOL), st.none() | one_file, max_size=4)
option = st.sampled_from(("fingerprints", "early_hints", ""))
NAMED = "fingerprints"
MAPPED: dict[str, File | None] = {"x.js": (1, ["i.png"]), "x.js.map": (0, []), "i.png": (0, [])}
SHARED: dict[str, File | None] = {
    "x.js": (2, ["i.png"]),
    "d/y.js": (2, ["i.png"]),
    "d/m.map": (0, []),
    "i.png": (0, []),
}


def written(path: str, noise: int, targets: list[str]) -> bytes:
    """Return a file of the kind that its name says, which refers to `targets`; odd ones are damaged."""
    urls = [f"/{target}{'?v=1#x' if noise == 4 else ''}" for target in targets]
    if path.endswith(".html"):
        integrity = ' integrity="sha256-bm90IHRoaXMgb25l"' if noise == 3 else ""
        return f"<!doctype html><head>{''.join(loading(url, integrity) for url in urls)}<p>{noise}".encode()
    if path.endswith(".css"):
        imports = "".join(f'@import "{url}";' for url in urls)
        return f"{imports}a{{order:{noise}}}{mapped(path, noise, '/*', '*/')}".encode()
    if path.endswith(".js"):
        imports = "".join(f'import "{url}";' for url in urls)
        damage = "= = 1" if noise == 5 else ""
        return f"{imports}x({noise}){damage}{mapped(path, noise, '//', '')}".encode()
    if path.endswith(".map"):
        text = json.dumps({"version": 3, "mappings": "AAAA,gB,gBAAgB", "names": [noise]})
        return text[: None if noise < 5 else 9].encode()
    return f"{path} {noise}".encode() + b"\xff"


def loading(url: str, integrity: str) -> str:
    if ".js" in url:
        return f'<script type=module src="{url}"{integrity}></script>'
    if ".png" in url:
        return f'<link rel=preload as=image href="{url}"><img srcset="{url} 1x, /i.png 2x">'
    return f'<link rel=stylesheet href="{url}"{integrity}><i style="background: url({url})"></i>'


def mapped(path: str, noise: int, begin: str, end: str) -> str:
    """Return the comment that names a source map: its own, or one that others may name as well."""
    names = {1: f"/{path}.map", 2: "/d/m.map", 4: f"/{path}.map"}
    return f"\n{begin}# sourceMappingURL={names[noise]} {end}" if noise in names else ""


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.tuples(first_files, option), st.lists(st.tuples(changes, option), max_size=3))
@example(({"p.html": (0, ["NONE"])}, ""), [({}, "fingerprints"), ({}, ""), ({}, "early_hints")])
@example(({"x.js": (5, ["i.png"])}, NAMED), [({"x.js": None}, NAMED)])  # a finding goes with its file
@example((MAPPED, NAMED), [({"x.js": (1, [])}, NAMED)])  # a map moves back with its script
@example((MAPPED, NAMED), [({"x.js": None}, NAMED)])
@example(({"x.js": (0, ["i.png"]), "i.png": (0, [])}, NAMED), [({"x.js.map": (0, [])}, NAMED)])
@example(({"p.html": (3, ["p.html"])}, NAMED), [])  # a page that says a digest of itself
@example(({"p.html": (3, ["h-BX3k9aQz.html"])}, NAMED), [({"h-BX3k9aQz.html": (0, [])}, NAMED)])
@example((SHARED, NAMED), [({"x.js": (0, ["i.png"])}, NAMED)])  # a map loses one that named it
@example((SHARED, NAMED), [({"d/y.js": None}, NAMED), ({"d/y.js": (2, [])}, NAMED)])
def test_a_build_on_a_base_is_the_build_from_nothing(
    production: Channel, editor: User, first: Step, steps: list[Step]
) -> None:
    now: dict[str, File | None] = {}
    manifest: Manifest | None = None
    for step in [first, *steps]:
        now = {path: file for path, file in (now | step[0]).items() if file}
        manifest = built(editor, step, manifest)
    assert manifest
    reader = open_manifest(manifest)
    reader.verify()
    assert_whole(reader)
    grown = held(reader)
    forget_manifests()
    alone = built(editor, (now, step[1]), None)
    assert alone.digest == manifest.digest
    assert held(open_manifest(alone)) == grown


def built(editor: User, step: Step, base: Manifest | None) -> Manifest:
    """Build a release of these files on a base that need not have been published."""
    files, option = step
    Channel.objects.filter(name="production").update(
        fingerprints=option == "fingerprints", early_hints=option == "early_hints"
    )
    channel = Channel.objects.get(name="production")
    release = Release.objects.create(title="x", channel=channel, base_manifest=base, created_by=editor)
    release.rules.set(current_versions())
    put = take_in_many((path, [written(path, *file)]) for path, file in files.items() if file)
    removed = [RemoveChange(path) for path, file in files.items() if not file]
    drafts.apply_changes(release=release, changes=[*map(PutChange, put), *removed], actor=editor)
    return building.build(Release.objects.get(pk=release.pk))


def forget_manifests() -> None:
    """Let a build of the same content make a file of its own, rather than find one."""
    Release.objects.update(base_manifest=None)
    Manifest.objects.all().delete()


def held(reader: ManifestReader) -> Mapping[str, object]:
    """Return all that a manifest holds of its files, by table."""
    paths = [entry.path for entry in reader.entries()]
    return {
        "entry": [(e.path, e.blob, e.size, e.media_type, e.fingerprint) for e in reader.entries()],
        "header_set": [reader.header_sets[entry.header_set] for entry in reader.entries()],
        "original": [reader.original_of(path) for path in paths],
        "page_link": [reader.link_of(path) for path in paths],
        "reference": [reader.references_of(path) for path in paths],
        "finding": list(reader.findings()),
        "manner": reader.manner,
    }


def assert_whole(reader: ManifestReader) -> None:
    """Assert that whatever the files of a manifest name is there, and is what they say it is."""
    findings = set(reader.findings())
    for entry in reader.entries():
        kind = kind_of(entry.path, entry.media_type)
        if kind is None or not reader.manner:
            assert not reader.original_of(entry.path)
            continue
        extraction = extract(kind, entry.path, store.read_blob(entry.blob))
        if extraction.is_rewritable and reader.has_fingerprints:
            assert_named(reader, extraction)
        assert_digests(reader, entry, extraction, findings)
        assert_linked(reader, reader.link_of(entry.path))


def assert_named(reader: ManifestReader, extraction: Extraction) -> None:
    """Assert that a file names all that has a fingerprint by it, and nothing else so."""
    for target in extraction.named_targets:
        if split_fingerprinted(target):
            assert served(reader, target), target
        else:
            entry = reader.lookup(target)
            assert entry is None or not entry.fingerprint, target


def assert_digests(
    reader: ManifestReader, page: Entry, extraction: Extraction, findings: set[Finding]
) -> None:
    for guard in extraction.guards:
        entry = served(reader, guard.target)
        if guard.integrity and entry and reader.has_fingerprints:
            is_right = is_integrity_of(guard.integrity, store.read_blob(entry.blob))
            assert is_right != (Finding(page.path, "wrong_integrity", entry.path) in findings)


def assert_linked(reader: ManifestReader, link: str) -> None:
    for path, integrity in re.findall(r'<(/[^>]*)>[^,]*?(?:integrity="?([^",]+)"?)?(?:,|$)', link):
        entry = served(reader, urlsplit(path).path.removeprefix("/"))
        assert entry, path
        assert not integrity or is_integrity_of(integrity, store.read_blob(entry.blob)) or "bm90" in integrity


def served(reader: ManifestReader, path: str) -> Entry | None:
    """Return what a path, or a fingerprinted name of one, is served with."""
    named = split_fingerprinted(path)
    if named and (entry := reader.lookup(named[0])) and entry.fingerprint == named[1]:
        return entry
    return reader.lookup(path)
