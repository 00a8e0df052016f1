"""What a build has to do: for which day, into which schema, whole or for changed customers, and from which loads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from lifecourse.building.dbt import code_hash, rules_hash
from lifecourse.errors import LifecourseError
from lifecourse.sources.spec import SystemSpec, load_systems

Connection = psycopg.Connection[tuple[Any, ...]]

CORE = "core"
#: Canonical tables that touch everybody in the loader's eyes, while the models know better whom they touch:
#: campuses give names to readers only, and closed days are followed by the model changed_closed_week.
FOLLOWED = ("campuses", "closed_days")


@dataclass(frozen=True)
class Plan:
    """A build before it begins; the columns of `meta.build` under their names."""

    as_of: date
    kind: str
    schema_name: str
    known_at_load: int | None
    since_load_id: int
    last_load_id: int
    code_hash: str
    rules_hash: str
    #: Why the build is full, or that it is incremental: for people.
    reason: str = ""

    @property
    def is_published(self) -> bool:
        """Whether the build is meant for readers of `marts`."""
        return self.schema_name == CORE


@dataclass(frozen=True)
class Published:
    """The publication that readers see."""

    build_id: str
    as_of: date
    last_load_id: int
    code_hash: str
    rules_hash: str
    published_at: Any


def make(connection: Connection, as_of: date, full: bool = False, known_at: int | None = None) -> Plan:
    """The plan of a build of a day as things stand now.

    A day before the published one, or a day as it was known at an earlier load, is built whole into a schema of
    its own. A build for readers is whole when there is nothing to build upon, when models or rules changed, when
    a load touched everybody, or when what stands in core was never published whole.
    """
    published = current(connection)
    last_load_id = _last_load(connection)
    common: dict[str, Any] = {
        "as_of": as_of,
        "known_at_load": known_at,
        "last_load_id": last_load_id,
        "code_hash": code_hash(),
        "rules_hash": rules_hash(),
    }
    if known_at is not None:
        return Plan(
            kind="full",
            schema_name=f"asof_{as_of:%Y_%m_%d}_known_{known_at}",
            since_load_id=0,
            reason=f"the day as it was known after load {known_at}",
            **common,
        )
    if published and as_of < published.as_of:
        return Plan(
            kind="full",
            schema_name=f"asof_{as_of:%Y_%m_%d}",
            since_load_id=0,
            reason=f"an old day: readers have {published.as_of}",
            **common,
        )
    since = published.last_load_id if published else 0
    reason = "asked for" if full else _why_full(connection, published, common, since)
    return Plan(
        kind="full" if reason else "incremental",
        schema_name=CORE,
        since_load_id=since,
        reason=reason or f"changes after load {since}",
        **common,
    )


def current(connection: Connection) -> Published | None:
    """The publication that readers see, if any."""
    row = connection.execute(
        """
        select p.build_id, p.as_of, p.last_load_id, b.code_hash, b.rules_hash, p.published_at
        from meta.publication as p
        join meta.build as b using (build_id)
        where p.rolled_back_at is null
        order by p.publication_id desc
        limit 1
        """
    ).fetchone()
    return Published(*row) if row else None


def _why_full(connection: Connection, published: Published | None, plan: dict[str, Any], since: int) -> str:
    if published is None:
        return "nothing is published yet"
    if published.code_hash != plan["code_hash"]:
        return "models, macros or seeds have changed"
    if published.rules_hash != plan["rules_hash"]:
        return "the lifecycle rules have changed"
    everybody = connection.execute(
        """
        select b.system, b.source_table
        from (select distinct load_id from meta.touched where load_id > %s and key = '*') as touched
        left join meta.batch as b using (load_id)
        """,
        (since,),
    ).fetchall()
    for system, source_table in everybody:
        canonical = _canonical(system, source_table)
        if canonical not in FOLLOWED:
            return f"a load of {source_table or 'an unknown table'} touched everybody"
    # What such a build wrote into core is in no publication, and it wrote about everybody.
    unpublished = connection.execute(
        """
        select 1 from meta.build
        where schema_name = %s and started_at > %s
            and ((kind = 'full' and status <> 'published' and stage_seconds <> '{}') or status = 'rolled_back')
        limit 1
        """,
        (CORE, published.published_at),
    ).fetchone()
    rolled_back = connection.execute(
        "select 1 from meta.publication where publication_id > "
        "(select max(publication_id) from meta.publication where rolled_back_at is null) limit 1"
    ).fetchone()
    if unpublished or rolled_back:
        return "what stands in core was not published, or was taken back"
    if connection.execute("select to_regclass('core.changed_customer')").fetchone() == (None,):
        return "core is empty"
    return ""


def _canonical(system: str | None, source_table: str | None) -> str | None:
    spec = load_systems().get(system or "")
    if spec is None or source_table not in spec.table_names:
        return None
    return spec.table(source_table).maps_to


def _last_load(connection: Connection) -> int:
    row = connection.execute(
        """
        select greatest(
            (select max(load_id) from meta.batch where status = 'merged'),
            (select max(load_id) from meta.touched),
            0
        )
        """
    ).fetchone()
    assert row is not None
    return int(row[0])


def verify_deliveries(connection: Connection, systems: dict[str, SystemSpec], as_of: date) -> None:
    """Raise `LifecourseError` unless every system that a build waits for has delivered the day (or a later one)."""
    delivered: dict[str, date] = dict(
        connection.execute("select system, max(business_day) from meta.delivery group by system").fetchall()
    )
    late = {
        name: delivered.get(name)
        for name, spec in systems.items()
        if spec.holds_build and (name not in delivered or delivered[name] < as_of)
    }
    if late:
        said = ", ".join(f"{name} (last: {day or 'never'})" for name, day in sorted(late.items()))
        raise LifecourseError(
            f"not delivered yet: {said}",
            f"business day {as_of}",
            "see that the pull of that day has ended well (`lifecourse pull`, or its DAG), then build again",
        )


def purchase_event(systems: dict[str, SystemSpec]) -> str:
    """`order`, or `enrolment` where no connected system fills the canonical orders."""
    for spec in systems.values():
        if "orders" in spec.derived or any(table.maps_to == "orders" for table in spec.tables):
            return "order"
    return "enrolment"
