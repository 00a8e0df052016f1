"""Retention: whom nobody needs any more is asked to be erased, and old versions go (PIPL, articles 19 and 47).

The periods are the seed ``retention_rules``. They count to the day of what is published, never to the clock.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from lifecourse.errors import LifecourseError
from lifecourse.privacy import ledger
from lifecourse.privacy.marks import PSEUDONYM_PREFIX
from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.locks import LOCK_BUILD

Connection = psycopg.Connection[Any]

#: Customers past a rule: never bought and silent since, or gone since. Reads the candidate, as it was published last.
_PAST = {
    "never_bought_days": """
        select customers.customer_id from core.dim_customer as customers
        where customers.first_purchase_on is null and {last_fact} <= %(as_of)s::date - %(days)s::int
    """,
    "gone_days": """
        select customers.customer_id from core.dim_customer as customers
        inner join core.fct_lifecycle_span as spans
            on spans.customer_id = customers.customer_id and spans.is_current
        where spans.base_stage in ('terminated', 'dormant') and spans.valid_from <= %(as_of)s::date - %(days)s::int
            and {last_fact} <= %(as_of)s::date - %(days)s::int
    """,
}
#: The last day on which a customer was heard of.
_LAST_FACT = """
    greatest(
        customers.first_contact_on,
        (select max(occurred_on) from core.fct_touchpoint as t where t.customer_id = customers.customer_id),
        (select max(created_on) from core.fct_lead as l where l.customer_id = customers.customer_id)
    )
"""


def apply(of: Warehouse | None = None, dry_run: bool = False) -> dict[str, int]:
    """Applies every rule of the seed; rule -> customers asked to be erased, or rows removed.

    Requests go through the ledger like anybody's and are honoured with them. Safe to run again. Raises
    `LifecourseError` where nothing is published.
    """
    target = of or warehouse()
    with target.connect(Role.TRANSFORMER) as connection:
        published = connection.execute(
            "select as_of from meta.publication where rolled_back_at is null order by publication_id desc limit 1"
        ).fetchone()
        if published is None:
            raise LifecourseError("nothing is published yet", None, "build and publish first")
        as_of = published[0]
        rules = dict(connection.execute("select rule, days from core.retention_rules").fetchall())
        past = {
            rule: [
                row[0]
                for row in connection.execute(
                    query.format(last_fact=_LAST_FACT)
                    + " and not exists (select from core.identity_registry as r where r.customer_id ="
                    " customers.customer_id and starts_with(r.learner_id, %(erased)s))",
                    {"as_of": as_of, "days": rules[rule], "erased": PSEUDONYM_PREFIX},
                )
            ]
            for rule, query in _PAST.items()
            if rules.get(rule)
        }
    counts = {rule: len(customers) for rule, customers in past.items()}
    if not dry_run:
        for rule, customers in past.items():
            for customer in customers:
                ledger.ask(customer_id=customer, reason=f"retention: {rule}", came_by="retention", of=target)
    for rule, remove in (
        ("superseded_version_days", _old_versions),
        ("closed_quarantine_days", _closed_rows),
        ("look_up_log_days", _old_look_ups),
    ):
        if rules.get(rule):
            with target.connect(Role.LOADER) as connection:
                connection.execute("select pg_advisory_xact_lock(%s)", (LOCK_BUILD,))
                counts[rule] = remove(connection, as_of, rules[rule])
                connection.rollback() if dry_run else connection.commit()
    return counts


def _old_versions(connection: Connection, as_of: Any, days: int) -> int:
    """Versions superseded that long ago: a day is then no longer told as it was known before."""
    total = 0
    for system, table, relation in _relations(connection, "raw_history"):
        gone = connection.execute(
            sql.SQL(
                "delete from raw_history.{} as held using meta.batch where batch.load_id = held._superseded_by_load"
                " and batch.window_to < %s::date - %s::int"
            ).format(sql.Identifier(relation)),
            (as_of, days),
        ).rowcount
        if gone:
            connection.execute(
                "insert into meta.removed_version (system, source_table, versions, reason)"
                " values (%s, %s, %s, 'retention')",
                (system, table, gone),
            )
        total += gone
    return total


def _closed_rows(connection: Connection, as_of: Any, days: int) -> int:
    return sum(
        connection.execute(
            sql.SQL(
                "delete from quarantine.{} where _status <> 'open' and _closed_at < %s::date - %s::int"
            ).format(sql.Identifier(relation)),
            (as_of, days),
        ).rowcount
        for _, _, relation in _relations(connection, "quarantine")
    )


def _old_look_ups(connection: Connection, as_of: Any, days: int) -> int:
    return connection.execute(
        "delete from vault.look_up where asked_at < %s::date - %s::int", (as_of, days)
    ).rowcount


def _relations(connection: Connection, schema: str) -> list[tuple[str, str, str]]:
    there = {
        name
        for (name,) in connection.execute(
            "select tablename::text from pg_tables where schemaname = %s", (schema,)
        )
    }
    return [
        (system.system, table.name, f"{system.system}__{table.name}")
        for system in load_systems().values()
        for table in system.tables
        if f"{system.system}__{table.name}" in there
    ]
