"""Which personal columns a model reads, and what may not reach marts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import yaml

from lifecourse import contract
from lifecourse.quality.personal import Model, PersonalColumnLeaks, leaks, verify
from lifecourse.settings import PROJECT

STAGED = Model(
    "stg_people", "", {"id": "text", "phone": "uuid", "name": "uuid"}, {"phone": "phone", "name": "name"}
)
PLAIN = Model("stg_places", "", {"id": "text", "name": "text"})

READS = {
    "behind its own name": "select stg_people.phone from x join {{ ref('stg_people') }} on true",
    "behind an alias": "select p.phone from a inner join {{ ref('stg_people') }} as p on p.id = a.id",
    "behind an import": "with people as (\n    select * from {{ ref('stg_people') }}\n)\nselect people.phone from people",
    "behind an import's alias": "with people as (select * from {{ ref('stg_people') }}) select q.phone from people as q",
    "bare": "with people as (select * from {{ ref('stg_people') }}) select phone from people where true",
    "bare, from the table itself": "select id, phone from {{ ref('stg_people') }}",
    "inside a function": "with p as (select * from {{ ref('stg_people') }}) select max(p.phone) from p",
}  # fmt: skip
READS_NOT = {
    "in a comment": "-- p.phone\nselect p.id from {{ ref('stg_people') }} as p",
    "another table's column of that name": "select s.name, p.id from {{ ref('stg_places') }} as s"
    " join {{ ref('stg_people') }} as p on true",
    "a column that begins like it": "select p.phone_is_valid from {{ ref('stg_people') }} as p",
}


@pytest.mark.parametrize("case", READS, ids=list(READS))
def test_a_read_column_is_seen(case: str) -> None:
    model = Model("fct_calls", READS[case], {"id": "text"})
    assert list(leaks([STAGED, PLAIN, model])) == ["fct_calls reads the personal column stg_people.phone"]


@pytest.mark.parametrize("case", READS_NOT, ids=list(READS_NOT))
def test_nothing_is_seen_where_nothing_is_read(case: str) -> None:
    assert list(leaks([STAGED, PLAIN, Model("fct_calls", READS_NOT[case], {"id": "text"})])) == []


def test_a_reason_lets_it_pass_and_has_to_be_true() -> None:
    why = {"stg_people.phone": "compared only"}
    sql = READS["bare"]
    assert list(leaks([STAGED, Model("int_same", sql, {"id": "text"}, reads_personal=why)])) == []
    assert list(leaks([STAGED, Model("int_same", "select 1", {"id": "text"}, reads_personal=why)])) == [
        "int_same says that it reads stg_people.phone and does not"
    ]


def test_no_token_in_a_table_of_marts() -> None:
    model = Model("fct_calls", "select 1", {"caller": "uuid"}, is_public=True)
    assert list(leaks([model])) == ["fct_calls.caller is a token in a table of marts"]


def _manifest(**public_sql: str) -> SimpleNamespace:
    def node(
        name: str, sql: str, columns: dict[str, dict[str, str]], meta: dict[str, object]
    ) -> SimpleNamespace:
        return SimpleNamespace(
            resource_type="model", name=name, raw_code=sql, config=SimpleNamespace(meta=meta),
            columns={key: SimpleNamespace(data_type="text", meta=tags) for key, tags in columns.items()},
        )  # fmt: skip

    nodes = {"s": node("stg_people", "", {"phone": {"personal": "phone"}}, {})}
    nodes |= {name: node(name, sql, {"id": {}}, {"public": True}) for name, sql in public_sql.items()}
    return SimpleNamespace(nodes=nodes)


def test_a_build_of_a_project_that_leaks_is_refused() -> None:
    verify(_manifest(fct_calls="select 1"))
    with pytest.raises(PersonalColumnLeaks, match="fct_calls reads the personal column stg_people.phone"):
        verify(_manifest(fct_calls=READS["bare"]))


def test_staging_carries_the_tags_of_the_contract() -> None:
    tagged = {
        (model["name"], column["name"]): column["config"]["meta"]["personal"]
        for path in (PROJECT / "dbt_project" / "models" / "staging").rglob("*.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", [])
        for column in model["columns"]
        if "config" in column
    }
    assert tagged == {
        (f"stg_{table.name}", name): column.personal
        for table in contract.tables().values()
        for name, column in table.columns.items()
        if column.personal
    }
