"""A publication as a folder that an outsider can check with `sha256sum` and `sqlite3` alone (reads).

docs/history.md says how; the folder's README has the same commands.
"""

import hashlib
import shutil
import sqlite3
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.releases.exceptions import ExportRefused, ManifestMissing
from apps.releases.files import manifest_file
from apps.releases.history.export_text import queries, readme
from apps.releases.history.signatures import canonical
from apps.releases.history.signing import signing_key, trusted_keys
from apps.releases.history.verification import seal_of
from apps.releases.manifest import ManifestFault, ManifestReader
from apps.releases.models import Publication, PublicationSeal

FORM = "assetsite manifest 1"
MANIFEST = "manifest.sqlite"


def export(publication: Publication, *, to: Path, actor: User) -> list[str]:
    """Write a publication's manifest, its canonical rows, its seal and the keys; return the files' names.

    `to` is made, or has to be empty; it appears as a whole, or not at all. Raises `Forbidden`,
    `ExportRefused`, `ManifestMissing`, and `OSError` where it cannot be written.
    """
    require(actor, "releases.view_publication", to="export a publication")
    seal = seal_of(publication)
    if seal is None:
        raise ExportRefused(
            f"{publication.tag} has no seal, so nothing would prove what it was.",
            next_step="`scripts/manage release verify` says what is wrong with the history.",
        )
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ExportRefused(f"{to} is not an empty folder.", next_step="Name a folder that is not there yet.")
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent) as unfinished:
        folder = Path(unfinished) / "export"
        folder.mkdir()
        _write(folder, publication, seal)
        folder.replace(to)  # which also takes the place of an empty folder
    return sorted(file.name for file in to.iterdir())


def _write(folder: Path, publication: Publication, seal: PublicationSeal) -> None:
    shutil.copyfile(manifest_file(publication.manifest), folder / MANIFEST)
    sql = queries(_checked_format(folder / MANIFEST))
    for name, query in sql.items():
        (folder / name).write_text(query)
    _write_rows(folder, sql["rows.sql"])
    _write_history(folder, seal)
    about, key = canonical(_about(publication, folder)).encode(), signing_key()
    (folder / "manifest.json").write_bytes(about)
    (folder / "manifest.sig").write_bytes(key.sign(about))
    for each in trusted_keys().values():
        (folder / f"key-{each.id}.pem").write_text(each.pem)
    words = {"tag": publication.tag, "channel": publication.channel.name, "digest": publication.manifest_id}
    keys = {"seal_key": seal.key_id, "manifest_key": key.public.id}
    (folder / "README.md").write_text(readme(**words, **keys, hash=seal.hash))
    sums = [f"{_sha256(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(sums))


def _write_history(folder: Path, seal: PublicationSeal) -> None:
    (folder / "statement.json").write_text(seal.statement)
    (folder / "statement.sig").write_bytes(b64decode(seal.signature))
    (folder / "history.jsonl").write_text("".join(f"{line}\n" for line in _statements_up_to(seal)))


def _about(publication: Publication, folder: Path) -> dict[str, Any]:
    """Return what is said, and signed, of a manifest: its digest, its file, and its rows as text."""
    return {
        "signed": FORM,
        "digest": publication.manifest_id,
        "file": _sha256(folder / MANIFEST),
        "rows": _sha256(folder / "rows.txt"),
        "paths": publication.manifest.path_count,
    }


def _checked_format(manifest: Path) -> str:
    """Return the format of a manifest whose rows have its digest. Raises `ManifestMissing` for another."""
    try:
        with ManifestReader(manifest, is_mapped=False) as reader:
            reader.verify()
            return reader.meta["format"]
    except ManifestFault as fault:
        raise ManifestMissing(str(fault), next_step="Restore that file from a backup.") from fault


def _write_rows(folder: Path, sql: str) -> None:
    db = sqlite3.connect(f"{(folder / MANIFEST).as_uri()}?mode=ro&immutable=1", uri=True)
    with closing(db), (folder / "rows.txt").open("w", encoding="utf-8", newline="") as text:
        text.writelines(f"{row}\n" for (row,) in db.execute(sql))


def _statements_up_to(seal: PublicationSeal) -> Iterator[str]:
    """Yield the statements of a channel in order, as far as a seal."""
    seals = PublicationSeal.objects.filter(channel=seal.channel_id, sequence__lte=seal.sequence)
    yield from seals.order_by("sequence").values_list("statement", flat=True).iterator(chunk_size=2000)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
