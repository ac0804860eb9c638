"""Rules out of the answers of a running site: one for the files of a kind that are answered alike. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from apps.caching.examples import guess_media_type
from apps.caching.importing.drafts import ImportedRule, draft, slug_for, untrusted
from apps.caching.importing.policies import ReadPolicy, read_policy
from apps.caching.matching import is_fingerprinted
from apps.caching.rules import Match, Policy

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What a site answered for the file at `path` (no leading slash)."""

    path: str
    headers: tuple[tuple[str, str], ...]


def rules_of_answers(answers: Sequence[Answer], *, source: str, taken: Collection[str]) -> list[ImportedRule]:
    """Return a draft for each kind of file: what most of them are answered with. The others are named."""
    kinds: dict[Match, list[Answer]] = defaultdict(list)
    for answer in answers:
        kinds[_kind(answer.path)].append(answer)
    found: list[ImportedRule] = []
    in_order = sorted(kinds.items(), key=lambda each: _in_order(each[0]))
    for place, (match, alike) in enumerate(in_order, start=1):
        read, path, others = _usual(alike)
        words = _words(match)
        slug = slug_for(words, {*taken, *(rule.slug for rule in found)})
        content = draft(
            slug,
            f"{words[0].upper()}{words[1:]}, as seen",
            order=place,
            match=match,
            policy=read.policy,
            path=path,
            source=source,
        )
        left_out = (*read.left_out, *_otherwise(others), *untrusted(match))
        found.append(ImportedRule(slug, content, left_out))
    return found


def _kind(path: str) -> Match:
    if guess_media_type(path) == "text/html":
        return Match(media_types=("text/html",))
    extension = PurePosixPath(path).suffix.removeprefix(".").lower()
    if not extension.isalnum() or not extension.isascii():
        return Match(is_fingerprinted=is_fingerprinted(path))
    return Match(extensions=(extension,), is_fingerprinted=is_fingerprinted(path))


def _in_order(match: Match) -> tuple[bool, tuple[str, ...], bool]:
    return not (match.extensions or match.media_types), match.extensions, not match.is_fingerprinted


def _words(match: Match) -> str:
    if match.media_types:
        return "pages"
    kind = f"{match.extensions[0]} files" if match.extensions else "other files"
    return f"{kind} with a content hash" if match.is_fingerprinted else kind


def _usual(alike: list[Answer]) -> tuple[ReadPolicy, str, list[str]]:
    """Return the policy of most answers, a path that has it, and the paths that have another one."""
    policies = [(answer.path, read_policy(answer.headers)) for answer in alike]
    counted: Counter[Policy] = Counter(read.policy for _, read in policies)
    most = counted.most_common(1)[0][0]
    path, read = next((path, read) for path, read in policies if read.policy == most)
    return read, path, [path for path, other in policies if other.policy != most]


def _otherwise(others: list[str]) -> Iterator[str]:
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        yield f"Answered otherwise: {', '.join(others[:_NAMED])}{more}."
