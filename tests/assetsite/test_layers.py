"""What a module says of itself is what import-linter holds it to."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAYS_PURE = re.compile(r"\bpure\b|\bno Django\b", re.IGNORECASE)


def test_each_module_that_calls_itself_pure_is_kept_from_django() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (kept,) = [each["source_modules"] for each in contracts if each["name"] == "Pure modules know no Django"]
    saying = {
        module_name(file)
        for file in (ROOT / "apps").rglob("*.py")
        if SAYS_PURE.search(ast.get_docstring(ast.parse(file.read_text())) or "")
    }
    assert "apps.caching.rules" in saying
    assert [name for name in sorted(saying) if not any(f"{name}.".startswith(f"{k}.") for k in kept)] == []


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
