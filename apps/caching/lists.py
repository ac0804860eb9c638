"""Headers whose value is a list of names, each of which counts once. Pure."""

SEPARATORS = {"vary": ", ", "surrogate-key": " ", "cache-tag": ","}


def added_up(name: str, first: str, second: str) -> str:
    """Return a value of the header `name` (in lower case) with the names of both, those of `first` first."""
    separator = SEPARATORS[name]
    listed = (one.strip() for value in (first, second) for one in value.split(separator.strip() or None))
    found: dict[str, str] = {}
    for one in listed:
        found.setdefault(one.lower() if name == "vary" else one, one)  # keys are other ones in another case
    found.pop("", None)
    return separator.join(found.values())
