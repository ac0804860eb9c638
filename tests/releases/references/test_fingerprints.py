"""Fingerprints cover what a file consists of once it is rewritten, and nothing else."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from apps.releases.manifest.names import choose_fingerprint
from apps.releases.references.fingerprints import Node, circles, fingerprints


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


SITE = {
    "app.js": Node(digest("app"), ("left.js", "logo.svg")),
    "left.js": Node(digest("left"), ("right.js",)),
    "right.js": Node(digest("right"), ("left.js", "logo.svg")),
    "logo.svg": Node(digest("logo")),
    "other.js": Node(digest("other")),
}


def changed(path: str, **nodes: Node) -> set[str]:
    """Return which fingerprints differ when `path` consists of something else."""
    before = fingerprints(SITE, {})
    after = fingerprints({**SITE, path: Node(digest("changed"), SITE[path].targets)}, {})
    return {path for path in SITE if before[path] != after[path]}


def test_a_file_that_names_no_other_is_named_by_its_own_bytes() -> None:
    assert fingerprints(SITE, {})["logo.svg"] == choose_fingerprint("logo.svg", digest("logo"))


def test_a_change_reaches_all_that_depends_on_it_and_nothing_else() -> None:
    assert changed("logo.svg") == {"app.js", "left.js", "right.js", "logo.svg"}
    assert changed("right.js") == {"app.js", "left.js", "right.js"}
    assert changed("app.js") == {"app.js"}
    assert changed("other.js") == {"other.js"}


def test_files_in_a_circle_share_one_fingerprint() -> None:
    found = fingerprints(SITE, {})
    assert found["left.js"] == found["right.js"]
    alone = {"x.js": Node(digest("x"), ("x.js",))}
    assert fingerprints(alone, {})["x.js"] != choose_fingerprint("x.js", digest("x"))


def test_a_target_outside_counts_by_the_fingerprint_that_is_known_of_it() -> None:
    page = {"app.js": Node(digest("app"), ("a.js", "gone.js"))}
    one, other = fingerprints(page, {"a.js": "111111111111"}), fingerprints(page, {"a.js": "222222222222"})
    assert one != other
    assert fingerprints(page, {"a.js": "111111111111", "unnamed.js": "3"}) == one


def test_a_name_that_takes_none_has_no_fingerprint() -> None:
    assert fingerprints({"LICENSE": Node(digest("x"))}, {}) == {"LICENSE": ""}


graphs = st.dictionaries(
    st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefgh"), max_size=4), min_size=1, max_size=7
)


def reachable(edges: dict[str, list[str]], start: str) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        for target in edges.get(waiting.pop(), ()):
            if target in edges and target not in found:
                found.add(target)
                waiting.append(target)
    return found


@given(graphs)
def test_circles_hold_what_reaches_each_other_and_come_after_what_they_lead_to(
    edges: dict[str, list[str]],
) -> None:
    found = list(circles(edges))
    assert sorted(path for circle in found for path in circle) == sorted(edges)
    seen: set[str] = set()
    for circle in found:
        for path in circle:
            mutual = {other for other in reachable(edges, path) if path in reachable(edges, other)}
            assert set(circle) == mutual | {path}
        seen |= set(circle)
        assert {target for path in circle for target in edges[path] if target in edges} <= seen


def test_a_long_chain_needs_no_deep_stack() -> None:
    chain = {f"{number}.js": (f"{number + 1}.js",) for number in range(20_000)}
    assert sum(1 for _ in circles(chain)) == 20_000


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from("abcd"), max_size=3), max_size=4))
def test_the_order_in_which_files_are_given_does_not_matter(edges: dict[str, list[str]]) -> None:
    nodes = {f"{name}.js": Node(digest(name), tuple(f"{t}.js" for t in to)) for name, to in edges.items()}
    turned = dict(reversed(nodes.items()))
    assert fingerprints(nodes, {}) == fingerprints(turned, {})
