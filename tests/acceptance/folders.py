"""What the first and the second release of a story hold."""

from pathlib import Path

FIRST = {
    "index.html": b"<!doctype html><html lang=en><title>One</title><link rel=stylesheet href=css/site.css>"
    b"<script src=js/app.js defer></script><h1>One</h1>\n",
    "css/site.css": b"body { background: white }\nh1 { color: crimson }\n" + b"/* kept */\n" * 40,
    "js/app.js": b"document.title += '!'\n",
    "js/old.js": b"console.log('old')\n",
    "docs/index.html": b"<!doctype html><title>Docs</title>",
    "data.bin": bytes(range(256)) * 300,
}
SECOND = {
    **FIRST,
    "index.html": FIRST["index.html"].replace(b"One", b"Two"),
    "css/site.css": FIRST["css/site.css"].replace(b"crimson", b"navy"),
    "img/new.txt": b"new in the second\n",
}
del SECOND["js/old.js"]


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    """Write `files` (path → content) into a new folder and return it."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder
