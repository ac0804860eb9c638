"""A report as a file: Markdown, JSON, or an HTML page that needs nothing beside it."""

import json

from django.template.loader import render_to_string

from apps.releases.release_report.parts import ReleaseReport
from apps.releases.release_report.writing import as_json, as_markdown

FORMATS = {"html": "text/html", "markdown": "text/markdown", "json": "application/json"}
SUFFIXES = {"html": "html", "markdown": "md", "json": "json"}


def written(report: ReleaseReport, form: str) -> str:
    """Return the text of a report in one of `FORMATS`."""
    if form == "html":
        return render_to_string("admin/releases/release/report_file.html", {"report": report})
    if form == "json":
        return json.dumps(as_json(report), ensure_ascii=False, indent=2) + "\n"
    return as_markdown(report)
