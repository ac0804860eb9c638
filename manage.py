#!/usr/bin/env python
"""Run a management command of Assetsite; `scripts/manage` calls this in the project's environment."""

import os
import sys
from io import BytesIO, TextIOWrapper

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assetsite.settings")
    _take_any_bytes()
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except ImproperlyConfigured as fault:
        sys.exit(str(fault))
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`). What is still to be written has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _take_any_bytes() -> None:
    """Let standard input and output not fail by what is no text: a service says so, of what it is told."""
    sys.stdin = sys.stdin or TextIOWrapper(BytesIO())  # None where whoever started this has closed it
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does


if __name__ == "__main__":
    main()
