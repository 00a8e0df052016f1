"""A test that prints a secret fails, whatever it tested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

from tests.output import secrets_in, withhold_secrets

SECRET = "a-password-of-nobody-5a1c"


def report(
    sections: list[tuple[str, str]],
    longrepr: str | None = None,
    outcome: Literal["passed", "failed"] = "passed",
) -> pytest.TestReport:
    return pytest.TestReport("test_it", ("test_it.py", 1, "test_it"), {}, outcome, longrepr, "call", sections)


@pytest.mark.parametrize("heading", ["Captured stdout call", "Captured stderr setup", "Captured log call"])
def test_a_secret_in_the_output_fails_the_test_and_is_withheld(heading: str) -> None:
    told = report([(heading, f"postgresql://loader:{SECRET}@127.0.0.1/lifecourse")])
    withhold_secrets(told, {"warehouse_loader": SECRET})
    assert told.failed
    assert told.longrepr == "test_it printed the secret warehouse_loader; its output is withheld"
    assert SECRET not in str(vars(told))


def test_a_secret_in_a_traceback_is_withheld() -> None:
    told = report([], f"assert '{SECRET}' == ''", "failed")
    withhold_secrets(told, {"warehouse_loader": SECRET})
    assert SECRET not in str(vars(told))


def test_other_output_stays(tmp_path: Path) -> None:
    told = report([("Captured stdout call", "3 rows")])
    withhold_secrets(told, {"warehouse_loader": SECRET})
    assert told.passed
    assert told.sections == [("Captured stdout call", "3 rows")]
    assert secrets_in(tmp_path) == {}
    (tmp_path / "secrets.json").write_text(json.dumps({"warehouse_loader": SECRET}), encoding="utf-8")
    assert secrets_in(tmp_path) == {"warehouse_loader": SECRET}
