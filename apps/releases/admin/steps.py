"""The steps that a release's page offers: each calls a service with what was typed and names the way back."""

from collections.abc import Callable

from django.http import QueryDict
from django.shortcuts import get_object_or_404

from apps.accounts.models import User
from apps.releases.admin import checks_section, emergency_section
from apps.releases.admin.drill_section import begin_drill
from apps.releases.models import Preview, Release
from apps.releases.redirects.selectors import redirect_changes_of
from apps.releases.redirects.values import typed_source
from apps.releases.selectors import changes_of
from apps.releases.services import (
    conversation,
    drafts,
    pinning,
    previews,
    rebasing,
    redirects,
    review,
    scheduling,
)

_DIGITS = 19  # what the database counts with has no more


def take(name: str, release: Release, typed: QueryDict, actor: User) -> str:
    """Take step `name` of a release; return what has happened, in words for a message.

    Raises `KeyError` where there is no such step, and what the service raises.
    """
    return _STEPS[name](release, typed, actor)


def _submit(release: Release, typed: QueryDict, actor: User) -> str:
    submitted = review.submit(release=release, actor=actor)
    where = submitted.get_state_display()
    return f"Release {release.pk} is {where}. To change it once more, take it back to draft."


def _approve(release: Release, typed: QueryDict, actor: User) -> str:
    review.approve(release=release, digest=typed.get("digest", ""), actor=actor)
    return f"You approved release {release.pk}. Until it is published, taking it back to draft voids that."


def _reject(release: Release, typed: QueryDict, actor: User) -> str:
    review.reject(release=release, reason=typed.get("reason", ""), actor=actor)
    return f"Release {release.pk} is rejected. Its owner can take it back to draft and submit it again."


def _request_changes(release: Release, typed: QueryDict, actor: User) -> str:
    review.request_changes(release=release, reason=typed.get("reason", ""), actor=actor)
    return f"Release {release.pk} is a draft again, with what you asked for at its top."


def _comment(release: Release, typed: QueryDict, actor: User) -> str:
    text, path = typed.get("text", ""), typed.get("path", "")
    conversation.comment(release=release, text=text, path=path, actor=actor)
    return f"Your comment on {path or f'release {release.pk}'} is there. It stays; answer it to correct it."


def _answer(release: Release, typed: QueryDict, actor: User) -> str:
    said = conversation.answer(
        release=release, to=_number(typed, "comment"), text=typed.get("text", ""), actor=actor
    )
    return f"Your answer to {said.answers.author if said.answers else 'it'} is there."


def _resolve(release: Release, typed: QueryDict, actor: User) -> str:
    conversation.resolve(release=release, number=_number(typed, "comment"), actor=actor)
    return "Settled. It can be opened again in the conversation."


def _unresolve(release: Release, typed: QueryDict, actor: User) -> str:
    conversation.resolve(release=release, number=_number(typed, "comment"), actor=actor, is_resolved=False)
    return "Open again."


def _number(typed: QueryDict, name: str) -> int:
    words = typed.get(name, "")
    return int(words) if words.isdecimal() and len(words) < _DIGITS else 0


def _reopen(release: Release, typed: QueryDict, actor: User) -> str:
    review.reopen(release=release, actor=actor)
    return f"Release {release.pk} is a draft again. Submit it once more when it is ready."


def _rebase(release: Release, typed: QueryDict, actor: User) -> str:
    rebased = rebasing.rebase(release=release, actor=actor)
    base = f"release {rebased.base_id}" if rebased.base_id else "an empty channel"
    return (
        f"Release {release.pk} is a draft on {base}. Approvals are asked for again; its history says"
        " what it was begun on."
    )


def _withdraw(release: Release, typed: QueryDict, actor: User) -> str:
    review.withdraw(release=release, actor=actor)
    return f"Release {release.pk} is withdrawn. To begin anew, import its folder once more."


def _discard(release: Release, typed: QueryDict, actor: User) -> str:
    number = typed.get("change", "")
    change = get_object_or_404(changes_of(release), pk=number if number.isdecimal() else 0)
    drafts.discard_change(change=change, actor=actor)
    return f"The change of {change.asset.path} is out. To have it back, import its folder once more."


def _remove_redirect(release: Release, typed: QueryDict, actor: User) -> str:
    source = typed.get("source", "")
    redirects.remove_redirect(release=release, source=source, actor=actor)
    return f"{source} leads nowhere with this release. To keep its redirect, take the change out below."


def _discard_redirect(release: Release, typed: QueryDict, actor: User) -> str:
    number = typed.get("change", "")
    change = get_object_or_404(redirect_changes_of(release), pk=number if number.isdecimal() else 0)
    redirects.discard_redirect_change(change=change, actor=actor)
    return f"The change of {typed_source(change.source)} is out. To have it back, add it again below."


def _take_rules(release: Release, typed: QueryDict, actor: User) -> str:
    difference = pinning.take_rules(release=release, actor=actor)
    if not difference:
        return f"Release {release.pk} has the cache rules of today already."
    lines = "; ".join(difference.words)
    return f"Release {release.pk} ships with the cache rules of today: {lines}. New drafts have them too."


def _unschedule(release: Release, typed: QueryDict, actor: User) -> str:
    called_off = scheduling.unschedule(release=release, action=typed.get("action", ""), actor=actor)
    return f"Called off: {scheduling.in_words(called_off)}. It can be scheduled again."


def _refresh_preview(release: Release, typed: QueryDict, actor: User) -> str:
    previews.refresh_preview(preview=_preview(release, typed), actor=actor)
    return "The preview shows what the draft holds now, under the same address. It can be revoked below."


def _revoke_preview(release: Release, typed: QueryDict, actor: User) -> str:
    previews.revoke_preview(preview=_preview(release, typed), actor=actor)
    return "The preview is revoked: its address shows nothing any more. Another one can be made below."


def _preview(release: Release, typed: QueryDict) -> Preview:
    number = typed.get("preview", "")
    return get_object_or_404(release.previews, pk=number if number.isdecimal() else 0)


_STEPS: dict[str, Callable[[Release, QueryDict, User], str]] = {
    "submit": _submit,
    "approve": _approve,
    "request_changes": _request_changes,
    "reject": _reject,
    "reopen": _reopen,
    "withdraw": _withdraw,
    "rebase": _rebase,
    "comment": _comment,
    "answer": _answer,
    "resolve": _resolve,
    "unresolve": _unresolve,
    "discard": _discard,
    "remove_redirect": _remove_redirect,
    "discard_redirect": _discard_redirect,
    "take_rules": _take_rules,
    "unschedule": _unschedule,
    "refresh_preview": _refresh_preview,
    "revoke_preview": _revoke_preview,
    "check_again": checks_section.try_again,
    "override_check": checks_section.override,
    "drill": begin_drill,
    "ask_emergency": emergency_section.ask,
    "confirm_emergency": emergency_section.confirm,
}
