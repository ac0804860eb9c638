"""A rule as a document of its own: what `rule show --json` prints, and `rule save` reads."""

import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.accounts.models import User
from apps.accounts.selectors import user_named
from apps.caching.exceptions import CachingRefusal
from apps.caching.models import CacheRuleVersion
from apps.caching.selectors import content_of
from apps.caching.serialisation import as_json
from apps.texts import is_storable

_MOST_BYTES = 256 * 1024


class WrongDocument(CachingRefusal):
    """What was given is no rule, whatever rules may say."""

    code = "wrong_document"


@dataclass(frozen=True, slots=True)
class Document:
    """A rule that somebody has written. `based_on` is the version that it began with, None for any.

    `content` has the shape of `RuleContent`, or not: that is for services to say.
    """

    slug: str
    content: Mapping[str, Any]
    owner: User | None = None
    based_on: int | None = None


def document_of(version: CacheRuleVersion) -> dict[str, Any]:
    """Return a version as JSON types, ready to be changed and saved."""
    return {
        "rule": version.rule.slug,
        "version": version.number,
        "owner": version.owner.username,
        **as_json(content_of(version)),
    }


def write_document(version: CacheRuleVersion, file: Path) -> None:
    """Write a version into a file, for people to change. Raises `WrongDocument`."""
    try:
        file.write_text(json.dumps(document_of(version), ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        raise WrongDocument(
            f"{file} cannot be written: {error.strerror}.", next_step="Name another file."
        ) from error


def read_document(file: Path) -> Document:
    """Return the rule that a file holds; `-` is what is piped in. Raises `WrongDocument`, `UnknownUser`."""
    said = _object(_text(file), file)
    slug, owner, based_on = said.pop("rule", None), said.pop("owner", None), said.pop("version", None)
    if not isinstance(slug, str) or not slug or not is_storable(slug):
        raise WrongDocument(
            f"{_named(file)} does not say which rule it is.",
            next_step='Give it a short name: "rule": "fonts".',
        )
    if owner is not None and not (isinstance(owner, str) and is_storable(owner)):
        raise WrongDocument(
            f"The owner of {slug} is no user's name.", next_step='Write it so: "owner": "ann".'
        )
    if based_on is not None and type(based_on) is not int:
        raise WrongDocument(
            f"The version of {slug} is no number.",
            next_step="Leave it out, or give that which your change began with.",
        )
    return Document(slug, said, user_named(owner) if owner else None, based_on)


def _text(file: Path) -> bytes:
    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise WrongDocument(
            f"{file} cannot be read: {error.strerror}.",
            next_step="Name a file, or - for what is piped in.",
        ) from error
    if len(content) > _MOST_BYTES:
        raise WrongDocument(f"{_named(file)} is larger than a rule can be.", next_step="Name a rule's file.")
    return content


def _object(content: bytes, file: Path) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:  # also of bytes that are no text
        raise WrongDocument(
            f"{_named(file)} is no JSON: {error}.",
            next_step="`scripts/manage rule show RULE --json` prints a rule as it has to be.",
        ) from error
    if not isinstance(said, dict):
        raise WrongDocument(
            f"{_named(file)} is no object with named fields.",
            next_step="`scripts/manage rule show RULE --json` prints a rule as it has to be.",
        )
    return said


def _named(file: Path) -> str:
    return "What was piped in" if str(file) == "-" else str(file)
