"""Negotiation, by properties: whatever a client weighs, it gets what it weighs most."""

from hypothesis import given
from hypothesis import strategies as st

from apps.caching.rules import HeaderSet
from apps.delivery.negotiation import IDENTITY, choose, parse_weights
from apps.delivery.resource import Resource
from apps.delivery.tally import Tally
from apps.releases.manifest import Representation as Coded

available = st.lists(st.sampled_from(["zstd", "br", "gzip"]), unique=True)
weights = st.sampled_from(["", ";q=0", ";q=0.000", ";q=0.3", ";q=0.7", "; q=1", ";Q=1.0"])
names = st.sampled_from(["zstd", "br", "gzip", "GZIP", "deflate", "identity", "*"])
accepted = st.lists(st.tuples(names, weights).map("".join), max_size=6)


def weight_of(coding: str, said: dict[str, float]) -> float | None:
    return said.get(coding, said.get("*"))


@given(accepted, available)
def test_nothing_that_weighs_more_is_passed_over(elements: list[str], codings: list[str]) -> None:
    accept = ", ".join(elements)
    chosen, said = choose(accept, codings), parse_weights(accept)
    assert chosen in {*codings, IDENTITY}
    weights = {coding: weight_of(coding, said) or 0.0 for coding in codings}
    best = max(weights.values(), default=0.0)
    if chosen == IDENTITY:
        assert best == 0 or said.get(IDENTITY, 0.0) > best
    else:
        assert weights[chosen] == best > 0
        assert codings.index(chosen) == min(codings.index(c) for c in codings if weights[c] == best)


@given(accepted, available)
def test_what_weighs_nothing_is_sent_only_as_identity(elements: list[str], codings: list[str]) -> None:
    said = parse_weights(", ".join(elements))
    chosen = choose(", ".join(elements), codings)
    assert chosen == IDENTITY or weight_of(chosen, said)


@given(st.text(max_size=40), available)
def test_any_words_are_decided_about(accept: str, codings: list[str]) -> None:
    assert choose(accept, codings) in {*codings, IDENTITY}


@given(
    st.one_of(
        st.none(), accepted.map(", ".join), accepted.map(" ,".join), st.text("gzipbr,*; \tx-", max_size=20)
    ),
    available,
)
def test_a_resource_chooses_the_same(accept: str | None, codings: list[str]) -> None:
    coded = tuple(Coded(coding, "ab" * 32, 1) for coding in codings)
    headers = HeaderSet("rule", 1, (("content-type", "text/css"),), "f" * 64)
    resource = Resource(
        Coded(IDENTITY, "cd" * 32, 2), coded, headers,
        last_modified=0, current_since=0, release=1, link="", tally=Tally(),
    )  # fmt: skip
    chosen = resource.choose(accept).headers.get("content-encoding", IDENTITY)
    assert chosen == choose(accept, codings)


def test_an_old_name_of_gzip_counts() -> None:
    assert choose("x-gzip", ["gzip"]) == "gzip"


def test_nothing_said_is_not_anything_accepted() -> None:
    assert choose(None, ["gzip"]) == IDENTITY
    assert choose("", ["gzip"]) == IDENTITY


def test_a_weight_that_is_wrong_makes_its_coding_unknown() -> None:
    assert choose("gzip;q=2, br;q=0.1", ["gzip", "br"]) == "br"
