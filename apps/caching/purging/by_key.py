"""Surrogate keys in a header of a request, as Varnish and Fastly take them."""

from collections.abc import Iterator, Sequence

_VALUE_BYTES = 4096  # servers refuse a header's line above 8 KiB, and Varnish needs room to ban by it


def header_values(keys: Sequence[str]) -> Iterator[str]:
    """Yield values of Surrogate-Key that name all `keys`, each as long as every server reads it."""
    value = ""
    for key in keys:
        if len(value) + 1 + len(key) > _VALUE_BYTES:
            yield value
            value = ""
        value = f"{value} {key}" if value else key
    if value:
        yield value
