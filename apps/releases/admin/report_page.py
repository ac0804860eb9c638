from django.http import HttpRequest, HttpResponse

from apps.accounts.staff_pages import render
from apps.releases.models import Release
from apps.releases.release_report import report_of
from apps.releases.release_report.documents import FORMATS, SUFFIXES, written


def report_page(request: HttpRequest, release: Release) -> HttpResponse:
    """Show all that is known of a release, ready to be printed; with `?format=` give it as a file."""
    report, form = report_of(release), request.GET.get("format", "")
    if form in FORMATS:
        name = f"release-{release.pk}.{SUFFIXES[form]}"
        return HttpResponse(
            written(report, form),
            content_type=f"{FORMATS[form]}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    return render(
        request,
        "releases/release/report.html",
        title=f"Report on release {release.pk}",
        release=release,
        report=report,
    )
