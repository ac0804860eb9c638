import math
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.jobs.schedule import scheduled
from apps.jobs.ticker import tickers_for
from apps.jobs.worker import JobWorker


class Command(BaseCommand):
    help = "Run the background worker: jobs, and what is done again and again. Stop it with SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--interval",
            type=_seconds,
            default=0.25,
            metavar="SECONDS",
            help="how often to look for work (default: %(default)s)",
        )
        parser.add_argument(
            "--until-empty",
            action="store_true",
            help="run the jobs that are queued, nothing on schedule, and end",
        )

    def handle(self, *args: Any, interval: float, until_empty: bool, **options: Any) -> None:
        worker = JobWorker(interval_seconds=interval, is_batch=until_empty)
        worker.configure_signals()
        if until_empty:
            worker.run()
            return
        tickers = tickers_for(scheduled())
        for ticker in tickers:
            ticker.start()
        try:
            worker.run()
        finally:
            for ticker in tickers:
                ticker.stop()


def _seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value <= 0:
        raise ArgumentTypeError("has to be a number of seconds above 0")
    return value
