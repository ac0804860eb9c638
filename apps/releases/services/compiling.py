"""The cache rules of a release, ready to give each path its headers."""

from collections.abc import Iterator

from apps.assets.selectors import tagged_paths
from apps.caching.choosing import RuleChooser
from apps.caching.headers import HeaderCompiler, tags_asked_for
from apps.caching.matching import NO_TAGS, Subject
from apps.caching.rules import Combination
from apps.caching.selectors import as_rules
from apps.releases.manifest import Entry, ManifestWriter
from apps.releases.manifest.names import fingerprinted_name
from apps.releases.models import Release
from apps.releases.services.fingerprinting import named_header_set


def compiler_of(release: Release) -> HeaderCompiler:
    """Return what compiles the rules that `release` pins, combined and with files tagged as it pins too."""
    rules = as_rules(list(release.rules.all()))
    tagged = tagged_paths(tags_asked_for(rules), at=release.tagging_id)
    return HeaderCompiler(rules, Combination(release.rule_combination), tagged)


def recompile(writer: ManifestWriter, release: Release, compiler: HeaderCompiler, *, compiled: str) -> None:
    """Give paths the headers of `compiler` where those of the base, `compiled` being its digest, may differ.

    Where it is known by which rules the base was compiled, only paths that a changed rule matches, or
    matched before, and those tagged otherwise are compiled again. What comes out the same stays untouched.
    """
    if compiled == compiler.digest:
        return
    before = _compiler_before(release, compiler, compiled)
    for entry in _concerned(writer, before, compiler) if before else writer.entries():
        header_set = compiler.header_set(entry.path, entry.media_type, entry.size)
        writer.set_header_set(entry, header_set, named_header_set(compiler, entry))


def _compiler_before(release: Release, compiler: HeaderCompiler, compiled: str) -> HeaderCompiler | None:
    """Return what compiled the base, None where that is not known or any path may differ."""
    if release.base is None:
        return None
    before = compiler_of(release.base)
    if before.digest != compiled or before.combination != compiler.combination:
        return None
    if [rule for rule in before.rules if rule in compiler.rules] != [
        rule for rule in compiler.rules if rule in before.rules
    ]:
        return None  # they are tried in another order
    return before


def _concerned(writer: ManifestWriter, before: HeaderCompiler, compiler: HeaderCompiler) -> Iterator[Entry]:
    """Yield the entries that a rule matches which the other compiler lacks, and those tagged otherwise."""
    differing = [rule for rule in before.rules if rule not in compiler.rules]
    differing += [rule for rule in compiler.rules if rule not in before.rules]
    retagged = _retagged(before, compiler)
    if not differing:
        yield from filter(None, map(writer.lookup, sorted(retagged)))
        return
    chooser = RuleChooser(differing, is_first_enough=True)
    for entry in writer.entries():
        path = entry.path
        tags = before.tagged.get(path, NO_TAGS) | compiler.tagged.get(path, NO_TAGS)
        names = [path]
        if entry.fingerprint:
            names.append(fingerprinted_name(path, entry.fingerprint))
        if path in retagged or any(
            chooser.chosen(Subject(name, entry.media_type, entry.size, tags)) for name in names
        ):
            yield entry


def _retagged(before: HeaderCompiler, compiler: HeaderCompiler) -> set[str]:
    """Return the paths that carry other tags than before, of those that rules of both ask for."""
    both = tags_asked_for(before.rules) & tags_asked_for(compiler.rules)
    return {
        path
        for path in before.tagged.keys() | compiler.tagged.keys()
        if both & (before.tagged.get(path, NO_TAGS) ^ compiler.tagged.get(path, NO_TAGS))
    }
