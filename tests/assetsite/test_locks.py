"""Rows are locked so that foreign keys get in (docs/adr/0133): the other way is a deadlock on PostgreSQL."""

import ast
from pathlib import Path

APPS = Path(__file__).parents[2] / "apps"


def test_no_lock_of_a_row_keeps_rows_out_that_only_name_it() -> None:
    locks = [
        (f"{file.relative_to(APPS)}:{call.lineno}", {keyword.arg for keyword in call.keywords})
        for file in APPS.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "select_for_update"
    ]
    assert len(locks) > 10
    assert [place for place, options in locks if "no_key" not in options] == []
