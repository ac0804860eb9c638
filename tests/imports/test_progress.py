"""How far an import is: a bar for people, a line now and then for a log."""

import io

from apps.imports.progress import Lines, shown_on


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_has_a_line_for_each_step_and_one_every_five_seconds() -> None:
    times = iter([0.0, 1.0, 5.0, 9.9, 10.0, 10.1])
    written: list[str] = []
    lines = Lines(written.append, clock=lambda: next(times))
    for done in range(1, 6):
        lines("Storing", 1000 * done, 5000)
    lines("Recording", 0, 1)
    assert "".join(written).splitlines() == [
        "Storing 5,000 files",
        "Storing: 3,000 of 5,000",
        "Storing: 5,000 of 5,000",
        "Recording 1 file",
    ]


def test_a_stream_that_is_no_terminal_gets_lines() -> None:
    log = io.StringIO()
    with shown_on(log) as show:
        show("Storing", 1, 3)
    assert log.getvalue() == "Storing 3 files\n"


def test_a_terminal_gets_a_bar() -> None:
    terminal = Terminal()
    with shown_on(terminal) as show:
        show("Storing", 1, 3)
        show("Storing", 3, 3)
    assert "Storing" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
