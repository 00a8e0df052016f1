"""Delivery: a system's day is delivered when each of its tables is merged up to the cut-off."""

from __future__ import annotations

from datetime import date

from lifecourse.errors import LifecourseError
from lifecourse.loading.pull import find_system
from lifecourse.sources.spec import SystemSpec
from lifecourse.warehouse.connection import Role, Warehouse, warehouse


def deliver(system: str | SystemSpec, business_day: date, into: Warehouse | None = None) -> int:
    """Records in ``meta.delivery`` that the system has delivered the day; the last load id of it.

    Raises `LifecourseError` naming every table that is not there yet and why.
    """
    spec = system if isinstance(system, SystemSpec) else find_system(system)
    with (into or warehouse()).connect(Role.LOADER) as connection:
        # A table or file that was merged once for the day is there, whatever a later attempt is doing.
        rows = connection.execute(
            """
            select distinct on (source_table, unit) source_table, status, window_to, load_id, error
            from meta.batch
            where system = %s and business_day = %s and status <> 'abandoned'
            order by source_table, unit, (status = 'merged') desc, batch_id desc
            """,
            (spec.system, business_day),
        ).fetchall()
        missing = dict.fromkeys(spec.table_names, "nothing has been pulled")
        loads, cutoffs = [0], []
        for name, status, window_to, load_id, _ in rows:
            if status == "merged":
                missing.pop(name, None)
                loads.append(load_id)
                cutoffs.append(window_to)
        for name, status, _, _, error in rows:
            if status != "merged" and name in spec.table_names:
                missing[name] = error or f"its batch is still {status}"
        if missing:
            raise LifecourseError(
                f"{business_day} is not delivered: "
                + "; ".join(f"{name}: {reason}" for name, reason in sorted(missing.items())),
                f"system {spec.system}",
                "mend the cause and run the pull of that day again",
            )
        connection.execute(
            """
            insert into meta.delivery (system, business_day, cutoff_at, last_load_id) values (%s, %s, %s, %s)
            on conflict (system, business_day) do update
            set cutoff_at = excluded.cutoff_at, last_load_id = excluded.last_load_id, delivered_at = now()
            """,
            (spec.system, business_day, min(cutoffs), max(loads)),
        )
        connection.commit()
        return max(loads)
