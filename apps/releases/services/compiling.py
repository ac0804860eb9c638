"""The cache rules of a release, ready to give each path its headers."""

from apps.caching.choosing import RuleChooser
from apps.caching.headers import HeaderCompiler
from apps.caching.matching import Subject
from apps.caching.rules import Combination
from apps.caching.selectors import as_rules
from apps.releases.manifest import ManifestWriter
from apps.releases.manifest.names import fingerprinted_name
from apps.releases.models import Release
from apps.releases.services.fingerprinting import named_header_set


def compiler_of(release: Release) -> HeaderCompiler:
    """Return what compiles the rules that `release` pins, combined as it pins too."""
    return HeaderCompiler(as_rules(list(release.rules.all())), Combination(release.rule_combination))


def recompile(writer: ManifestWriter, release: Release, compiler: HeaderCompiler, *, compiled: str) -> None:
    """Give paths the headers of `compiler` where those of the base, `compiled` being its digest, may differ.

    Where it is known by which rules the base was compiled, only paths that a changed rule matches, or
    matched before, are compiled again. What comes out the same stays untouched.
    """
    if compiled == compiler.digest:
        return
    changed = _changed_rules(release, compiler, compiled)
    for entry in writer.entries():
        names = [entry.path]
        if entry.fingerprint:
            names.append(fingerprinted_name(entry.path, entry.fingerprint))
        if changed is None or any(
            changed.chosen(Subject(name, entry.media_type, entry.size)) for name in names
        ):
            header_set = compiler.header_set(entry.path, entry.media_type, entry.size)
            writer.set_header_set(entry, header_set, named_header_set(compiler, entry))


def _changed_rules(release: Release, compiler: HeaderCompiler, compiled: str) -> RuleChooser | None:
    """Return what finds the paths of rules that differ from the base's; None where any path may differ."""
    if release.base is None:
        return None
    before = compiler_of(release.base)
    if before.digest != compiled or before.combination != compiler.combination:
        return None
    if [rule for rule in before.rules if rule in compiler.rules] != [
        rule for rule in compiler.rules if rule in before.rules
    ]:
        return None  # they are tried in another order
    differing = [*(rule for rule in before.rules if rule not in compiler.rules)]
    differing += [rule for rule in compiler.rules if rule not in before.rules]
    return RuleChooser(differing, is_first_enough=True)
