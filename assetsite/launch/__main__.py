"""`scripts/run`: python -m assetsite.launch [DIRECTORY]."""

import argparse
import io
import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from apps.refusals import Refusal

DESCRIPTION = (
    "Prepares what is missing, starts both doors and the background worker, and watches over them. "
    "Where production has no publication yet, DIRECTORY (default: sample/) is imported and published."
)


def main() -> int:
    """Start the site and watch over it; return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/run", description=DESCRIPTION)
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIRECTORY")
    directory: Path | None = parser.parse_args().directory
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a log file has each line when it is written
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assetsite.settings")
    try:
        from assetsite.launch.start import start  # noqa: PLC0415 - it reads the settings, which may be wrong

        return start(directory)
    except ImproperlyConfigured as fault:
        print(fault, file=sys.stderr)
        return 1
    except Refusal as refusal:
        print(f"{refusal.message}\n→ {refusal.next_step}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. The next start goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
