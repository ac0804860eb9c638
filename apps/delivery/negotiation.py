"""Which content coding a client gets (RFC 9110 section 12.5.3)."""

import re
from collections.abc import Sequence

IDENTITY = "identity"
_ELEMENT = re.compile(
    r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*"
    r"(?:;[ \t]*[qQ][ \t]*=[ \t]*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?"
)


def choose(accept: str | None, available: Sequence[str]) -> str:
    """Return the coding to send: one of `available` (best first), or `identity`.

    `accept` is the value of Accept-Encoding, None where it was not sent: then nothing is known about
    the client and it gets the bytes as they are. Of codings with the same weight the first of
    `available` wins, and each wins over an identity that was not named. Where nothing is acceptable
    identity is sent all the same, rather than a 406 that helps nobody.
    """
    if not accept or not available:
        return IDENTITY
    weights = parse_weights(accept)
    others = weights.get("*")
    best, best_weight = IDENTITY, weights.get(IDENTITY, 0.0)
    for coding in available:
        weight = weights.get(coding, others)
        if weight and (weight > best_weight or (weight == best_weight and best == IDENTITY)):
            best, best_weight = coding, weight
    return best


def parse_weights(accept: str) -> dict[str, float]:
    """Read Accept-Encoding as coding → weight, names in lower case; elements that are wrong are left out."""
    weights: dict[str, float] = {}
    for element in accept.split(","):
        match = _ELEMENT.fullmatch(element)
        if match:
            name = match[1].lower()
            weights["gzip" if name == "x-gzip" else name] = float(match[2]) if match[2] else 1.0
    return weights
