from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.caching.models import CacheRuleVersion
from apps.releases.models import Approval, Change, Channel, Contributor, Involvement, RedirectChange, Release
from apps.releases.selectors.releases import entries_about


@dataclass(frozen=True, slots=True)
class Standing:
    """An approval, and why it does not count where it does not."""

    approval: Approval
    void_since: str = ""

    @property
    def holds(self) -> bool:
        return not self.void_since


def standings_of(release: Release) -> list[Standing]:
    """Return every approval that was ever given to `release`, oldest first, each with whether it counts.

    It counts while the release has the digest that was approved, who gave it has no part in the release,
    and is in the group that the channel asks for, where it names one.
    """
    approvals = list(release.approvals.select_related("approver").order_by("pk"))
    if not approvals:
        return []
    authors, group = authors_of(release), release.channel.approver_group
    members = set(group.user_set.values_list("pk", flat=True)) if group else None
    return [Standing(approval, _void_since(approval, release, authors, members)) for approval in approvals]


def approvals_that_hold(release: Release) -> list[Approval]:
    """Return the approvals that count, with who gave them, oldest first (see `standings_of`)."""
    return [standing.approval for standing in standings_of(release) if standing.holds]


def _void_since(approval: Approval, release: Release, authors: set[int], members: set[int] | None) -> str:
    if approval.manifest_id != release.manifest_id:
        return f"it was of {approval.manifest_id[:12]}, not of what the release holds now"
    if approval.approver_id in authors:
        return "who gave it has a part in the release by now"
    if members is not None and approval.approver_id not in members:
        return "who gave it is not in the group that approves"
    return ""


def rejection_of(release: Release) -> AuditEntry | None:
    """Return the entry of the release's newest rejection, which holds the reason, or None."""
    return entries_about(release).filter(action="release.reject").first()


def reviews_for(user: User) -> QuerySet[Release]:
    """Return the releases in review that `user` may have approved and has not, oldest first.

    They have no part in them, and are in the group that the channel asks for.
    """
    approved = Approval.objects.filter(release=OuterRef("pk"), manifest=OuterRef("manifest"), approver=user)
    has_part = Change.objects.filter(release=OuterRef("pk"), author=user)
    has_redirect = RedirectChange.objects.filter(release=OuterRef("pk"), author=user)
    has_contributed = Contributor.objects.filter(release=OuterRef("pk"), person=user)
    was_involved = Involvement.objects.filter(release=OuterRef("pk"), person=user)
    pinned = Release.rules.through.objects
    earlier = pinned.filter(release=OuterRef("release__base"), cacheruleversion=OuterRef("cacheruleversion"))
    mine = Q(cacheruleversion__created_by=user) | Q(cacheruleversion__owner=user)
    has_rule = pinned.filter(mine, ~Exists(earlier), release=OuterRef("pk"))
    asked = Q(channel__approver_group=None) | Q(channel__approver_group__in=user.groups.all())
    waiting = Release.objects.select_related("channel", "owner").filter(asked, state=Release.State.IN_REVIEW)
    return (
        waiting.exclude(Q(owner=user) | Q(created_by=user))
        .exclude(Exists(approved))
        .exclude(Exists(has_part))
        .exclude(Exists(has_redirect))
        .exclude(Exists(has_contributed))
        .exclude(Exists(was_involved))
        .exclude(Exists(has_rule))
        .order_by("submitted_at")
    )


def approvals_needed(channel: Channel, *, has_live: bool | None = None) -> int:
    """Return how many approvals a release for `channel` needs: none for its very first publication.

    On a protected channel that takes approvals as well. `has_live` says whether it serves something, where
    that is known.
    """
    is_asked_for = channel.is_protected or (channel.publications.exists() if has_live is None else has_live)
    return channel.required_approvals if is_asked_for else 0


def approvals_of(release: Release) -> int:
    """Count the approvals that count (see `standings_of`)."""
    return len(approvals_that_hold(release))


def parts_in(release: Release) -> dict[int, list[str]]:
    """Return who has a part in `release`, by id, each with what it is: "owns it", "has submitted it".

    That is whoever owns, began, briefed, changed or submitted it, now or ever since it was begun, who wrote
    or owns a cache rule that its base did not have, and who tagged files for its rules.
    """
    parts: dict[int, list[str]] = {release.created_by_id: [Involvement.Kind.BEGAN.label]}
    if release.owner_id:
        parts.setdefault(release.owner_id, []).append("owns it")
    once = release.involvements.order_by("pk").values_list("person", "kind")
    _add(parts, ((person, Involvement.Kind(kind).label) for person, kind in once))
    authors = (
        release.changes.order_by().values_list("author", flat=True),
        release.redirect_changes.order_by().values_list("author", flat=True),
        release.contributors.values_list("person", flat=True),
    )
    for found in authors:
        _add(parts, ((author, Involvement.Kind.CHANGED.label) for author in found.distinct()))
    people = brought_rules(release).values_list("created_by", "owner")
    _add(parts, ((person, "wrote a cache rule that it brings") for pair in people for person in pair))
    return parts


def authors_of(release: Release) -> set[int]:
    """Return the ids of everybody who has a part in `release` (see `parts_in`)."""
    return set(parts_in(release))


def brought_rules(release: Release) -> QuerySet[CacheRuleVersion]:
    """Return the cache rule versions that `release` pins and its base did not."""
    earlier = Release.rules.through.objects.filter(release=release.base_id)
    return release.rules.exclude(pk__in=earlier.values("cacheruleversion")).order_by()


def _add(parts: dict[int, list[str]], found: Iterable[tuple[int, str]]) -> None:
    for person, words in found:
        if words not in parts.setdefault(person, []):
            parts[person].append(words)
