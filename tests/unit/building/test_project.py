"""Promises of the dbt project that can be read off its files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifecourse import contract
from lifecourse.building import staging
from lifecourse.building.dbt import RULES_FILE, code_hash, risk_signal_codes, rules_hash, without_values
from lifecourse.settings import PROJECT

DBT = PROJECT / "dbt_project"
MODELS = sorted((DBT / "models").rglob("*.sql"))
CORE = [path for path in MODELS if "staging" not in path.parts]
YAML = sorted((DBT / "models").rglob("*.yml"))


def _documented() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in YAML:
        for model in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("models", []):
            assert model["name"] not in found, f"{model['name']} is described twice"
            found[model["name"]] = model
    return found


DOCUMENTED = _documented()
PUBLIC = {
    name: model for name, model in DOCUMENTED.items() if model.get("config", {}).get("meta", {}).get("public")
}


def test_staging_is_what_the_contract_says() -> None:
    folder = DBT / "models" / "staging"
    written = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert written == staging.generate(), "run scripts/generate_staging"
    assert len([name for name in written if name.endswith(".sql")]) == len(contract.tables()) == 49


CLOCKS = re.compile(
    r"\bnow\s*\(|\bcurrent_(date|time|timestamp)\b|\blocaltime(stamp)?\b|\b(clock|statement|transaction)_timestamp\b"
    r"|\btimeofday\b|\bgetdate\b|\bsysdate\b|run_started_at|modules\.datetime|'(today|yesterday|tomorrow)'",
    re.IGNORECASE,
)


@pytest.mark.parametrize("folder", ["models", "macros", "tests", "seeds"])
def test_nothing_in_the_project_reads_the_clock(folder: str) -> None:
    for path in (DBT / folder).rglob("*.sql"):
        found = CLOCKS.search(
            re.sub(r"--.*|\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        )
        assert found is None, f"{path.relative_to(DBT)} reads the clock: {found and found[0]}"


def test_the_search_for_clocks_finds_them() -> None:
    assert all(CLOCKS.search(text) for text in ("now()", "where a < CURRENT_DATE", "clock_timestamp()"))
    assert not CLOCKS.search("known_at, is_current, current_stage")


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_a_model_says_its_grain_first(path: Path) -> None:
    text = re.sub(
        r"\{#.*?#\}|\{% set .*?%\}|\{\{ config\(.*?\) \}\}", "", path.read_text(), flags=re.DOTALL
    ).strip()
    assert text.startswith("-- One row per"), path.name


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_and_its_columns_are_described(path: Path) -> None:
    model = DOCUMENTED.get(path.stem)
    assert model is not None, "no description"
    assert len(model["description"]) > 20
    for column in model["columns"]:
        assert column.get("description"), column["name"]
        assert column.get("data_type"), column["name"]


def test_contracts_are_enforced_and_comments_kept_everywhere() -> None:
    project = yaml.safe_load((DBT / "dbt_project.yml").read_text(encoding="utf-8"))["models"]["lifecourse"]
    assert project["+contract"] == {"enforced": True}
    assert project["+persist_docs"] == {"relation": True, "columns": True}
    for path in YAML:
        assert "enforced: false" not in path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_table_has_a_key_and_a_campus_for_its_customers(name: str) -> None:
    model = PUBLIC[name]
    columns = {column["name"]: column for column in model["columns"]}
    meta = model["config"]["meta"]
    for group in [meta["primary_key"], *meta.get("indexes", [])]:
        assert set(group) <= set(columns)
    for column in meta["primary_key"]:
        assert {"type": "not_null"} in columns[column].get("constraints", []), f"{column} may be null"
    if "customer_id" in columns:
        assert "campus_id" in columns, "row-level security goes by campus"
    tests = [next(iter(test)) for test in model.get("data_tests", [])]
    assert "grain" in tests or (len(meta["primary_key"]) == 1 and "unique" in str(model)), (
        "its grain is not tested"
    )
    assert "Example:" in model["description"], "no example question"


def test_figures_that_branches_read_whole_have_no_small_cells() -> None:
    for name, model in PUBLIC.items():
        if not model["config"]["meta"].get("open_to_branches") or name.startswith("dim_"):
            continue
        counted = {
            c["name"] for c in model["columns"] if c["name"].endswith(("customers", "_count", "learners"))
        }
        tested = {
            test["no_small_cell"]["arguments"]["column"]
            for test in model.get("data_tests", [])
            if "no_small_cell" in test
        }
        assert counted <= tested, f"{name}: cells below five would tell of single people"


def test_no_personal_column_leaves_staging() -> None:
    for name, model in DOCUMENTED.items():
        if not name.startswith("stg_"):
            tokens = [column["name"] for column in model["columns"] if column["data_type"] == "uuid"]
            assert tokens == [], f"{name} carries tokens: {tokens}"
    personal = {
        (table.name, name)
        for table in contract.tables().values()
        for name, column in table.columns.items()
        if column.personal
    }
    for path in CORE:
        text = path.read_text(encoding="utf-8")
        for table, column in personal:
            if f"ref('stg_{table}')" in text:
                assert not re.search(rf"\b{table}\.{column}\b", text), f"{path.stem}: {table}.{column}"


def test_every_public_table_has_a_consumer() -> None:
    exposures = {
        each["name"]: each
        for each in yaml.safe_load((DBT / "models" / "exposures.yml").read_text())["exposures"]
    }
    assert sorted(exposures["marts"]["depends_on"]) == sorted(f"ref('{name}')" for name in PUBLIC)
    for each in exposures.values():
        assert each["owner"]["name"]
        assert each["label"]
        assert each["maturity"] in ("low", "medium", "high")


def test_every_source_says_when_it_is_late() -> None:
    sources = {
        each["name"]: each
        for each in yaml.safe_load((DBT / "models" / "staging" / "_sources.yml").read_text())["sources"]
    }
    assert sources["canonical"]["config"]["freshness"]["error_after"]
    assert "meta.delivery" in sources["canonical"]["config"]["loaded_at_query"]
    assert {table["name"] for table in sources["canonical"]["tables"]} == set(contract.tables())


@pytest.mark.parametrize("path", sorted((DBT / "tests").rglob("*.sql")), ids=lambda path: path.stem)
def test_a_data_test_is_a_runbook(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for heading in ("What: ", "Why it matters: ", "What to do: "):
        assert f"-- {heading}" in text, heading


def test_a_change_of_models_or_rules_is_noticed(tmp_path: Path) -> None:
    for folder in ("models", "seeds"):
        (tmp_path / folder).mkdir()
    (tmp_path / "dbt_project.yml").write_text("name: x")
    (tmp_path / "models" / "a.sql").write_text("select 1")
    (tmp_path / "seeds" / RULES_FILE).write_text("rule,value\n")
    before = code_hash(tmp_path), rules_hash(tmp_path)
    (tmp_path / "seeds" / RULES_FILE).write_text("rule,value\ngrace_days,20\n")
    rules_changed = code_hash(tmp_path), rules_hash(tmp_path)
    assert rules_changed[0] == before[0]
    assert rules_changed[1] != before[1]
    (tmp_path / "models" / "a.sql").write_text("select 2")
    assert code_hash(tmp_path) != before[0]


def test_the_graph_is_drawn_from_the_signals_in_the_seed() -> None:
    drawn = {
        path.stem.removeprefix("risk_signal_") for path in MODELS if path.stem.startswith("risk_signal_")
    }
    assert set(risk_signal_codes()) == drawn


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('invalid input syntax for type date: "2011-02-30"', "invalid input syntax for type date: ..."),
        (
            'duplicate key value violates unique constraint "a"\n  DETAIL:  Key (phone)=(13800000000) already exists.',
            'duplicate key value violates unique constraint "a"',
        ),
        (
            "relation x does not exist\nLINE 3: from x where name = '张三'\n        ^",
            "relation x does not exist",
        ),
    ],
)
def test_messages_come_without_values(said: str, kept: str) -> None:
    assert without_values(said) == kept
