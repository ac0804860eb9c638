"""Writes a path index, last in line: `python -m apps.releases.manifest MANIFEST INDEX SHA256`."""

import os
import sys
from pathlib import Path

from apps.releases.manifest.format import ManifestFault
from apps.releases.manifest.path_index import write_index


def main(manifest: str, index: str, sha256: str) -> None:
    """Write the index of a manifest; say what is wrong and end with 1 where that cannot be done."""
    os.nice(19)
    try:
        write_index(Path(manifest), Path(index), sha256=sha256)
    except (ManifestFault, OSError) as fault:
        sys.exit(f"No path index was made: {fault}")


if __name__ == "__main__":
    main(*sys.argv[1:])
