"""What can be looked at before anything is started: the data folder, the addresses of the doors."""

import tempfile
from pathlib import Path

from django.conf import settings

from assetsite.environment import parse_bind
from assetsite.launch import ports
from assetsite.launch.exceptions import CannotStart


def check_data_folder() -> None:
    """Raise `CannotStart` unless files can be made in DATA_DIR."""
    folder = Path(settings.DATA_DIR)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CannotStart(
            f"DATA_DIR {folder} cannot be written: {error.strerror}.",
            next_step="Give this user the right to write there, or set DATA_DIR to another folder.",
        ) from error


def check_doors() -> None:
    """Raise `CannotStart`, which names each address that cannot be listened on."""
    doors = [
        ports.Door("PUBLIC_BIND", parse_bind(settings.PUBLIC_BIND)),
        ports.Door("STAFF_BIND", parse_bind(settings.STAFF_BIND)),
    ]
    faults = ports.faults(doors)
    if faults:
        raise CannotStart(
            " ".join(faults),
            next_step="Stop what listens there, or set PUBLIC_BIND and STAFF_BIND, such as "
            "PUBLIC_BIND=127.0.0.1:8080 scripts/run",
        )
