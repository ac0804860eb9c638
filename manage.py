#!/usr/bin/env python
"""Run a management command of Assetsite; `scripts/manage` calls this in the project's environment."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assetsite.settings")
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except ImproperlyConfigured as fault:
        sys.exit(str(fault))
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`). What is still to be written has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
