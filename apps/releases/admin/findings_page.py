"""What a release's build found wrong: a page that lists all of it, and what its own page says of it."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse

from apps.accounts.staff_pages import render
from apps.releases.exceptions import ManifestMissing
from apps.releases.models import Release
from apps.releases.review.findings import KINDS, FindingList, Judged, lint_of
from apps.releases.selectors import changes_at

FINDINGS_A_PAGE = 100


def findings_section(release: Release) -> dict[str, Any]:
    """Return what the release's page and the page of its publication say of findings."""
    lint = lint_of(release)
    shown = [sample.judged.finding.path for each in lint.kinds for sample in each.samples]
    return {"lint": lint, "changed_files": changes_at(release, shown)}


def findings_page(request: HttpRequest, release: Release) -> HttpResponse:
    """List the findings of a release by file: of a kind, only the new ones, below a path, as asked for."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    is_new_only = "new" in request.GET
    prefix = request.GET.get("below", "").strip().removeprefix("/")
    try:
        found: Sequence[Judged] = FindingList(release, kind=kind, is_new_only=is_new_only, prefix=prefix)
    except ManifestMissing:
        found = ()
    page = Paginator(found, FINDINGS_A_PAGE).get_page(request.GET.get("page"))
    rows = list(page)
    return render(
        request,
        "releases/release/findings.html",
        title=f"Findings · release {release.pk}",
        release=release,
        lint=lint_of(release),
        kind=kind,
        is_new_only=is_new_only,
        prefix=prefix,
        page=page,
        rows=rows,
        changed_files=changes_at(release, [judged.finding.path for judged in rows]),
    )
