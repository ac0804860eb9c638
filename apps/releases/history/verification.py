"""Whether a channel's history is what was written: its chain of seals, its manifests, its pointer (reads)."""

import hashlib
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched, pairwise
from pathlib import Path

from django.db.models import Max, QuerySet

from apps.assets import store
from apps.audit.models import AuditEntry
from apps.caching.headers import header_set_digest
from apps.releases.channels.hosts import INDEX_NAME
from apps.releases.history.seals import PREVIOUS, differing, genesis, hash_of, words_of
from apps.releases.history.signatures import SignatureFault, TrustedKeys, check
from apps.releases.history.signing import trusted_keys, verified
from apps.releases.manifest import ManifestFault, ManifestReader
from apps.releases.models import Channel, ChannelHost, Manifest, Publication, PublicationSeal, RetainedNames
from apps.releases.selectors import live_publication
from apps.releases.selectors.emergencies import Marks, marks_of
from apps.releases.services.channel_index import index_document
from apps.releases.services.pointers import pointer_document, pointer_name
from apps.releases.services.sealing import facts_of

_NAMED_TAGS = 3
_READ_AT_ONCE = 500  # also the publications whose marks are asked for in one statement


@dataclass(frozen=True, slots=True)
class HistoryFault:
    """What is not as it was written: `subject` names the row or the file, `message` what is wrong with it."""

    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}."


def history_faults(channel: Channel, *, with_files: bool = True) -> Iterator[HistoryFault]:
    """Yield every fault of a channel's history; an untouched one yields none.

    With files, every manifest that was ever published is read whole.
    """
    yield from _chain_faults(channel)
    if with_files:
        yield from _manifest_faults(channel)
        yield from _names_faults(channel)
    yield from _pointer_faults(channel)


def head_of(channel: Channel) -> str:
    """Return the hash that covers all that was published on a channel so far."""
    newest = PublicationSeal.objects.filter(channel=channel).order_by("-sequence").first()
    return newest.hash if newest else genesis(channel.name)


def unverified(publications: Iterable[Publication], marks: Mapping[int, Marks]) -> dict[int, str]:
    """Return what is wrong with some publications, by their ids: for the rows of a page.

    They come with their seals and their marks (`marks_of`), in any order. Each is compared with its own,
    and with the one before where that is among them.
    """
    shown, trusted = list(publications), trusted_keys()
    found = {each.pk: "; ".join(_faults_of(each, marks.get(each.pk, Marks()), trusted)) for each in shown}
    for earlier, later in pairwise(sorted(shown, key=_place)):
        seal, before = seal_of(later), seal_of(earlier)
        is_next = _place(later) == (earlier.channel_id, earlier.sequence + 1)
        if is_next and seal and before and seal.previous_hash != before.hash:
            found[later.pk] = found[later.pk] or "it does not follow from the one before it"
    return {pk: message for pk, message in found.items() if message}


def _place(publication: Publication) -> tuple[int, int]:
    return publication.channel_id, publication.sequence


def _chain_faults(channel: Channel) -> Iterator[HistoryFault]:
    previous, expected, trusted = genesis(channel.name), 1, trusted_keys()
    history = channel.publications.select_related("channel", "seal", "actor", "returns_to")
    for publication, marks in _with_marks(history.order_by("sequence")):
        subject = f"Publication {publication.sequence} of {channel} ({publication.tag})"
        if publication.sequence != expected:
            yield HistoryFault(f"History of {channel}", _missing(expected, publication.sequence - 1))
        expected = publication.sequence + 1
        for message in _faults_of(publication, marks, trusted):
            yield HistoryFault(subject, message)
        if seal := seal_of(publication):
            if seal.previous_hash != previous:
                yield HistoryFault(subject, "it does not follow from the one before it")
            previous = seal.hash
    newest = _newest_known(channel)
    if newest >= expected:
        yield HistoryFault(f"History of {channel}", _missing(expected, newest))


def _with_marks(history: QuerySet[Publication]) -> Iterator[tuple[Publication, Marks]]:
    """Yield publications with their marks, some hundred at a time."""
    for some in batched(history.iterator(chunk_size=_READ_AT_ONCE), _READ_AT_ONCE):
        marks = marks_of(some)
        for publication in some:
            yield publication, marks.get(publication.pk, Marks())


def _faults_of(publication: Publication, marks: Marks, trusted: TrustedKeys) -> Iterator[str]:
    """Yield what is wrong with a publication when it is compared with its own seal."""
    seal = seal_of(publication)
    if seal is None:
        yield "it has no seal: it was written past the program, or its seal was removed"
        return
    if hash_of(seal.statement) != seal.hash:
        yield "the words of its seal were changed"
    try:
        said = words_of(seal.statement)
        if changed := differing(said, facts_of(publication, marks)):
            yield f"after it was sealed, this was changed: {', '.join(changed)}"
        if said.get(PREVIOUS) != seal.previous_hash:
            yield "its place in the chain was changed"
        check(b64decode(seal.signature), seal.statement.encode(), signer=seal.key_id, trusted=trusted)
    except SignatureFault as fault:
        yield f"of its seal, {fault}"
    except ValueError as error:
        yield f"its seal cannot be read: {error}"


