"""The conflicts that can be merged as text, and what comes of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import batched

from apps.assets import store
from apps.assets.media_types import media_type_of
from apps.assets.models import Blob
from apps.assets.selectors import VALUES_AT_ONCE
from apps.releases.comparing.texts import as_text, is_text
from apps.releases.conflicts.standing import Conflict, Kind
from apps.releases.conflicts.text_merging import MAX_MERGED_BYTES, Labels, TextMerge, merge_texts
from apps.releases.models import Publication, Release


@dataclass(frozen=True, slots=True)
class Texts:
    """The three texts of a conflict."""

    base: str
    ours: str
    theirs: str

    @property
    def all(self) -> tuple[str, str, str]:
        return self.base, self.ours, self.theirs


def labels_of(release: Release, live: Publication | None) -> Labels:
    """Return what the markers of a merge call the sides."""
    return Labels(
        ours=f"release {release.pk}",
        base=f"release {release.base_id}" if release.base_id else "nothing",
        theirs=f"{release.channel}, release {live.release_id}" if live else f"{release.channel}",
    )


def texts_of(conflict: Conflict) -> Texts | None:
    """Return the texts of a conflict, or None where it cannot be merged by lines.

    That is: not a file that both sides have, not text in UTF-8, too large, or gone from storage.
    """
    return _read(conflict) if conflict in set(mergeable([conflict])) else None


def mergeable(conflicts: Iterable[Conflict]) -> list[Conflict]:
    """Return those conflicts that are files of text which both sides have, of a size that can be merged."""
    files = [found for found in conflicts if found.kind is Kind.FILE and found.ours and found.theirs]
    texts = [found for found in files if is_text(media_type_of(found.name, b""))]
    small = _small({blob for found in texts for blob in _blobs(found)})
    return [found for found in texts if small.issuperset(_blobs(found))]


def merges_cleanly(conflict: Conflict) -> bool:
    """Say whether the lines of a mergeable conflict do not clash; the same question is answered once."""
    return _is_clean(conflict)


def clean_merge(conflict: Conflict) -> TextMerge | None:
    """Return the merge of a mergeable conflict where no lines clash, else None."""
    texts = _read(conflict)
    merged = merge_texts(*texts.all) if texts and conflict.base else None
    return merged if merged and merged.is_clean else None


def marked_merge(conflict: Conflict, labels: Labels) -> TextMerge | None:
    """Return the merge of a conflict, with markers where lines clash; None where there are no texts."""
    texts = texts_of(conflict)
    return merge_texts(*texts.all, labels) if texts else None


def typed_merge(conflict: Conflict, typed: str) -> bytes:
    """Return, in UTF-8, what somebody has typed in place of the merge of a conflict.

    Browsers send CR LF whatever a file has: lines get the end that most lines of the merge have.
    """
    text, merged = typed.replace("\r\n", "\n"), marked_merge(conflict, Labels())
    if merged and merged.text.count("\r\n") * 2 > merged.text.count("\n"):
        text = text.replace("\n", "\r\n")
    return text.encode()


@lru_cache(maxsize=4_096)
def _is_clean(conflict: Conflict) -> bool:
    return clean_merge(conflict) is not None


def _read(conflict: Conflict) -> Texts | None:
    try:
        base, ours, theirs = (
            as_text(store.read_blob(blob)) if blob else ""
            for blob in (conflict.base, conflict.ours, conflict.theirs)
        )
    except FileNotFoundError:
        return None
    return None if base is None or ours is None or theirs is None else Texts(base, ours, theirs)


def _blobs(conflict: Conflict) -> set[str]:
    return {blob for blob in (conflict.base, conflict.ours, conflict.theirs) if blob}


def _small(digests: Iterable[str]) -> set[str]:
    """Return those of these blobs that are small enough to be merged."""
    small: set[str] = set()
    for some in batched(digests, VALUES_AT_ONCE):
        blobs = Blob.objects.filter(digest__in=some, size_bytes__lte=MAX_MERGED_BYTES)
        small.update(blobs.values_list("digest", flat=True))
    return small
