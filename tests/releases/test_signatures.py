import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.releases.history.signatures import (
    MEMBER,
    PublicKey,
    SignatureFault,
    SigningKey,
    key_of,
    sign,
    signer_of,
    trusting,
    verify,
)

patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
KEY, OTHER = SigningKey(b"a" * 32), SigningKey(b"b" * 32)
NAME = "channels/production.json"
TRUSTED = trusting(KEY.public)
# RFC 8032, 7.1, test 1
RFC_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC_PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
RFC_SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(words.filter(lambda word: word != MEMBER), values, max_size=5)


def changed(content: bytes, **members: object) -> bytes:
    return json.dumps(json.loads(content) | members).encode()


def test_keys_and_signatures_are_those_of_rfc_8032() -> None:
    key = SigningKey(RFC_SEED)
    assert key.public.content.hex() == RFC_PUBLIC
    assert key.sign(b"").hex() == RFC_SIGNATURE


@patiently
@given(documents, words)
def test_what_was_signed_is_read_back(document: dict[str, Any], name: str) -> None:
    assert verify(sign(document, name=name, key=KEY), name=name, trusted=TRUSTED) == document


@patiently
@given(documents)
def test_a_document_is_signed_the_same_each_time(document: dict[str, Any]) -> None:
    assert sign(document, name=NAME, key=KEY) == sign(document, name=NAME, key=KEY)


@patiently
@given(documents, words.filter(lambda word: word != MEMBER), values)
def test_whatever_is_added_or_changed_shows(document: dict[str, Any], member: str, value: object) -> None:
    content = sign(document, name=NAME, key=KEY)
    tampered = changed(content, **{member: value})
    if member in document and document[member] == value and type(document[member]) is type(value):
        return
    with pytest.raises(SignatureFault, match="changed after it was signed"):
        verify(tampered, name=NAME, trusted=TRUSTED)


def test_a_document_says_nothing_under_another_name() -> None:
    content = sign({"channel": "production"}, name="previews/7.json", key=KEY)
    with pytest.raises(SignatureFault, match="changed after it was signed"):
        verify(content, name=NAME, trusted=TRUSTED)


def test_a_key_that_is_not_trusted_is_named() -> None:
    content = sign({}, name=NAME, key=OTHER)
    with pytest.raises(SignatureFault, match=f"signed with key {OTHER.public.id}, which is not trusted here"):
        verify(content, name=NAME, trusted=TRUSTED)
    assert signer_of(content) == OTHER.public.id
    assert verify(content, name=NAME, trusted=trusting(KEY.public, OTHER.public)) == {}


def test_a_key_cannot_be_claimed() -> None:
    """The id only says which key to try."""
    content = json.loads(sign({}, name=NAME, key=OTHER))
    content[MEMBER]["key"] = KEY.public.id
    with pytest.raises(SignatureFault, match="changed"):
        verify(json.dumps(content).encode(), name=NAME, trusted=TRUSTED)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"channel": "production"}', "it is not signed"),
        (b'{"signature": null}', "it is not signed"),
        (b"[]", "no signed document"),
        (b'{"signature": {}}', "cannot be read"),
        (b'{"signature": "x"}', "cannot be read"),
        (b'{"signature": 1}', "cannot be read"),
        (b'{"signature": {"key": "a", "ed25519": "\xc3\xa9"}}', "cannot be read"),
        (b"{", "Expecting"),
        (b"\xff", "decode"),
    ],
)
def test_what_is_not_signed_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        verify(content, name=NAME, trusted=TRUSTED)


@patiently
@given(st.binary(max_size=60))
def test_whatever_the_bytes_are_they_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        verify(content, name=NAME, trusted=TRUSTED)


def test_a_key_is_32_bytes_in_base64() -> None:
    assert key_of(f" {KEY.public.text}\n") == KEY.public.content
    for text in ("", "AAAA", KEY.public.text[:-4], "not base64!"):
        with pytest.raises(ValueError, match=r"\w"):
            key_of(text)


def test_a_signing_key_does_not_show_in_logs() -> None:
    assert "aaaa" not in repr(KEY)


def test_a_key_is_written_as_openssl_reads_it() -> None:
    assert PublicKey(bytes.fromhex(RFC_PUBLIC)).pem == (
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
        "-----END PUBLIC KEY-----\n"
    )
