from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from apps.audit.chain import GENESIS, entry_hash
from apps.audit.listeners import tell
from apps.audit.models import AuditEntry, AuditHead

SYSTEM = "system"


@transaction.atomic
def record(
    *,
    actor: AbstractBaseUser | None,
    action: str,
    target: str,
    summary: str,
    details: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry to the audit log, in the caller's transaction; `actor` None is the system.

    The head row is locked until that transaction ends, so entries have one order, without gaps.
    """
    AuditHead.objects.get_or_create(id=1, defaults={"sequence": 0, "hash": GENESIS})
    head = AuditHead.objects.select_for_update(no_key=True).get(id=1)
    entry = AuditEntry(
        sequence=head.sequence + 1,
        at=timezone.now(),
        actor_id=actor.pk if actor else None,
        actor_name=actor.get_username() if actor else SYSTEM,
        action=action,
        target=target,
        summary=summary,
        details=details or {},
        previous_hash=head.hash,
    )
    entry.hash = entry_hash(entry)
    entry.save(force_insert=True)
    AuditHead.objects.filter(id=1).update(sequence=entry.sequence, hash=entry.hash)
    tell(entry)
    return entry
