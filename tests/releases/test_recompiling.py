"""Other rules on a base give what a build from nothing gives, and compile only what they may match."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.assets.selectors import newest_tagging
from apps.assets.services import ensure_assets, tag_assets
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.headers import HeaderCompiler
from apps.caching.models import CacheRule, CacheRuleVersion
from apps.caching.rules import Combination, Match, Policy
from apps.caching.serialisation import as_json
from apps.releases.manifest import ManifestReader, ManifestWriter
from apps.releases.models import Channel, Manifest, Release
from apps.releases.selectors import open_manifest
from apps.releases.services import building, drafts
from apps.releases.services.compiling import compiler_of
from apps.releases.services.pins import pin
from tests.releases.conftest import put

FILES = ("a.css", "css/b.css", "css/app.3f2a9c41.css", "js/x.js", "index.html", "img/y.png")

matches = st.sampled_from(
    [
        Match(),
        Match(folders=("css",)),
        Match(paths=("**/*.css",)),
        Match(extensions=("js", "png")),
        Match(is_fingerprinted=True),
        Match(media_types=("text/html",)),
        Match(tags=("sale",)),
        Match(tags=("sale", "hero"), extensions=("css", "png")),
    ]
)
policies = st.sampled_from([Policy(), Policy(browser_ttl_seconds=60), Policy(surrogate_keys=("a",))])
EVERYTHING = (Match(), Policy(browser_ttl_seconds=60), 9)
rule_sets = st.tuples(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(matches, policies, st.integers(0, 3)), max_size=4),
    st.sampled_from(Combination),
)
type RuleSet = tuple[dict[str, tuple[Match, Policy, int]], Combination]
type Tagged = dict[str, bool]
"""Paths to which a tag is given, or from which it is taken."""
acts = st.dictionaries(st.sampled_from(FILES), st.booleans(), max_size=3)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(rule_sets, acts, acts), min_size=2, max_size=3))
def test_other_rules_on_a_base_give_what_a_build_from_nothing_gives(
    production: Channel, editor: User, given_sets: list[tuple[RuleSet, Tagged, Tagged]]
) -> None:
    base: Release | None = None
    for rules, sale, hero in given_sets:
        tag(sale, "sale", editor)
        tag(hero, "hero", editor)
        release = begun(production, editor, base, rules, files=FILES if base is None else ())
        base = built(release)
    assert base is not None
    grown = served(open_manifest(manifest_of(base)))
    compiler = compiler_of(base)
    for path, found in grown.items():
        media_type, size, header_set = found
        assert compiler.header_set(path, media_type, size).digest == header_set


def test_only_what_a_changed_rule_may_match_is_compiled_again(
    production: Channel, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: RuleSet = ({"a": (Match(folders=("css",)), Policy(), 1), "b": EVERYTHING}, Combination.FIRST)
    base = built(begun(production, editor, None, first, files=FILES))
    second = ({"a": (Match(folders=("img",)), Policy(), 1), "b": EVERYTHING}, Combination.FIRST)
    release = begun(production, editor, base, second)
    compiled = noted(monkeypatch)
    built(release)
    assert sorted(set(compiled)) == ["css/app.3f2a9c41.css", "css/b.css", "img/y.png"]


def test_of_other_tags_only_the_files_that_carry_them_are_compiled_again(
    production: Channel, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules: RuleSet = ({"a": (Match(tags=("sale",)), Policy(), 1), "b": EVERYTHING}, Combination.FIRST)
    base = built(begun(production, editor, None, rules, files=FILES))
    tag({"css/b.css": True, "js/x.js": True}, "sale", editor)
    tag({"index.html": True}, "hero", editor)
    release = begun(production, editor, base, rules)
    compiled = noted(monkeypatch)
    monkeypatch.setattr(ManifestWriter, "entries", None)  # a million of them are not gone through
    built(release)
    assert sorted(set(compiled)) == ["css/b.css", "js/x.js"]


def tag(paths: Tagged, name: str, actor: User) -> None:
    ensure_assets(FILES)
    for is_given in (True, False):
        some = [path for path, wanted in paths.items() if wanted is is_given]
        given, taken = ([name], []) if is_given else ([], [name])
        tag_assets(paths=some, actor=actor, add=given, remove=taken)


def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each path that is compiled from now on is added."""
    compiled: list[str] = []
    real = HeaderCompiler.header_set

    def header_set(self: HeaderCompiler, path: str, *args: Any, **kwargs: Any) -> Any:
        compiled.append(path)
        return real(self, path, *args, **kwargs)

    monkeypatch.setattr(HeaderCompiler, "header_set", header_set)
    return compiled


def begun(
    channel: Channel, actor: User, base: Release | None, rules: RuleSet, files: tuple[str, ...] = ()
) -> Release:
    release = drafts.create_release(
        title="x", channel=channel, changes=[put(path, path) for path in files], actor=actor
    )
    contents, combination = rules
    release.base, release.base_manifest = base, base.manifest if base else None
    release.save()
    newest = newest_tagging()
    versions = [version_of(slug, *said, actor) for slug, said in contents.items()]
    pin(release, versions, combination, newest.pk if newest else None)
    return release


def version_of(slug: str, match: Match, policy: Policy, order: int, owner: User) -> CacheRuleVersion:
    content = replace(DEFAULT_RULES["everything"], match=match, policy=policy, order=order)
    rule, _ = CacheRule.objects.get_or_create(slug=slug)
    fields = as_json(content)
    same = rule.versions.filter(match=fields["match"], policy=fields["policy"], order=order).first()
    number = rule.versions.count() + 1
    return same or CacheRuleVersion.objects.create(
        rule=rule, number=number, owner=owner, created_by=owner, **fields
    )


def built(release: Release) -> Release:
    release.manifest = building.build(release)
    release.save()
    return release


def manifest_of(release: Release) -> Manifest:
    assert release.manifest is not None
    return release.manifest


def served(reader: ManifestReader) -> dict[str, tuple[str, int, str]]:
    """Return the media type, size and digest of the header set of each path."""
    return {
        entry.path: (entry.media_type, entry.size, reader.header_sets[entry.header_set].digest)
        for entry in reader.entries()
    }
