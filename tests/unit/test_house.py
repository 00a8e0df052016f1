"""The checks that pre-commit runs, and promises about the files themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lifecourse.settings import PROJECT

BIN = Path(sys.executable).parent


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=2400)


def _tracked() -> list[Path]:
    listed = _run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [PROJECT / name for name in listed.stdout.split("\0") if name and (PROJECT / name).is_file()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "."], id="ruff check"),
        pytest.param(["ruff", "format", "--check", "."], id="ruff format"),
        pytest.param(["mypy"], id="mypy", marks=pytest.mark.slow),
        pytest.param(
            ["sqlfluff", "lint", "--disable-progress-bar", "dbt_project/models", "dbt_project/tests"],
            id="sqlfluff",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_hook_of_pre_commit_passes(command: list[str]) -> None:
    done = _run(str(BIN / command[0]), *command[1:])
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_the_hooks_are_the_ones_tested_here() -> None:
    hooks = (PROJECT / ".pre-commit-config.yaml").read_text()
    assert set(re.findall(r"entry: \.venv/bin/(\w+)", hooks)) == {"ruff", "mypy", "sqlfluff"}
    assert "repo: local" in hooks
    assert "http" not in hooks


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_hashes_and_no_addresses(lock: str) -> None:
    text = (PROJECT / lock).read_text()
    pins = re.findall(r"^[a-z0-9._-]+(?:\[[^\]]*\])?==", text, re.MULTILINE)
    assert len(pins) > 100
    assert "://" not in text
    assert not re.search(r"^--", text, re.MULTILINE), "an option such as an index"
    for block in re.split(r"\n(?=[a-z0-9])", text.split("\n", 2)[2]):
        if "==" in block:
            assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "dbt-core-experimental-parser" not in text


def test_the_development_lock_contains_the_other() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9._\[\]-]+==\S+", (PROJECT / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_no_file_names_a_package_registry_or_a_path_of_some_machine() -> None:
    # Written in two halves, so that this file does not find itself.
    forbidden = re.compile(
        "|".join(
            [
                "py" + r"pi\.org",
                "python" + "hosted",
                "npm" + r"js\.org",
                "deb" + r"ian\.org/debian",
                "/wo" + "rk/",
                "/ro" + "ot/",
            ]
        )
    )
    found = {
        str(path.relative_to(PROJECT)): sorted(set(forbidden.findall(text)))
        for path in _tracked()
        if (text := _text(path)) and forbidden.search(text)
    }
    assert not found


def test_models_never_read_the_clock() -> None:
    clock = re.compile(
        r"\b(now\s*\(|current_date|current_timestamp|clock_timestamp|localtime|getdate|run_started_at)",
        re.IGNORECASE,
    )
    found = [
        str(path.relative_to(PROJECT))
        for folder in ("models", "macros", "tests", "analyses")
        for path in (PROJECT / "dbt_project" / folder).rglob("*.sql")
        if clock.search(re.sub(r"--.*|\{#.*?#\}", "", path.read_text()))
    ]
    assert not found


def test_every_script_says_what_it_does_and_can_be_run() -> None:
    for path in (PROJECT / "scripts").iterdir():
        lines = path.read_text().splitlines()
        assert lines[0].startswith("#!"), path.name
        assert lines[1].startswith(("# ", '"""')), path.name
        assert path.stat().st_mode & 0o111, path.name
