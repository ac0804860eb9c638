"""What is tried on a release before people decide about it: a registry, as Django has for its system checks.

A check is a function of a candidate; parts above this one add theirs with `release_check`. What came out is
kept for the digest that it was tried on (`services.checking`).
"""

from apps.releases.checks.registry import (
    Candidate,
    Finding,
    Found,
    ReleaseCheck,
    registered_checks,
    release_check,
    title_of,
)

__all__ = [
    "Candidate",
    "Finding",
    "Found",
    "ReleaseCheck",
    "registered_checks",
    "release_check",
    "title_of",
]
