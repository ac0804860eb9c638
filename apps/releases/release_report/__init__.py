"""All that is known of a release on one page, for a later maintainer: as HTML, Markdown or JSON.

Nothing in it depends on who asks or when: without a change, two reports are equal.
"""

from apps.releases.release_report.gathering import report_of
from apps.releases.release_report.parts import ReleaseReport
from apps.releases.release_report.writing import as_json, as_markdown

__all__ = ["ReleaseReport", "as_json", "as_markdown", "report_of"]
