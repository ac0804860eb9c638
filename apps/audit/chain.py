"""The hash chain: each entry's hash covers its own words and the hash before it."""

import hashlib
import json
from datetime import UTC
from typing import Any

from apps.audit.models import AuditEntry

GENESIS = hashlib.sha256(b"assetsite audit log, version 1").hexdigest()


def entry_hash(entry: AuditEntry) -> str:
    """Return the SHA-256, in hex, of `entry`'s canonical JSON, `previous_hash` included.

    Raises `TypeError` where `details` hold what a database may give back in another form.
    """
    content = {
        "sequence": entry.sequence,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor_id,
        "actor_name": entry.actor_name,
        "action": entry.action,
        "target": entry.target,
        "summary": entry.summary,
        "details": entry.details,
        "previous_hash": entry.previous_hash,
    }
    _refuse_floats(entry.details)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _refuse_floats(value: Any) -> None:
    """PostgreSQL's jsonb keeps a number's value, not its form: 1e16 comes back as an integer."""
    if isinstance(value, float):
        raise TypeError(f"Write {value!r} as text or as a whole number: the audit log takes no floats.")
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            _refuse_floats(part)
