"""Two people change one site: promoted, combined, split and rebased by command."""

from pathlib import Path

import pytest

from tests.acceptance.conftest import FIRST, write_folder
from tests.acceptance.site import Refused, Site

pytestmark = pytest.mark.acceptance

BRIEF = ("--expected-result", "Other colours.", "--rollback-note", "Roll back.")
CSS = FIRST["css/site.css"]
NAVY = CSS.replace(b"crimson", b"navy")
TEAL = CSS.replace(b"crimson", b"teal")


def draft(
    site: Site, folder: Path, files: dict[str, bytes], title: str, *, channel: str = "production"
) -> int:
    """Import a few files that stand in for those of the site; return the draft's number."""
    write_folder(folder, files)
    words = ["import", folder, "--title", title, "--no-mirror", "--channel", channel]
    number: int = site.manage(*words)["release"]
    site.manage("release", "edit", number, *BRIEF)
    return number


def publish(site: Site, number: int) -> str:
    """Submit and publish; return the digest that is live."""
    site.manage("release", "submit", number)
    digest: str = site.manage("release", "publish", number)["digest"]
    return digest


def test_staging_is_promoted_and_drafts_are_combined_and_split_by_command(
    site: Site, first_folder: Path, tmp_path: Path
) -> None:
    with site.running(str(first_folder)):
        for channel in ("staging", "production"):
            site.manage("channel", "set", channel, "--required-approvals", 0)

        # 1. What was tested is what goes live: the digest is the proof.
        words = ("import", first_folder, "--title", "Staged", "--channel", "staging")
        first = site.manage(*words)["release"]
        site.manage("release", "edit", first, *BRIEF)
        publish(site, first)
        tested = publish(site, draft(site, tmp_path / "s", {"new.txt": b"new\n"}, "New", channel="staging"))
        promoted = site.manage("release", "promote", "--from", "staging", "--to", "production")
        assert promoted["promotes"] == tested
        assert publish(site, promoted["release"]) == tested
        assert site.get("/new.txt").body == b"new\n"

        # 2. Two drafts become one; what they change differently is named, and decided.
        left = draft(site, tmp_path / "l", {"css/site.css": NAVY, "a/left.txt": b"left\n"}, "Left")
        right = draft(site, tmp_path / "r", {"css/site.css": TEAL, "right.txt": b"right\n"}, "Right")
        with pytest.raises(Refused, match=r"They change differently: css/site\.css"):
            site.manage("release", "combine", left, right)
        both = site.manage("release", "combine", left, right, "--take", f"css/site.css={right}")
        assert (both["added"], both["changed"]) == (2, 1)

        # 3. A folder of it goes its own way, and the rest goes live without it.
        part = site.manage("release", "split", both["release"], "--below", "a", "--title", "Later")
        publish(site, both["release"])
        assert b"teal" in site.get("/css/site.css").body
        assert site.get("/a/left.txt").status == 404
        assert site.manage("release", "conflicts", part["release"])["kept"] == 1
        site.manage("release", "rebase", part["release"])
        publish(site, part["release"])
        assert site.get("/a/left.txt").body == b"left\n"
