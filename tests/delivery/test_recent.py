from hypothesis import given
from hypothesis import strategies as st

from apps.delivery.recent import Recent


def test_what_is_used_stays_and_what_is_not_goes() -> None:
    recent: Recent[int, str] = Recent(20)
    recent.put(0, "used")
    for number in range(1, 200):
        recent.put(number, str(number))
        assert recent.get(0) == "used"
    assert recent.get(1) is None
    assert recent.get(199) == "199"


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=200))
def test_it_never_holds_more_than_its_weight_and_never_mixes_values_up(uses: list[tuple[int, int]]) -> None:
    recent: Recent[tuple[int, int], tuple[int, int]] = Recent(20, weigh=lambda value: value[1])
    kept = set()
    for use in uses:
        if recent.get(use) is None:
            recent.put(use, use)
        found = {use for use in uses if recent._young.get(use) or recent._old.get(use)}
        assert sum(size for _, size in found) <= 20
        kept |= found
    assert all(recent.get(use) in (None, use) for use in uses)
    assert all(size <= 10 for _, size in kept)


def test_what_alone_is_too_heavy_is_not_kept() -> None:
    recent: Recent[str, bytes] = Recent(10, weigh=len)
    recent.put("a", b"123456")
    recent.put("b", b"12345")
    assert recent.get("a") is None
    assert recent.get("b") == b"12345"


def test_it_can_be_emptied() -> None:
    recent: Recent[int, int] = Recent(200)
    for number in range(150):
        recent.put(number, number)
    assert len(recent) == 150
    recent.empty()
    assert len(recent) == 0
    assert recent.get(149) is None
