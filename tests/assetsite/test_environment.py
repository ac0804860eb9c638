import stat
from base64 import b64encode
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from assetsite.environment import (
    Bind,
    data_folder,
    kept_secret,
    parse_bind,
    parse_channel_hosts,
    parse_key,
    parse_preview_domain,
    signing_key,
    storage_backend,
)


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:8000", Bind("127.0.0.1", 8000)),
        ("[::1]:80", Bind("::1", 80)),
        (":8000", Bind("", 8000)),
        ("unix:/run/site.sock", Bind(socket_path="/run/site.sock")),
    ],
)
def test_an_address_is_host_and_port_or_a_socket(text: str, bind: Bind) -> None:
    assert parse_bind(text) == bind


@pytest.mark.parametrize(
    "text", ["", "8000", "host", "host:", "host:0", "host:65536", "host:http", "host:-1"]
)
def test_an_address_without_a_port_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="host:port"):
        parse_bind(text)


@given(st.text(max_size=20))
def test_whatever_an_address_is_it_is_read_or_refused(text: str) -> None:
    try:
        bind = parse_bind(text)
    except ImproperlyConfigured:
        return
    assert bind.socket_path or 0 < bind.port < 65536 or text == "unix:"


def test_hosts_are_read_as_host_to_channel() -> None:
    text = " production = www.example.com , Example.com ; staging=*; "
    assert parse_channel_hosts(text) == {
        "www.example.com": "production",
        "example.com": "production",
        "*": "staging",
    }
    assert parse_channel_hosts("") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("production", "has no hosts"),
        ("production=", "has no hosts"),
        ("127.0.0.1=production", "'127.0.0.1' in '127.0.0.1=production' cannot be a channel's name"),
        ("=www.example.com", "'' in '=www.example.com' cannot be"),
        ("*=production", "cannot be a channel's name. Write channel=host"),
        ("a=x.com;b=X.com", "gives x.com to a and to b"),
    ],
)
def test_hosts_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=message):
        parse_channel_hosts(text)


def test_storage_is_a_folder_unless_said_otherwise(tmp_path: Path) -> None:
    assert storage_backend("", default_folder=tmp_path)["OPTIONS"]["location"] == str(tmp_path)
    named = storage_backend("file:///srv/my%20assets", default_folder=tmp_path)
    assert named["OPTIONS"]["location"] == "/srv/my assets"


def test_storage_can_be_a_bucket(tmp_path: Path) -> None:
    url = "s3://KEY:SE%2FCRET@s3.example.com:9000/bucket/some/prefix/?region=eu-1&tls=0"
    options = storage_backend(url, default_folder=tmp_path)["OPTIONS"]
    assert options["endpoint_url"] == "http://s3.example.com:9000"
    assert (options["bucket_name"], options["location"]) == ("bucket", "some/prefix")
    assert (options["access_key"], options["secret_key"]) == ("KEY", "SE/CRET")
    assert options["region_name"] == "eu-1"
    plain = storage_backend("s3:///bucket", default_folder=tmp_path)["OPTIONS"]
    assert "endpoint_url" not in plain
    assert "access_key" not in plain
    assert (
        storage_backend("s3://host/b", default_folder=tmp_path)["OPTIONS"]["endpoint_url"] == "https://host"
    )


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://host", "s3://host/", "file://", "nonsense"])
def test_a_storage_that_is_not_known_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="STORAGE_URL"):
        storage_backend(url, default_folder=tmp_path)


def test_a_secret_is_made_once_and_is_for_one_user_only(tmp_path: Path) -> None:
    file = data_folder(str(tmp_path / "new" / "data")) / "secret.key"
    secret = kept_secret(file)
    assert len(secret) >= 50
    assert kept_secret(file) == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_of_two_processes_that_make_the_secret_the_first_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "data" / "secret.key"
    file.parent.mkdir()
    file.write_text("the other one's\n")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert kept_secret(file) == "the other one's"
    assert [entry.name for entry in file.parent.iterdir()] == ["secret.key"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured, match=r"DATA_DIR .*file cannot be written"):
        kept_secret(tmp_path / "file" / "secret.key")
    with pytest.raises(ImproperlyConfigured, match=r"DATA_DIR .*file/data cannot be written"):
        data_folder(str(tmp_path / "file" / "data"))


def test_a_folder_is_made_and_its_path_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_folder("a/b") == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


def test_a_signing_key_is_32_bytes_in_base64() -> None:
    assert signing_key(b64encode(b"k" * 32).decode(), secret_key="x" * 60) == b"k" * 32
    for text in ("k", b64encode(b"k" * 31).decode(), "not base64"):
        with pytest.raises(ImproperlyConfigured, match="SIGNING_KEY is no key"):
            signing_key(text, secret_key="")
    with pytest.raises(ImproperlyConfigured, match="SIGNING_TRUSTED_KEYS is no key"):
        parse_key("k", variable="SIGNING_TRUSTED_KEYS")


def test_machines_that_share_a_secret_key_share_a_signing_key() -> None:
    shared = "a long and random secret, as Django itself asks for it"
    first, second = (signing_key("", secret_key=shared) for _ in range(2))
    assert first == second
    assert len(first or b"") == 32
    assert signing_key("", secret_key=shared + ".") != first


def test_a_secret_key_that_could_be_guessed_gives_no_signing_key() -> None:
    assert signing_key("", secret_key="short") is None
    assert signing_key("", secret_key="") is None


@pytest.mark.parametrize(
    ("text", "domain", "address"),
    [
        ("preview.localhost", "preview.localhost", "http://r1.preview.localhost:8000/"),
        ("preview.localhost:80", "preview.localhost", "http://r1.preview.localhost:80/"),
        ("Preview.Example.com.", "preview.example.com", "http://r1.preview.example.com:8000/"),
        ("https://preview.example.com", "preview.example.com", "https://r1.preview.example.com/"),
        ("https://preview.example.com:8443/", "preview.example.com", "https://r1.preview.example.com:8443/"),
    ],
)
def test_a_preview_domain_gives_the_addresses_of_previews(text: str, domain: str, address: str) -> None:
    found, pattern = parse_preview_domain(text, public=Bind("127.0.0.1", 8000))

    assert (found, pattern.format("r1")) == (domain, address)


def test_a_public_door_without_a_port_of_its_own_gives_previews_none() -> None:
    for public in (Bind("127.0.0.1", 80), Bind(socket_path="/run/site.sock")):
        assert parse_preview_domain("p.example", public=public)[1] == "http://{}.p.example/"


@pytest.mark.parametrize(
    "text",
    ["", ".", "a b", "ftp://p.example", "https://p.example/path", "p.example:x", "-p.example", "*.example"],
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="PREVIEW_DOMAIN"):
        parse_preview_domain(text, public=Bind("127.0.0.1", 8000))
