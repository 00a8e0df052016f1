"""Which tables readers get, as the dbt project says: models whose meta holds `public: true`; and what stands in a schema."""

from __future__ import annotations

from typing import Any

import psycopg

from lifecourse.warehouse.publish import PublicTable


def relations(connection: psycopg.Connection[tuple[Any, ...]], schema: str) -> set[str]:
    """Tables and views that stand in a schema."""
    rows = connection.execute(
        "select relname from pg_class where relnamespace = to_regnamespace(%s) and relkind in ('r', 'v')",
        (schema,),
    ).fetchall()
    return {name for (name,) in rows}


def public_tables(manifest: Any) -> list[PublicTable]:
    """The public models of a parsed project, by name.

    A model that is incremental is published by changed customers, or by what else its meta names first in `changed_by`;
    one that is built anew every time is compared whole.
    """
    found = []
    for node in manifest.nodes.values():
        if node.resource_type != "model" or not node.config.meta.get("public"):
            continue
        has_customer = "customer_id" in node.columns
        found.append(
            PublicTable(
                name=node.alias,
                primary_key=tuple(node.config.meta["primary_key"]),
                customer_column="customer_id" if has_customer else None,
                indexes=tuple(tuple(columns) for columns in node.config.meta.get("indexes", [])),
                changed_by=_changed_by(node),
                open_to_branches=bool(node.config.meta.get("open_to_branches")),
            )
        )
    return sorted(found, key=lambda table: table.name)


def _changed_by(node: Any) -> tuple[str, str] | None:
    """Key and table that lists the changed ones, of a model that a build changes by them."""
    if node.config.materialized != "incremental":
        return None
    listed = node.config.meta.get("changed_by") or {"customer_id": "changed_customer"}
    # Where a customer decides and something else as well, rows without a customer are looked at whatever they are.
    ordered = sorted(listed.items(), key=lambda each: each[0] != "customer_id")
    return next(((column, listing) for column, listing in ordered if column in node.columns), None)
