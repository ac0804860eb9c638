"""What a folder holds, or all that is wrong with it before anything is written."""

import io
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.assets.paths import colliding, path_fault
from apps.imports.directory import LITTER, list_directory
from apps.imports.exceptions import FileRefused, SourceRefused
from tests.imports.conftest import write_files

LITTER_FREE_BYTES = st.sampled_from(b"aA.-_ \\\n\x1b\xff\xc3\xa9") | st.integers(1, 255)
NAMES = (
    st.lists(LITTER_FREE_BYTES, min_size=1, max_size=12)
    .map(lambda values: os.fsdecode(bytes(values)))
    .filter(lambda name: "/" not in name and name not in {".", "..", *LITTER})
)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def faults(source: Path, *, prefix: str = "") -> dict[str, str]:
    """Return name → reason of everything for which `source` is refused."""
    with pytest.raises(SourceRefused) as refusal:
        list_directory(source, prefix=prefix)
    return {fault.name: fault.reason for fault in refusal.value.faults}


def paths(source: Path, *, prefix: str = "") -> list[str]:
    return [file.path for file in list_directory(source, prefix=prefix).files]


def test_every_file_is_listed_by_its_path_in_order(source: Path) -> None:
    names = ["b/c.css", "a.html", "b.html", "z/y/x.js", ".well-known/security.txt", "empty"]
    write_files(source, dict.fromkeys(names, b"x"))
    (source / "folder-without-files").mkdir()
    assert paths(source) == sorted(names)
    assert paths(source, prefix="docs/") == sorted(f"docs/{name}" for name in names)


def test_what_version_control_and_desktops_leave_is_passed_over_and_named(source: Path) -> None:
    write_files(source, {"index.html": b"", ".git/config": b"", "css/.DS_Store": b"", "css/a.css": b""})
    listing = list_directory(source)
    assert [file.path for file in listing.files] == ["css/a.css", "index.html"]
    assert listing.skipped == (".git", "css/.DS_Store")


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path / "nowhere") == {str(tmp_path / "nowhere"): "does not exist"}
    file = tmp_path / "file"
    file.touch()
    assert faults(file) == {str(file): "is not a folder"}
    assert faults(file / "below") == {str(file / "below"): "cannot be read: Not a directory"}
    (tmp_path / "loop").symlink_to("loop")
    assert "Too many" in faults(tmp_path / "loop")[str(tmp_path / "loop")]


def test_a_source_without_a_file_is_refused(source: Path) -> None:
    reason = "has no file in it that could be served"
    assert faults(source) == {str(source): reason}
    write_files(source, {".git/config": b"", "empty/.DS_Store": b""})
    assert faults(source) == {str(source): reason}


def test_links_inside_are_followed(source: Path, tmp_path: Path) -> None:
    write_files(source, {"css/site.css": b"a", "deep/er/file": b"b"})
    (source / "styles").symlink_to("css")
    (source / "copy.css").symlink_to(source / "css" / "site.css")
    (source / "deep/up").symlink_to("../css")
    assert paths(source) == [
        "copy.css",
        "css/site.css",
        "deep/er/file",
        "deep/up/site.css",
        "styles/site.css",
    ]
    (tmp_path / "link-to-source").symlink_to(source)
    assert paths(tmp_path / "link-to-source") == paths(source)


def test_links_that_lead_outside_nowhere_or_in_a_circle_are_refused(source: Path, tmp_path: Path) -> None:
    write_files(tmp_path, {"source-2/secret": b"", "outside": b""})
    write_files(source, {"a/b/file": b""})
    outside = "is a link that leads outside of the source"
    links: dict[str, tuple[str | Path, str]] = {
        "absolute": (tmp_path / "outside", outside),
        "beside": ("../source-2/secret", outside),
        "folder": ("../source-2", outside),
        "gone": ("../nowhere", outside),
        "a/dangling": ("nothing", "is a link that leads nowhere, or in a circle"),
        "itself": ("itself", "is a link that leads nowhere, or in a circle"),
        "a/b/up": ("..", "is a link to a folder that it lies in itself"),
        "all": (".", "is a link to a folder that it lies in itself"),
    }
    for name, (target, _) in links.items():
        (source / name).symlink_to(target)
    assert faults(source) == {name: reason for name, (_, reason) in links.items()}


def test_two_folders_that_link_to_each_other_are_no_endless_walk(source: Path) -> None:
    write_files(source, {"a/file": b"", "b/file": b""})
    (source / "a/b").symlink_to("../b")
    (source / "b/a").symlink_to("../a")
    assert set(faults(source)) == {"a/b/a", "b/a/b"}


def test_what_is_neither_file_nor_folder_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(source / "fifo")
    monkeypatch.chdir(source)  # a socket's name is limited to 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    assert faults(source) == dict.fromkeys(("fifo", "socket"), "is neither a file nor a folder")


