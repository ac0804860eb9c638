"""How an import says no: each name, why, and what to do, for people and for programs."""

import os

from hypothesis import given
from hypothesis import strategies as st

from apps.imports.exceptions import NAMED_FAULTS, Fault, FileRefused, SourceRefused, shown


def test_one_fault_is_a_sentence_and_what_to_do() -> None:
    refusal = SourceRefused([Fault("../nowhere", "does not exist", "name the folder")])
    assert refusal.message == "../nowhere does not exist."
    assert refusal.next_step == "Name the folder. Then run the same command again; nothing was imported."
    assert refusal.code == "source_refused"


def test_faults_are_grouped_by_reason_with_what_to_do() -> None:
    refusal = SourceRefused(
        [
            Fault("b.css", "is a broken link", "remove it"),
            Fault("c", "has a backslash", "rename it"),
            Fault("a.css", "is a broken link", "remove it"),
        ]
    )
    assert refusal.message.splitlines() == [
        "3 names in the source cannot be imported:",
        "  has a backslash → rename it:",
        "      c",
        "  is a broken link → remove it:",
        "      b.css",
        "      a.css",
    ]
    assert refusal.next_step == "Mend them all. Then run the same command again; nothing was imported."


def test_people_get_the_first_names_and_programs_all_of_them() -> None:
    names = [f"{number:03}" for number in range(NAMED_FAULTS + 5)]
    refusal = SourceRefused([Fault(name, "has a backslash", "rename it") for name in names])
    assert refusal.message.splitlines()[-1] == "  and 5 more (--json names all)"
    assert [line.strip() for line in refusal.message.splitlines()[2:-1]] == names[:NAMED_FAULTS]
    error = refusal.as_json()["error"]
    assert set(error) == {"code", "message", "next", "faults"}
    assert error["faults"] == [
        {"name": name, "reason": "has a backslash", "next": "Rename it."} for name in names
    ]


def test_a_single_file_is_refused_in_the_same_words() -> None:
    refusal = FileRefused(Fault("a.css", "changed", "wait"))
    assert str(refusal) == "a.css changed. Wait."


def test_names_are_shown_so_that_they_can_be_told_apart() -> None:
    assert shown("css/site é.css") == "css/site é.css"
    assert shown("e\u0301.css") == "e\\u0301.css"
    assert shown(os.fsdecode(b"\xff.css")) == "\\xff.css"
    assert shown("red\x1b[31m\n") == "red\\x1b[31m\\n"
    assert shown("left\u202eright") == "left\\u202eright"


@given(st.binary(max_size=30).map(os.fsdecode))
def test_any_name_can_be_printed(name: str) -> None:
    assert shown(name).encode().decode().isprintable()
