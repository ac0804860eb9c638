"""A preview's host name says which preview it is, and nobody else can make one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from apps.releases.previews.hosts import PreviewHost, label_of, read_label

SECRET = "a secret"
hosts = st.builds(
    PreviewHost,
    st.integers(1, 10**12 - 1),
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.integers(0, 2**32 - 1),
)


@given(hosts)
def test_what_was_signed_is_read_again(host: PreviewHost) -> None:
    label = label_of(host, SECRET)

    assert read_label(label, SECRET) == host
    assert len(label) <= 63
    assert re.fullmatch(r"r[0-9]+-[a-z2-7]{40}", label)


@given(hosts, st.integers(0, 60), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567-r0189"))
def test_a_label_with_another_character_is_forged(host: PreviewHost, place: int, other: str) -> None:
    label = label_of(host, SECRET)
    place %= len(label)
    changed = label[:place] + other + label[place + 1 :]

    assert changed == label or read_label(changed, SECRET) is None


@given(hosts)
def test_a_label_of_another_secret_or_release_is_forged(host: PreviewHost) -> None:
    label = label_of(host, SECRET)

    assert read_label(label, "another secret") is None
    assert read_label(label.replace("r", "r1", 1), SECRET) is None
    assert read_label(label.replace("r", "r0", 1), SECRET) is None


@given(st.text(max_size=80))
def test_any_text_is_read_or_is_none(text: str) -> None:
    assert read_label(text, SECRET) is None


@given(hosts)
def test_nothing_but_the_label_itself_is_read(host: PreviewHost) -> None:
    label = label_of(host, SECRET)

    for other in (label.upper(), f" {label}", f"{label}\n", f"{label}a", label[:-1], f"x.{label}"):
        assert read_label(other, SECRET) is None