@pytest.mark.parametrize(
    "name", ["a\\b", "line\nbreak", "e\u0301.html", "\udcff.html", "-/healthz", "library/x"]
)
def test_a_name_that_is_no_valid_path_is_refused(source: Path, name: str) -> None:
    write_files(source, {name: b"", "index.html": b""})
    assert faults(source) == {name: path_fault(name)}


def test_reserved_folders_are_reserved_at_the_root_of_the_site_only(source: Path) -> None:
    write_files(source, {"-/a": b"", "library/a": b"", "docs/library/a": b""})
    assert set(faults(source)) == {"-/a", "library/a"}
    assert paths(source, prefix="v2/") == ["v2/-/a", "v2/docs/library/a", "v2/library/a"]


def test_a_path_that_is_too_long_is_refused_however_deep_it_lies(source: Path) -> None:
    name = "/".join(["d" * 100] * 10)
    write_files(source, {f"{name}/short": b"", f"{name}/{'f' * 30}": b""})
    assert faults(source) == {f"{name}/{'f' * 30}": "has 1040 characters; 1024 are the most"}
    assert set(faults(source, prefix="under/some/prefix/")) == {f"{name}/{'f' * 30}", f"{name}/short"}


def test_folders_may_lie_deeper_than_functions_may_call_each_other(source: Path) -> None:
    name = "/".join("d" * 500) + "/file"
    write_files(source, {name: b""})
    assert paths(source) == [name]


def test_names_that_differ_only_in_case_or_unicode_form_are_refused_together(source: Path) -> None:
    write_files(
        source, {"css/Site.css": b"", "css/site.css": b"", "other.css": b"", "Doc": b"", "doc/a": b""}
    )
    reason = "differs from another name only in case or Unicode form"
    assert faults(source) == dict.fromkeys(("css/Site.css", "css/site.css", "Doc", "doc/a"), reason)


def test_all_faults_are_found_at_once(source: Path) -> None:
    write_files(source, {"-/a": b"", "b\\c": b"", "d.css": b"", "D.css": b""})
    (source / "link").symlink_to("/etc/hostname")
    os.mkfifo(source / "fifo")
    assert set(faults(source)) == {"-/a", "b\\c", "d.css", "D.css", "link", "fifo"}


@relaxed
@given(names=st.sets(NAMES, max_size=6))
def test_a_name_is_listed_or_a_reason_is_given(
    names: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = write_files(tmp_path_factory.mktemp("any"), {"index.html": b"", **dict.fromkeys(names, b"")})
    names = {*names, "index.html"}
    wrong = {name for name in names if path_fault(name)} | {n for group in colliding(names) for n in group}
    if wrong:
        assert set(faults(source)) == wrong
    else:
        assert paths(source) == sorted(names)


def test_a_files_bytes_come_in_pieces(source: Path) -> None:
    content = bytes(range(256)) * 10_000
    write_files(source, {"large": content, "empty": b""})
    empty, large = list_directory(source).files
    chunks = list(large.chunks())
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= 1 << 20
    assert list(empty.chunks()) == []


Change = Callable[[Path], object]


def rewrite(file: Path) -> None:
    file.write_bytes(b"after!")
    os.utime(file, ns=(0, 1))


def grow(file: Path) -> None:
    file.write_bytes(b"before and after")
    os.utime(file, ns=(0, 0))


def replace(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(b"before")
    os.utime(other, ns=(0, 0))
    other.replace(file)


def make_link(file: Path) -> None:
    replace(file)
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def truncate(file: Path) -> None:
    os.truncate(file, 2)


@pytest.mark.parametrize("change", [rewrite, grow, replace, make_link, truncate, Path.unlink])
@pytest.mark.parametrize("when", ["before it is read", "while it is read"])
def test_a_file_that_changes_is_refused(source: Path, change: Change, when: str) -> None:
    file = write_files(source, {"file": b"before"}) / "file"
    os.utime(file, ns=(0, 0))
    (found,) = list_directory(source).files
    chunks = found.chunks()
    if when == "while it is read":
        assert next(chunks) == b"before"
    change(file)
    with pytest.raises(FileRefused) as refusal:
        list(chunks)
    assert refusal.value.message == "file changed while it was imported."


def test_a_file_that_grows_without_end_is_given_up(source: Path) -> None:
    file = write_files(source, {"log": b"line\n"}) / "log"
    (found,) = list_directory(source).files
    chunks = found.chunks()
    with file.open("ab", buffering=0) as stream:
        assert next(chunks) == b"line\n"
        stream.write(b"line\n" * 1000)
        assert next(chunks)
        stream.write(b"line\n")
        with pytest.raises(FileRefused):
            next(chunks)


def test_a_file_that_a_disk_does_not_give_is_named(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(source, {"css/a.css": b"a"})
    (found,) = list_directory(source).files

    def broken(*arguments: object) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(io, "FileIO", broken)
    with pytest.raises(FileRefused) as refusal:
        list(found.chunks())
    assert refusal.value.message == "css/a.css cannot be read: Input/output error."
