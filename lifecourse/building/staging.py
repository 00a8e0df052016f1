"""The staging models, generated from the canonical contract so that the two cannot disagree.

One view per canonical table: the contract's columns under the contract's names, a day beside every
instant (in the institution's time zone), and the three columns that the loader adds. Columns with
personal data hold vault tokens; they end here and are carried into no other model. Beside free text
stands whether there is any, which other models may say.
"""

from __future__ import annotations

from typing import Any

import yaml

from lifecourse import contract

SYSTEM_TITLES = {"signup": "sign-up", "teaching": "teaching", "payments": "payment"}

#: What the loader adds to every canonical table: type and meaning.
LOADER_COLUMNS = {
    "_system": ("text", "Source system the row came from"),
    "_load_id": ("bigint", "Load that last changed the row"),
    "_is_stale": (
        "boolean",
        "Whether a later version of the row broke a rule, so that this last good one stands",
    ),
}

#: Instants that tell when a row changed in its source, not when something happened.
NO_DAY = {"updated_at"}

#: A canonical table of a connected system is late after this many hours without a delivery.
WARN_HOURS, ERROR_HOURS = 36, 60


def generate() -> dict[str, str]:
    """Every file of models/staging: name below that folder -> its text."""
    files: dict[str, str] = {"_sources.yml": _yaml(_sources())}
    for kind in SYSTEM_TITLES:
        members = [table for table in contract.tables().values() if table.system_kind == kind]
        for table in members:
            files[f"{kind}/stg_{table.name}.sql"] = _sql(table)
        files[f"{kind}/_{kind}__models.yml"] = _yaml(
            {"version": 2, "models": [_model(table) for table in members]}
        )
    return files


def days_of(table: contract.Table) -> dict[str, str]:
    """Day columns that staging adds: name -> the instant it is the day of."""
    found = {}
    for name, column in table.columns.items():
        if column.type == "timestamptz" and name not in NO_DAY:
            day = name.removesuffix("_at") + "_on"
            if day not in table.columns:
                found[day] = name
    return found


def filled_flags(table: contract.Table) -> dict[str, str]:
    """Columns that say whether a free text is there: free text -> name of its flag."""
    return {name: f"has_{name}" for name, column in table.columns.items() if column.personal == "free_text"}


def _sql(table: contract.Table) -> str:
    flags = filled_flags(table)
    days = {instant: day for day, instant in days_of(table).items()}
    lines = []
    for name in table.columns:
        lines.append(f"    {name},")
        if name in days:
            lines.append(f"    {{{{ day_of('{name}') }}}} as {days[name]},")
        if name in flags:
            lines.append(f"    {name} is not null as {flags[name]},")
    lines += [f"    {name}," for name in LOADER_COLUMNS]
    lines[-1] = lines[-1].rstrip(",")
    columns = "\n".join(lines)
    grain = table.grain[0].upper() + table.grain[1:]
    # No common table expression: Postgres does not merge a view that has one into the query that reads it, and so
    # would find one customer's rows by reading the whole table instead of an index.
    return (
        f"-- {grain}. Written by scripts/generate_staging.\n"
        f"select\n{columns}\nfrom {{{{ source('canonical', '{table.name}') }}}}\n"
    )


def _model(table: contract.Table) -> dict[str, Any]:
    flags = filled_flags(table)
    days = {instant: day for day, instant in days_of(table).items()}
    columns: list[dict[str, Any]] = []
    for name, column in table.columns.items():
        text = column.description
        if column.personal:
            text += ". Personal: a vault token, carried into no other model"
        tag = {"config": {"meta": {"personal": column.personal}}} if column.personal else {}
        columns.append({"name": name, "data_type": column.postgres_type, "description": text, **tag})
        if name in days:
            columns.append(
                {
                    "name": days[name],
                    "data_type": "date",
                    "description": f"Day of {name} in the institution's time zone",
                }
            )
        if name in flags:
            columns.append(
                {
                    "name": flags[name],
                    "data_type": "boolean",
                    "description": f"Whether there is a text in {name}",
                }
            )
    columns += [
        {"name": name, "data_type": data_type, "description": text}
        for name, (data_type, text) in LOADER_COLUMNS.items()
    ]
    description = (
        f"{table.grain[0].upper()}{table.grain[1:]}, from the {SYSTEM_TITLES[table.system_kind]} system: "
        "live rows only, under the names of the contract. Empty where no system is mapped to it."
    )
    return {
        "name": f"stg_{table.name}",
        "description": description,
        "config": {"meta": {"primary_key": list(table.key)}},
        "data_tests": [{"grain": {"arguments": {"columns": list(table.key)}}}],
        "columns": columns,
    }


def _sources() -> dict[str, Any]:
    canonical: dict[str, Any] = {
        "name": "canonical",
        "schema": "{{ var('canonical_schema', 'canonical') }}",
        "description": (
            "The tables of the contract (lifecourse/contract), as views that the loader makes over raw: live "
            "rows, typed, empty where no system is connected. All that the transformation reads of the sources."
        ),
        "config": {
            # A table is as fresh as the last delivery of the system its rows come from: a delivery says that
            # every table was read up to its cut-off, changed or not. No rows, no system: nothing is late.
            "loaded_at_query": (
                "select coalesce((select max(cutoff_at) from meta.delivery where system = "
                "(select _system from {{ this }} limit 1)), current_timestamp)"
            ),
            "freshness": {
                "warn_after": {"count": WARN_HOURS, "period": "hour"},
                "error_after": {"count": ERROR_HOURS, "period": "hour"},
            },
        },
        "tables": [
            {"name": table.name, "description": table.grain[0].upper() + table.grain[1:]}
            for table in contract.tables().values()
        ],
    }
    meta: dict[str, Any] = {
        "name": "meta",
        "schema": "{{ var('meta_schema', 'meta') }}",
        "description": "The warehouse's own memory of loads and builds.",
        "tables": [
            {
                "name": "touched",
                "description": "One row per load and key that a changed row touched; the key * stands for all",
            },
            {"name": "batch", "description": "One row per batch: one table of one system over one window"},
            {
                "name": "delivery",
                "description": "One row per system and business day that is merged to the end",
                "config": {
                    # The system that is furthest behind decides.
                    "loaded_at_query": (
                        "select coalesce(min(last_at), current_timestamp) from (select max(cutoff_at) as last_at "
                        "from {{ this }} group by system) as systems"
                    ),
                    "freshness": {
                        "warn_after": {"count": WARN_HOURS, "period": "hour"},
                        "error_after": {"count": ERROR_HOURS, "period": "hour"},
                    },
                },
            },
            {"name": "build", "description": "One row per build begun"},
            {"name": "publication", "description": "One row per build published"},
            {
                "name": "model_parameter",
                "description": "One row per fitted model, day as of which it was fitted, and parameter",
            },
            {
                "name": "risk_model",
                "description": "One row per target of risk and day as of which its model was fitted",
            },
            {
                "name": "risk_model_band",
                "description": "One row per fitted model of risk, purpose, feature and stretch of its values",
            },
        ],
    }
    return {"version": 2, "sources": [canonical, meta]}


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key, as the hand-written files do."""
        super().increase_indent(flow, False)


def _yaml(body: dict[str, Any]) -> str:
    text = yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return "# Written by scripts/generate_staging from lifecourse/contract. Change that, not this.\n" + text
