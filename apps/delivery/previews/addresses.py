"""The paths of a preview's host that are none of the release's."""

from collections.abc import Mapping
from typing import Any

ENTER_PATH = "/-/preview"
STYLE_PATH = "/-/preview.css"
ROBOTS_PATH = "/robots.txt"
MOST_FORM_BYTES = 2_048  # a password and a path


def takes_form(scope: Mapping[str, Any]) -> bool:
    """Say whether a request sends the form that asks for a password: the only body that is ever read."""
    if scope["method"] != "POST" or scope["path"] != ENTER_PATH:
        return False
    fields = {name.lower(): value for name, value in scope["headers"]}
    length = fields.get(b"content-length", b"")
    is_short = length.isdigit() and len(length) < 6 and int(length) <= MOST_FORM_BYTES
    return is_short and b"transfer-encoding" not in fields
