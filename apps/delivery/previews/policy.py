"""What every answer of a preview says instead of what its release would say: that nobody may keep it."""

from apps.delivery.respond import Response
from apps.releases.channels.answer_headers import of_preview, of_previews_page


def as_preview(response: Response, digest: str) -> Response:
    """Return a release's answer as one of its preview, which names the digest (hex) that is shown."""
    return Response(response.status, of_preview(response.headers, digest), response.body)


def never_kept(response: Response) -> Response:
    """Return an answer that is no release's, such as a form, under the policy of previews."""
    return Response(response.status, of_previews_page(response.headers), response.body)
