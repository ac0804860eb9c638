"""The hash chain: each entry's hash covers its own words and the hash before it."""

import hashlib
import json
from datetime import UTC

from apps.audit.models import AuditEntry

GENESIS = hashlib.sha256(b"assetsite audit log, version 1").hexdigest()


def entry_hash(entry: AuditEntry) -> str:
    """Return the SHA-256, in hex, of `entry`'s canonical JSON, `previous_hash` included."""
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
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
