from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.models import Approval, Change, Channel, Contributor, RedirectChange, Release
from apps.releases.selectors.releases import entries_about


def approvals_that_hold(release: Release) -> list[Approval]:
    """Return the approvals of what the release holds now, with who gave them, oldest first."""
    if release.manifest_id is None:
        return []
    return list(release.approvals.select_related("approver").filter(manifest=release.manifest_id))


def rejection_of(release: Release) -> AuditEntry | None:
    """Return the entry of the release's newest rejection, which holds the reason, or None."""
    return entries_about(release).filter(action="release.reject").first()


def reviews_for(user: User) -> QuerySet[Release]:
    """Return the releases in review that `user` has no part in and has not approved, oldest first."""
    approved = Approval.objects.filter(release=OuterRef("pk"), manifest=OuterRef("manifest"), approver=user)
    has_part = Change.objects.filter(release=OuterRef("pk"), author=user)
    has_redirect = RedirectChange.objects.filter(release=OuterRef("pk"), author=user)
    has_contributed = Contributor.objects.filter(release=OuterRef("pk"), person=user)
    waiting = Release.objects.select_related("channel", "owner").filter(state=Release.State.IN_REVIEW)
    return (
        waiting.exclude(Q(owner=user) | Q(created_by=user))
        .exclude(Exists(approved))
        .exclude(Exists(has_part))
        .exclude(Exists(has_redirect))
        .exclude(Exists(has_contributed))
        .order_by("submitted_at")
    )


def approvals_needed(channel: Channel) -> int:
    """Return how many approvals a release for `channel` needs: none for its very first publication."""
    return channel.required_approvals if channel.publications.exists() else 0


def approvals_of(release: Release) -> int:
    """Count the approvals that hold: of the digest it has now, by people who are not among its authors."""
    approvals = release.approvals.filter(manifest=release.manifest_id)
    return approvals.exclude(approver__in=authors_of(release)).count()


def authors_of(release: Release) -> set[int]:
    """Return the ids of everybody whose work is in `release`: creator, owner, authors, contributors."""
    changes, redirects = release.changes.order_by(), release.redirect_changes.order_by()
    authors = set(changes.values_list("author", flat=True).distinct())
    authors |= set(redirects.values_list("author", flat=True).distinct())
    authors |= set(release.contributors.values_list("person", flat=True).distinct())
    return authors | {release.created_by_id} | ({release.owner_id} if release.owner_id else set())
