"""One change, old beside new; and which bytes leave by the staff door."""

import io

import pytest
from PIL import Image
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.assets import store
from apps.assets.intake import take_in
from apps.releases.comparing import change_rows, pictures
from apps.releases.contents import PutChange
from apps.releases.models import Release
from apps.releases.services import publishing, review
from tests.releases.conftest import MakeRelease, put, remove
from tests.staff import staff_client

EXECUTABLE = {
    "a.svg": "<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
    "a.html": "<script>1</script>",
    "a.xml": "<?xml version='1.0'?><a/>",
    "a.xhtml": "<html xmlns='http://www.w3.org/1999/xhtml'/>",
    "a.pdf": "%PDF-1.7",
    "a.js": "alert(1)",
    "disguised.png": "<script>1</script>",
}


def image(kind: str, colour: str = "red", size: tuple[int, int] = (8, 5)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, kind)
    return content.getvalue()


def put_bytes(path: str, content: bytes) -> PutChange:
    return PutChange(take_in([content], path=path))


def address(release: Release, path: str, side: str = "") -> str:
    change = release.changes.get(asset__path=path)
    return f"/admin/releases/release/{release.pk}/changes/{change.pk}/{f'{side}/' if side else ''}"


@pytest.fixture
def pictured(live: Release, make_release: MakeRelease, editor: User, manager: User) -> Release:
    """A draft in which a picture is changed and another one removed."""
    first = make_release(put_bytes("img/a.png", image("PNG")), put_bytes("img/b.gif", image("GIF")))
    submitted = review.submit(release=first, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    publishing.publish(release=Release.objects.get(pk=first.pk), actor=manager)
    return make_release(put_bytes("img/a.png", image("PNG", "blue", (16, 9))), remove("img/b.gif"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "AVIF"])
def test_a_picture_is_served_as_what_its_bytes_are(
    live: Release, make_release: MakeRelease, viewer: User, kind: str
) -> None:
    content = image(kind)
    release = make_release(put_bytes("img/x.png", content))

    answer = staff_client(viewer).get(address(release, "img/x.png", "new"))

    assert answer.headers["Content-Type"] == f"image/{kind.lower()}"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"].startswith("private")
    assert answer.getvalue() == content


@pytest.mark.parametrize("path", EXECUTABLE)
def test_what_a_browser_could_execute_is_never_served(
    live: Release, make_release: MakeRelease, administrator: User, path: str
) -> None:
    release = make_release(put(path, EXECUTABLE[path]))

    for side in ("new", "old", "both"):
        assert staff_client(administrator).get(address(release, path, side)).status_code == 404


def test_old_and_new_stand_side_by_side(pictured: Release, viewer: User) -> None:
    client = staff_client(viewer)
    answer = client.get(address(pictured, "img/a.png"))

    assertContains(answer, 'width="8" height="5"')
    assertContains(answer, 'width="16" height="9"')
    assertContains(answer, 'loading="lazy"')
    for side in ("old", "new"):
        assert client.get(address(pictured, "img/a.png", side)).status_code == 200


def test_a_removed_picture_has_an_old_side_only(pictured: Release, viewer: User) -> None:
    client = staff_client(viewer)

    assertContains(client.get(address(pictured, "img/b.gif")), "Old ·")
    assert client.get(address(pictured, "img/b.gif", "new")).status_code == 404


def test_a_picture_of_too_many_pixels_or_bytes_is_not_served(
    pictured: Release, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 8 * 5)
    assert staff_client(viewer).get(address(pictured, "img/a.png", "new")).status_code == 404
    assert staff_client(viewer).get(address(pictured, "img/a.png", "old")).status_code == 200
    monkeypatch.setattr("apps.releases.admin.blob_pictures.MAX_PICTURE_BYTES", 10)
    assert staff_client(viewer).get(address(pictured, "img/a.png", "old")).status_code == 404


def test_bytes_that_storage_lacks_are_not_found_and_said_to_be_missing(
    pictured: Release, viewer: User
) -> None:
    change = pictured.changes.get(asset__path="img/a.png")
    assert change.version is not None
    file = store.local_path(store.blob_name(change.version.blob_id))
    assert file is not None
    file.unlink()

    assert staff_client(viewer).get(address(pictured, "img/a.png", "new")).status_code == 404
    assertContains(staff_client(viewer).get(address(pictured, "img/a.png")), "Storage lacks its bytes")


def test_a_file_that_is_no_picture_in_spite_of_its_name_is_told_so(
    live: Release, make_release: MakeRelease, viewer: User
) -> None:
    release = make_release(put("a.png", "<script>1</script>"))

    answer = staff_client(viewer).get(address(release, "a.png"))

    assertContains(answer, "not the picture that its name says")
    assertNotContains(answer, "<img")


def test_the_changes_of_a_release_are_walked_through(spring: Release, viewer: User) -> None:
    answer = staff_client(viewer).get(address(spring, "img/new.svg"))

    assertContains(answer, f'href="{address(spring, "css/site.css")}" rel="prev"')
    assertContains(answer, f'href="{address(spring, "js/old.js")}" rel="next"')
    assertNotContains(staff_client(viewer).get(address(spring, "js/old.js")), 'rel="next"')


def test_a_change_of_another_release_is_not_found(spring: Release, live: Release, viewer: User) -> None:
    change = spring.changes.first()
    assert change is not None

    answer = staff_client(viewer).get(f"/admin/releases/release/{live.pk}/changes/{change.pk}/")

    assert answer.status_code == 404


def test_a_list_leaves_large_texts_to_their_own_page(
    live: Release, make_release: MakeRelease, viewer: User
) -> None:
    lines = "".join(f"line {number}\n" for number in range(8_000))
    release = make_release(put("large.txt", lines), put("many.txt", "x\n" * 200), put("a.bin", "\x00"))
    rows = {row.path: row for row in change_rows.rows_of(release.changes.all())}

    assert rows["large.txt"].look.is_left_to_its_page
    assert rows["many.txt"].look.text is not None
    assert rows["many.txt"].look.text.is_cut
    assert rows["a.bin"].look.note == "Only pictures and text can be looked at here."
    answer = staff_client(viewer).get(address(release, "large.txt"))
    assertContains(answer, "Only the first 2000 lines are shown: +8000")


def test_a_text_that_is_too_large_for_any_page_is_told_by_its_size(
    live: Release, make_release: MakeRelease, viewer: User
) -> None:
    release = make_release(put("large.txt", "x" * (256 * 1024 + 1)))

    answer = staff_client(viewer).get(address(release, "large.txt"))

    assertContains(answer, "Too large to compare here.")
    assertContains(answer, "262 kB")


def test_text_in_another_encoding_is_told_so(live: Release, make_release: MakeRelease, viewer: User) -> None:
    release = make_release(put_bytes("latin.txt", "Größe".encode("latin-1")))

    assertContains(staff_client(viewer).get(address(release, "latin.txt")), "It is not text in UTF-8.")


def test_one_page_of_a_list_reads_a_bounded_number_of_bytes(
    live: Release, make_release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_rows, "BYTES_READ_FOR_A_LIST", 10)
    release = make_release(put("a.txt", "123456"), put("b.txt", "123456"))

    first, second = change_rows.rows_of(release.changes.order_by("asset__path"))

    assert first.look.text is not None
    assert second.look.text is None
    assert second.look.is_left_to_its_page
