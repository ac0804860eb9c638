from collections.abc import Mapping

from hypothesis import strategies as st

from apps.caching.rules import Match


def matches_of(conditions: Mapping[str, st.SearchStrategy[object]]) -> st.SearchStrategy[Match]:
    """Give matches with two of `conditions` at most: of more, hardly any file would meet all of them."""
    return st.lists(st.sampled_from(sorted(conditions)), max_size=2, unique=True).flatmap(
        lambda names: st.builds(Match, **{name: conditions[name] for name in names})
    )
