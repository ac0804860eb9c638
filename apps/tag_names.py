"""What a tag may be called: a word that people give to files, and that cache rules can ask for. Pure."""

import re

MAX_TAG_CHARACTERS = 60
MAX_TAGS = 30  # that one file carries, or one rule asks for

_TAG = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")


def tag_fault(name: str) -> str:
    """Return how a tag is to be written where `name` is none, "" where it is one."""
    if _TAG.fullmatch(name) and len(name) <= MAX_TAG_CHARACTERS:
        return ""
    return (
        f"Use small letters, digits, dots, dashes and underscores, {MAX_TAG_CHARACTERS} at most: summer-sale."
    )


def typed_tag(text: str) -> str:
    """Return the tag that somebody means who types `text`: "Summer sale" is `summer-sale`."""
    return "-".join(text.strip().lower().split())
