"""A small `core` to publish, without dbt: tables, builds and changed customers made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from psycopg import sql

from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.publish import PublicTable

BY_CUSTOMER = ("customer_id", "changed_customer")
CUSTOMER = PublicTable("dim_customer", ["customer_id"], "customer_id", [["campus_id"]], BY_CUSTOMER)
LEAD = PublicTable("fct_lead", ["lead_id"], "customer_id", [["lead_on", "campus_id"]], BY_CUSTOMER)
SPAN = PublicTable("fct_lifecycle_span", ["customer_id", "span_no"], "customer_id", changed_by=BY_CUSTOMER)
CAMPUS = PublicTable("dim_campus", ["campus_id"])
VALUE = PublicTable("mart_customer_value", ["customer_id"], "customer_id")
TABLES = (CUSTOMER, LEAD, SPAN, CAMPUS, VALUE)

_CORE = """
create table core.changed_customer (customer_id text primary key);
create table core.dim_customer (
    customer_id text not null, campus_id text not null, balance_amount numeric(12, 2), note jsonb);
comment on table core.dim_customer is 'One row per customer.';
comment on column core.dim_customer.customer_id is 'The customer''s number.';
comment on column core.dim_customer.campus_id is 'The campus.';
create table core.fct_lead (lead_id text not null, customer_id text, campus_id text, lead_on date, step text);
create table core.fct_lifecycle_span (
    customer_id text not null, campus_id text, span_no integer not null, stage_code text, base_stage text,
    valid_from date not null, valid_to date);
create table core.dim_campus (campus_id text not null, name text);
create table core.mart_customer_value (customer_id text not null, score double precision);

insert into core.dim_customer
select 'C' || n, 'K' || n % 3, n * 1.5, jsonb_build_object('n', n) from generate_series(1, 200) as n;
insert into core.fct_lead
select 'L' || n, case when n % 4 > 0 then 'C' || n end, 'K' || n % 3, date '2026-01-01' + n, 'new'
from generate_series(1, 200) as n;
insert into core.fct_lifecycle_span
select 'C' || n, 'K' || n % 3, 1, 'P', 'P', date '2026-01-01', null from generate_series(1, 200) as n;
insert into core.dim_campus select 'K' || n, 'Campus ' || n from generate_series(0, 2) as n;
insert into core.mart_customer_value select 'C' || n, n from generate_series(1, 200) as n;
"""


def make_core(warehouse: Warehouse) -> None:
    """200 customers with a lead and an open span each (a lead in four has no customer), three campuses."""
    run(warehouse, Role.TRANSFORMER, _CORE)


def run(warehouse: Warehouse, role: Role, *statements: str) -> None:
    """Run the statements in one transaction."""
    with warehouse.connect(role) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement))


def rows(warehouse: Warehouse, query: str, role: Role = Role.ADMIN) -> list[tuple[Any, ...]]:
    with warehouse.connect(role) as connection:
        return connection.execute(sql.SQL(query)).fetchall()


def audited(
    warehouse: Warehouse,
    build_id: str,
    kind: str = "incremental",
    as_of: date = date(2026, 3, 1),
    changed: Sequence[str] = (),
    last_load_id: int = 10,
    since_load_id: int = 0,
    status: str = "audited",
    schema_name: str = "core",
) -> str:
    """Note a build in meta, and who changed in it; return its id."""
    with warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(
            "insert into meta.build (build_id, as_of, kind, last_load_id, since_load_id, code_hash, rules_hash, status,"
            " schema_name) values (%s, %s, %s, %s, %s, 'c', 'r', %s, %s)",
            (build_id, as_of, kind, last_load_id, since_load_id, status, schema_name),
        )
        connection.execute("delete from core.changed_customer")
        for customer in changed:
            connection.execute("insert into core.changed_customer values (%s)", (customer,))
    return build_id


def contents(warehouse: Warehouse, schema: str = "marts") -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every published table, sorted."""
    return {
        table.name: rows(warehouse, f"select t::text from {schema}.{table.name} as t order by 1")
        for table in TABLES
    }
