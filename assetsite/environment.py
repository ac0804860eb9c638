"""Turns the words of environment variables into settings; says which variable is wrong, and how."""

import binascii
import hmac
import os
import re
import secrets
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from apps.origins import origin_of

_DOMAIN = re.compile(r"(?=.{1,180}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_CHANNEL = re.compile(r"[-a-zA-Z0-9_]+")  # a SlugField; a host that was swapped with it has dots
_MAIL_SECONDS = 10

_KEY_BYTES = 32
_RANDOM_CHARACTERS = 50  # as Django's own check of SECRET_KEY asks for


@dataclass(frozen=True, slots=True)
class Bind:
    """An address to listen on: host and port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    socket_path: str = ""


def parse_bind(text: str) -> Bind:
    """Read `host:port`, `[v6]:port` or `unix:/path`. Raises `ImproperlyConfigured` for anything else."""
    if text.startswith("unix:"):
        return Bind(socket_path=text.removeprefix("unix:"))
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or not 0 < int(port) < 65536:
        raise ImproperlyConfigured(
            f"{text!r} is no address to listen on. Write PUBLIC_BIND and STAFF_BIND as host:port, such as "
            "127.0.0.1:8000."
        )
    return Bind(host=host.strip("[]"), port=int(port))


def parse_channel_hosts(text: str) -> dict[str, str]:
    """Read `production=www.example.com,example.com;staging=staging.example.com` as host → channel.

    A host `*` stands for every host that is not named. Raises `ImproperlyConfigured` where a host is
    given to two channels, or a channel has none or a name that no channel can have.
    """
    channels: dict[str, str] = {}
    for group in filter(None, (part.strip() for part in text.split(";"))):
        channel, separator, hosts = group.partition("=")
        if separator and not _CHANNEL.fullmatch(channel.strip()):
            raise ImproperlyConfigured(
                f"CHANNEL_HOSTS: {channel.strip()!r} in {group!r} cannot be a channel's name."
                " Write channel=host,host;channel=host."
            )
        names = [host.strip().lower() for host in hosts.split(",") if host.strip()]
        if not separator or not names:
            raise ImproperlyConfigured(
                f"CHANNEL_HOSTS: {group!r} has no hosts. Write channel=host,host;channel=host."
            )
        for name in names:
            if channels.setdefault(name, channel.strip()) != channel.strip():
                raise ImproperlyConfigured(
                    f"CHANNEL_HOSTS gives {name} to {channels[name]} and to {channel.strip()}. Name it once."
                )
    return channels


def parse_public_urls(text: str) -> dict[str, str]:
    """Read `production=https://www.example.com;staging=http://10.0.0.5:8080` as channel → URL.

    Raises `ImproperlyConfigured` where a URL is more, or less, than scheme, host and port.
    """
    urls: dict[str, str] = {}
    for group in filter(None, (part.strip() for part in text.split(";"))):
        channel, _, url = map(str.strip, group.partition("="))
        origin = origin_of(url)
        if not channel or not origin:
            raise ImproperlyConfigured(
                f"PUBLIC_URLS: {group!r} is no public address of a channel."
                " Write channel=https://www.example.com;channel=http://HOST:PORT."
            )
        urls[channel] = origin
    return urls


def parse_preview_domain(text: str, *, public: Bind) -> tuple[str, str]:
    """Read PREVIEW_DOMAIN; return the domain, and a preview's address with `{}` for its own label.

    `preview.example.com` is meant with the port of the public door, `https://preview.example.com` as it
    stands. Raises `ImproperlyConfigured` for what is no domain.
    """
    has_scheme = "://" in text
    parts = urlsplit(text if has_scheme else f"http://{text}")
    try:
        domain, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        domain, port = "", None
    if parts.scheme not in ("http", "https") or not _DOMAIN.fullmatch(domain) or parts.path.strip("/"):
        raise ImproperlyConfigured(
            f"PREVIEW_DOMAIN {text!r} is no domain. Write preview.example.com, or "
            "https://preview.example.com where visitors come by way of TLS."
        )
    if not has_scheme and port is None and public.port != 80:
        port = public.port or None
    return domain, f"{parts.scheme}://{{}}.{domain}{f':{port}' if port else ''}/"


def data_folder(text: str) -> Path:
    """Return the absolute path of the folder, which is there now. Raises `ImproperlyConfigured`."""
    folder = Path(text).resolve()
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def kept_secret(file: Path) -> str:
    """Return the secret in `file`; the first call makes it, readable by this user only.

    Raises `ImproperlyConfigured` where the folder cannot be written.
    """
    with _writing(file.parent):
        if not file.exists():
            _make_secret(file)
        return file.read_text().strip()


def parse_key(text: str, *, variable: str) -> bytes:
    """Read 32 bytes in base64: a key of Ed25519. Raises `ImproperlyConfigured` for anything else."""
    try:
        key = b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ImproperlyConfigured(
            f"{variable} is no key: it takes {_KEY_BYTES} bytes in base64. `openssl rand -base64 32` makes a "
            "SIGNING_KEY; `scripts/manage signing show` shows the public keys for SIGNING_TRUSTED_KEYS."
        )
    return key


def signing_key(text: str, *, secret_key: str) -> bytes | None:
    """Return the private key in SIGNING_KEY, else one that follows from SECRET_KEY; None without either.

    Machines that share a SECRET_KEY so trust each other's signatures without another setting. A secret
    key that is too short to be random gives none: the public key would help to guess it.
    """
    if text:
        return parse_key(text, variable="SIGNING_KEY")
    if len(secret_key) < _RANDOM_CHARACTERS:
        return None
    return hmac.digest(secret_key.encode(), b"assetsite signing key 1", "sha256")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImproperlyConfigured(
            f"DATA_DIR {folder} cannot be written: {error.strerror}. Let this user write there, "
            "or set DATA_DIR to another folder."
        ) from error


def _make_secret(file: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    made = Path(name)
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_urlsafe(48))
        stream.flush()
        os.fsync(stream.fileno())
    with suppress(FileExistsError):  # another process may have been first: then its secret stands
        file.hardlink_to(made)
    made.unlink()


def storage_backend(url: str, *, default_folder: Path) -> dict[str, Any]:
    """Read STORAGE_URL as an entry of Django's STORAGES: a folder, or a bucket through django-storages.

    `file:///srv/assets`, or `s3://KEY:SECRET@endpoint.example.com/bucket/prefix?region=eu-1&tls=1`
    (without credentials: those that boto3 finds; without an endpoint, `s3:///bucket`: Amazon's). An
    endpoint of one's own seldom has a name for each bucket, so the bucket is named in the path there.
    """
    if not url:
        return _folder(default_folder)
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        return _folder(Path(unquote(parts.path)))
    bucket, _, prefix = parts.path.lstrip("/").partition("/")
    if parts.scheme != "s3" or not bucket:
        raise ImproperlyConfigured(
            f"STORAGE_URL {parts.scheme}:… is not understood. Write file:///folder or s3://endpoint/bucket."
        )
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    options: dict[str, Any] = {
        "bucket_name": bucket,
        "location": prefix.strip("/"),
        "file_overwrite": True,
        "querystring_auth": False,
        "region_name": query.get("region"),
    }
    if parts.hostname:
        port = f":{parts.port}" if parts.port else ""
        scheme = "http" if query.get("tls") == "0" else "https"
        options["endpoint_url"] = f"{scheme}://{parts.hostname}{port}"
        options["addressing_style"] = "path"
        options["region_name"] = query.get("region", "us-east-1")  # it is signed, and any will do
    if parts.username:
        options["access_key"] = unquote(parts.username)
        options["secret_key"] = unquote(parts.password or "")
    return {"BACKEND": "apps.assets.s3.Bucket", "OPTIONS": options}


def _folder(folder: Path) -> dict[str, Any]:
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(folder), "base_url": None},
    }


def mailers(url: str) -> dict[str, dict[str, Any]]:
    """Read EMAIL_URL as Django's MAILERS; where it is empty, what is sent goes nowhere.

    `smtp+tls://user:password@mail.example.com:587`, `smtp+ssl://…:465`, `smtp://localhost:25`, or
    `consolemail://` to print. A server that does not answer is given up after ten seconds.
    """
    if not url:
        return {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}}
    try:
        read = environ.Env.email_url_config(url)
    except (ImproperlyConfigured, ValueError) as error:
        scheme = url.partition(":")[0]
        raise ImproperlyConfigured(
            f"EMAIL_URL {scheme}:… is not understood. Write smtp+tls://user:password@mail.example.com:587."
        ) from error
    if not read["EMAIL_BACKEND"].endswith("smtp.EmailBackend"):
        return {"default": {"BACKEND": read["EMAIL_BACKEND"]}}
    options = {
        "host": read["EMAIL_HOST"],
        "port": read["EMAIL_PORT"] or 25,
        "username": read["EMAIL_HOST_USER"] or "",
        "password": read["EMAIL_HOST_PASSWORD"] or "",
        "use_tls": read.get("EMAIL_USE_TLS", False),
        "use_ssl": read.get("EMAIL_USE_SSL", False),
        "timeout": _MAIL_SECONDS,
    }
    return {"default": {"BACKEND": read["EMAIL_BACKEND"], "OPTIONS": options}}


def parse_networks(text: str) -> list[IPv4Network | IPv6Network]:
    """Read WEBHOOK_NETWORKS: `10.0.0.0/8,127.0.0.1`. Raises `ImproperlyConfigured` for what is no network."""
    try:
        return [ip_network(part.strip()) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ImproperlyConfigured(f"WEBHOOK_NETWORKS: {error}. Write 10.0.0.0/8,127.0.0.1.") from error
