"""Which tables readers get, as the dbt project says: models whose meta holds `public: true`."""

from __future__ import annotations

from typing import Any

from lifecourse.warehouse.publish import PublicTable


def public_tables(manifest: Any) -> list[PublicTable]:
    """The public models of a parsed project, by name.

    A model that is incremental holds rows by customer and is published by changed customers; one that is built
    anew every time is compared whole.
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
                recomputed_whole=has_customer and node.config.materialized != "incremental",
            )
        )
    return sorted(found, key=lambda table: table.name)