def seal_of(publication: Publication) -> PublicationSeal | None:
    """Return the seal of a publication, None where it has none."""
    return getattr(publication, "seal", None)  # the other side of a one to one raises where there is none


def _newest_known(channel: Channel) -> int:
    """Return the highest number that a seal or the audit log tells of, though its row may be gone."""
    sealed = PublicationSeal.objects.filter(channel=channel).aggregate(newest=Max("sequence"))["newest"] or 0
    told = AuditEntry.objects.filter(details__channel=channel.name, details__publication__gt=sealed)
    newest = told.order_by("-sequence").values_list("details__publication", flat=True).first()
    return max(sealed, int(newest or 0))


def _missing(first: int, last: int) -> str:
    return (
        f"publication {first} is missing" if first == last else f"publications {first} to {last} are missing"
    )


def _manifest_faults(channel: Channel) -> Iterator[HistoryFault]:
    ids = channel.publications.order_by().values("manifest").distinct()
    for manifest in Manifest.objects.filter(pk__in=ids).order_by("built_at", "pk").iterator():
        served_by = _served_by(channel, manifest)
        for message in file_faults(manifest.file_name, manifest.file_sha256, digest=manifest.digest):
            yield HistoryFault(f"Manifest {manifest.file_name}, {served_by}", message)


def _names_faults(channel: Channel) -> Iterator[HistoryFault]:
    for names in RetainedNames.objects.filter(channel=channel, path_count__gt=0):
        for message in file_faults(names.file_name, names.file_sha256):
            yield HistoryFault(f"Names {names.file_name}, which {channel} answers for still", message)


def file_faults(name: str, sha256: str, *, digest: str = "") -> Iterator[str]:
    """Yield what is wrong with a manifest in storage: with its bytes and rows, and with `digest` if given."""
    with _stored(name) as file:
        if file is None:
            yield "it is missing from storage"
            return
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            yield f"the file was changed: its SHA-256 is {found}, not {sha256}"
        yield from _faults_of_rows(file, digest)


def _faults_of_rows(file: Path, digest: str) -> Iterator[str]:
    try:
        with ManifestReader(file, is_mapped=False) as reader:
            reader.verify()
            if digest and reader.digest != digest:
                yield f"its rows have the digest {reader.digest}, not {digest}"
            for each in reader.header_sets.values():
                if header_set_digest(each.rule, each.rule_version, each.headers) != each.digest:
                    yield f"the headers by the rule {each.rule} (version {each.rule_version}) were changed"
    except ManifestFault as fault:
        yield f"its rows were changed: {fault}"


@contextmanager
def _stored(name: str) -> Iterator[Path | None]:
    """Give a file as storage has it now; None where it has none."""
    local = store.local_path(name)
    if local is not None:
        yield local if local.is_file() else None
        return
    with store.temporary_file() as file:
        try:
            store.download(name, file)
        except FileNotFoundError:
            yield None
        else:
            yield file


def _served_by(channel: Channel, manifest: Manifest) -> str:
    served = channel.publications.filter(manifest=manifest).order_by("sequence")
    tags = list(served.values_list("tag", flat=True)[: _NAMED_TAGS + 1])
    more = " and others" if len(tags) > _NAMED_TAGS else ""
    return f"of {', '.join(tags[:_NAMED_TAGS])}{more}"


def index_faults() -> Iterator[HistoryFault]:
    """Yield what is wrong with the index in storage of which channel has which host."""
    content = store.read(INDEX_NAME)
    if content is None:
        if ChannelHost.objects.exists():
            yield HistoryFault(f"Index {INDEX_NAME}", "it is missing from storage")
        return
    try:
        if verified(content, name=INDEX_NAME) != index_document():
            yield HistoryFault(f"Index {INDEX_NAME}", "it does not have the hosts that the database has")
    except ValueError as fault:
        yield HistoryFault(f"Index {INDEX_NAME}", str(fault) or "it cannot be read")


def _pointer_faults(channel: Channel) -> Iterator[HistoryFault]:
    live, name = live_publication(channel), pointer_name(channel)
    content = store.read(name)
    subject = f"Pointer {name}"
    if content is None:
        if live:
            yield HistoryFault(subject, "it is missing from storage")
        return
    try:
        said = verified(content, name=name)
    except ValueError as fault:
        yield HistoryFault(subject, str(fault) or "it cannot be read")
        return
    wanted = pointer_document(live) if live else {}
    if other := [key for key in wanted | said if wanted.get(key) != said.get(key)]:
        names, ends = said.get("sequence"), live.sequence if live else "none"
        yield HistoryFault(
            subject,
            f"it does not say what the database says of {', '.join(other)}: "
            f"it names publication {names}, and the history ends with {ends}",
        )
