"""`scripts/setup` with Pythons and a uv that are made up, so that nothing is fetched from anywhere."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

TOOLS = ("bash", "cat", "cmp", "cp", "dirname", "flock", "grep", "mkdir", "rm", "sh", "touch")

# A Python that will do: it knows its version, and makes an environment with a uv in it.
GOOD_PYTHON = """#!/bin/sh
case "$*" in
  *"-m venv .uv"*) mkdir -p .uv/bin; cp "$FAKES/python-with-pip" .uv/bin/python ;;
  *-c*sys.version_info*) echo 3.13.1 ;;
  *) exit 0 ;;
esac
"""
OLD_PYTHON = """#!/bin/sh
case "$*" in
  *-c*sys.version_info*) echo "3.9.2, older than 3.12"; exit 1 ;;
esac
exit 1
"""
REFUSING_SHIM = "#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n"
PYTHON_WITH_PIP = '#!/bin/sh\nmkdir -p .uv/bin\ncp "$FAKES/uv" .uv/bin/uv\n'
UV = """#!/bin/sh
echo "uv $*" >> "$FAKES/calls"
case "$1" in
  venv) mkdir -p .venv/bin; cp "$FAKES/good-python" .venv/bin/python ;;
  pip) [ ! -e "$FAKES/no-network" ] || { echo "error: no route to host" >&2; exit 2; } ;;
  python) exit 1 ;;
esac
"""


class Checkout:
    """The scripts in a folder of their own, and a PATH on which only what is made up is a Python."""

    def __init__(self, folder: Path) -> None:
        self.root, self.fakes, self.bin = folder / "my checkout", folder / "fakes", folder / "bin"
        (self.root / "scripts").mkdir(parents=True)
        shutil.copy(settings.BASE_DIR / "scripts" / "setup", self.root / "scripts" / "setup")
        for lock in ("requirements.lock", "requirements-dev.lock"):
            (self.root / lock).write_text("django==6.1\nasgiref==3.13\n")
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        self.fakes.mkdir()
        for name, text in (("good-python", GOOD_PYTHON), ("python-with-pip", PYTHON_WITH_PIP), ("uv", UV)):
            self._write(self.fakes / name, text)

    def add(self, name: str, program: str) -> None:
        self._write(self.bin / name, program)

    def setup(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "scripts" / "setup", *arguments],
            cwd="/",
            env={"PATH": str(self.bin), "HOME": str(self.fakes), "FAKES": str(self.fakes)},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        file = self.fakes / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def _write(self, file: Path, text: str) -> None:
        file.write_text(text)
        file.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_run_installs_and_says_what_it_does(checkout: Checkout) -> None:
    checkout.add("python3", GOOD_PYTHON)
    done = checkout.setup()
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == ["Installing uv …", "Installing 2 packages …"]
    assert [call.split()[1] for call in checkout.calls] == ["venv", "pip"]
    assert "--require-hashes" in checkout.calls[-1]
    assert checkout.calls[-1].endswith("requirements.lock")


def test_the_second_run_says_and_does_nothing(checkout: Checkout) -> None:
    checkout.add("python3", GOOD_PYTHON)
    checkout.setup()
    calls = checkout.calls
    done = checkout.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert checkout.calls == calls


def test_for_the_tests_more_is_installed_and_then_kept(checkout: Checkout) -> None:
    checkout.add("python3", GOOD_PYTHON)
    checkout.setup()
    checkout.setup("--dev")
    assert checkout.calls[-1].endswith("requirements-dev.lock")
    calls = checkout.calls
    checkout.setup()
    assert checkout.calls == calls


def test_a_changed_lock_is_installed(checkout: Checkout) -> None:
    checkout.add("python3", GOOD_PYTHON)
    checkout.setup()
    (checkout.root / "requirements.lock").write_text("django==6.2\n")
    assert checkout.setup().stderr == "Installing 1 packages …\n"
    assert checkout.setup().stderr == ""


def test_an_installation_that_was_interrupted_is_finished_by_the_next_run(checkout: Checkout) -> None:
    checkout.add("python3", GOOD_PYTHON)
    (checkout.fakes / "no-network").touch()
    failed = checkout.setup()
    assert failed.returncode == 1
    assert "no route to host" in failed.stderr
    assert "→ Start again when it is gone" in failed.stderr
    (checkout.fakes / "no-network").unlink()
    assert checkout.setup().stderr == "Installing 2 packages …\n"
    assert checkout.setup().stderr == ""


@pytest.mark.parametrize("broken", [".venv/bin/python", ".uv/bin/uv"])
def test_what_is_left_of_a_killed_run_is_made_anew(checkout: Checkout, broken: str) -> None:
    checkout.add("python3", GOOD_PYTHON)
    checkout.setup()
    (checkout.root / broken).write_text("#!/bin/sh\nexit 1\n")
    (checkout.root / ".venv" / "requirements.lock").unlink()
    assert checkout.setup().returncode == 0
    assert checkout.setup().stderr == ""


def test_candidates_are_run_and_one_that_only_lies_on_the_path_is_passed_over(checkout: Checkout) -> None:
    checkout.add("python3.13", REFUSING_SHIM)
    checkout.add("python3.12", GOOD_PYTHON)
    assert checkout.setup().returncode == 0
    assert "--python python3.12" in checkout.calls[0]


def test_a_python_of_pyenv_is_found_where_it_lies(checkout: Checkout) -> None:
    python = checkout.fakes / ".pyenv/versions/3.13.0/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(GOOD_PYTHON)
    python.chmod(0o755)
    checkout.add("python3", OLD_PYTHON)
    assert checkout.setup().returncode == 0
    assert f"--python {python}" in checkout.calls[0]


def test_pythons_that_are_too_old_are_listed_with_what_to_do(checkout: Checkout) -> None:
    checkout.add("python3.13", REFUSING_SHIM)
    checkout.add("python3", OLD_PYTHON)
    done = checkout.setup()
    assert done.returncode == 1
    assert "Assetsite needs Python 3.12 or newer" in done.stderr
    assert "  python3.13: it does not run\n" in done.stderr
    assert "  python3: 3.9.2, older than 3.12\n" in done.stderr
    assert "→ Install one and start again." in done.stderr


def test_without_any_python_it_says_so(checkout: Checkout) -> None:
    done = checkout.setup()
    assert done.returncode == 1
    assert "no Python at all" in done.stderr


def test_with_a_uv_but_no_python_uv_is_asked_for_one(checkout: Checkout) -> None:
    checkout.add("uv", UV)
    done = checkout.setup()
    assert done.returncode == 1
    assert "asking uv for 3.13" in done.stderr
    assert checkout.calls[-1] == "uv python install 3.13"


def test_where_uv_is_can_be_asked(checkout: Checkout) -> None:
    assert checkout.setup("--uv").returncode == 1
    checkout.add("python3", GOOD_PYTHON)
    assert checkout.setup("--uv").stdout == ".uv/bin/uv\n"
    assert not (checkout.root / ".venv").exists()


def test_the_real_scripts_name_no_registry() -> None:
    locks = [settings.BASE_DIR / name for name in ("requirements.lock", "requirements-dev.lock")]
    for file in [*sorted((settings.BASE_DIR / "scripts").iterdir()), *locks]:
        text = file.read_text()
        assert "index-url" not in text.replace("--no-emit-index-url", "")
        assert "https://" not in text
        assert os.access(file, os.X_OK) == (file.parent.name == "scripts")
