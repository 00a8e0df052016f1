"""The grammar of sources/*.yml: what is wrong is said with file, line and remedy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from lifecourse import contract
from lifecourse.errors import LifecourseError
from lifecourse.settings import PROJECT
from lifecourse.sources.spec import load_system, load_systems, resolve

GOOD = """
system: school
serves: teaching
kind: sql
url: postgresql://somewhere/db
tables:
  - name: campuses
    maps_to: campuses
    lag: 3 hours
    absent: [city]
    columns:
      campus_id: id
      updated_at: {from: changed, cast: local_time}
"""


def _load(folder: Path, text: str):  # type: ignore[no-untyped-def]
    path = folder / "school.yml"
    path.write_text(dedent(text).lstrip())
    return load_system(path)


def test_columns_come_from_the_contract_unless_said_otherwise(tmp_path: Path) -> None:
    table = _load(tmp_path, GOOD).table("campuses")
    assert list(table.columns) == [name for name in contract.table("campuses").columns if name != "city"]
    assert table.columns["campus_id"].source == "id"
    assert table.columns["district"].source == "district"
    assert (table.key, table.change_time, table.lag) == (("campus_id",), "updated_at", timedelta(hours=3))
    assert table.deletes == "compare"


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        pytest.param(
            "maps_to: campuses", "maps_to: campi", 6, "no canonical table 'campi'", id="unknown table"
        ),
        pytest.param("lag: 3 hours", "lag: soon", 8, "a lag reads like", id="no duration"),
        pytest.param(
            "absent: [city]", "absent: [campus_id]", 6, "cannot be absent", id="required column absent"
        ),
        pytest.param("cast: local_time", "cast: clock", 12, "local_time", id="unknown cast"),
        pytest.param("kind: sql", "kind: ftp", 3, "'sql', 'rest' or 'files'", id="unknown kind"),
        pytest.param("url: postgresql", "uri: postgresql", 4, "Extra inputs", id="misspelt setting"),
        pytest.param(
            "campus_id: id",
            "campus_id: {from: id, type: integer}",
            6,
            "the contract says text",
            id="other type",
        ),
        pytest.param("  - name", "  - nam\te", 6, "", id="no yaml"),
    ],
)
def test_an_error_names_file_and_line(tmp_path: Path, before: str, after: str, line: int, says: str) -> None:
    with pytest.raises(LifecourseError) as caught:
        _load(tmp_path, GOOD.replace(before, after))
    assert f"school.yml:{line}:" in str(caught.value)
    assert says in str(caught.value)


def test_a_setting_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHOOL_URL", "postgresql://x")
    assert resolve("${SCHOOL_URL}", "a.yml") == "postgresql://x"
    assert resolve("${SCHOOL_PORT:-5432}", "a.yml") == "5432"
    with pytest.raises(LifecourseError, match="SCHOOL_DOOR is not set"):
        resolve("${SCHOOL_DOOR}", "a.yml")


@pytest.mark.parametrize("folder", ["sources", "sources/oulad"])
def test_the_systems_that_come_with_the_project_are_valid(folder: str) -> None:
    systems = load_systems(PROJECT / folder)
    served = {table.maps_to for system in systems.values() for table in system.tables}
    served |= {name for system in systems.values() for name in system.derived}
    assert served - {None} <= set(contract.tables())


def test_the_simulated_institution_serves_every_canonical_table() -> None:
    systems = load_systems(PROJECT / "sources")
    served = {table.maps_to for system in systems.values() for table in system.tables}
    assert served == set(contract.tables())
