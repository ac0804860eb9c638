from io import StringIO

import pytest

from assetsite.launch.progress import Counter, show_nothing


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_that_counts_to_the_end() -> None:
    terminal = Terminal()
    counter = Counter(terminal)
    for done in range(1, 1001):
        counter("Storing", done, 1000)
    assert terminal.getvalue().startswith("\r  Storing: 1 of 1,000 files")
    assert terminal.getvalue().endswith("\r  Storing: 1,000 of 1,000 files\n")
    assert terminal.getvalue().count("\r") < 500


def test_a_log_file_gets_nothing() -> None:
    log = StringIO()
    Counter(log)("Storing", 1, 1)
    assert log.getvalue() == ""


def test_who_wants_none_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    show_nothing("Storing", 1, 1)
    assert capsys.readouterr() == ("", "")
