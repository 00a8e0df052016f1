"""What other rules would change: the lifecycle built a second time beside `marts`, and the two compared.

The inputs of the lifecycle models are taken once, for every published customer, in one transaction that sees one
moment: facts from `marts`, where nothing but whole publications is, and what readers do not get (pauses, goals,
exit interviews, closed days) from the canonical tables. Only while they are taken is the build lock held, shared:
a build waits for that long, and merges do not wait. The models then run on those copies in schemas of their own,
with the production SQL. Nothing else is written; what a killed comparison leaves behind hangs on nothing, and the
next one drops it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.building import plan as planning
from lifecourse.building.dbt import Dbt, NodeOutcome, code_hash, risk_signal_codes, rules_hash
from lifecourse.building.plan import Published
from lifecourse.errors import LifecourseError, sanitised
from lifecourse.lifecycle.rules import RuleSet, seed_rules, with_file
from lifecourse.settings import settings
from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.locks import LOCK_BUILD, LOCK_RULES

Connection = psycopg.Connection[tuple[Any, ...]]

#: Where the models run, and where each side's results are put.
WORKSHOP = "rules_compare"
SIDES = ("rules_a", "rules_b")
RESULTS = ("fct_lifecycle_span", "fct_lifecycle_transition", "fct_risk_signal")
#: Compared as published where a side need not be built.
COMPARED = ("fct_lifecycle_span", "fct_risk_signal")
MODELS = [f"+{model},path:models/lifecycle" for model in RESULTS]
PUBLISHED, SEED = "published", "seed"
#: As a full build does it, see building/dbt.py.
SESSION = ("jit = off", "work_mem = '64MB'", "enable_nestloop = off")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Mover:
    """A customer who stands elsewhere under the other rules on the published day."""

    customer_id: str
    campus_id: str | None
    stage_a: str
    stage_b: str
    #: The first day ever on which the stages differ.
    first_differs_on: date


@dataclass(frozen=True)
class Comparison:
    """Two rule sets over the same facts, as of the published day."""

    as_of: date
    build_id: str
    a: RuleSet
    b: RuleSet
    #: Sides that were built; the others are as published.
    built: tuple[str, ...]
    #: Why the published result could not stand for the published rules, if it could not.
    rebuilt_because: str
    customers: int
    #: Customers by (stage under A, stage under B) on the published day.
    matrix: dict[tuple[str, str], int]
    #: Customers whose stages differ on any day, days on which they do, and all days.
    ever_differing: int
    differing_days: int
    all_days: int
    #: By signal: stretches under A and under B, and of them open on the published day.
    signals: dict[str, tuple[int, int, int, int]]
    movers: tuple[Mover, ...]

    def stage_counts(self, side: int) -> dict[str, int]:
        """Customers by stage on the published day under A (0) or B (1)."""
        counts: dict[str, int] = {}
        for pair, customers in self.matrix.items():
            counts[pair[side]] = counts.get(pair[side], 0) + customers
        return counts


# -- rule sets ---------------------------------------------------------------------------------------------


def rule_set(name: str, target: Warehouse) -> RuleSet:
    """The rules by that name: `published`, `seed` (the file as it stands), or a CSV file of numbers on top of the
    published ones. Raises RulesError for a file that does not hold what it should."""
    with target.connect(Role.TRANSFORMER) as connection:
        if name == SEED:
            return seed_rules()
        published = published_rules(connection)
        if name == PUBLISHED:
            return published
        return with_file(published, Path(name), campuses(connection))


def published_rules(connection: Connection) -> RuleSet:
    """The numbers behind the current publication.

    They stand in the seed file, or, where that has been edited since, in core as long as no later build has
    replaced them there. Raises LifecourseError where neither tells.
    """
    published = _published(connection)
    if published.rules_hash == rules_hash():
        return RuleSet(PUBLISHED, seed_rules().numbers)
    later = connection.execute(
        "select 1 from meta.build where schema_name = %s and started_at > %s and stage_seconds ? 'seed' limit 1",
        (planning.CORE, published.published_at),
    ).fetchone()
    if later:
        raise LifecourseError(
            "the rules behind the publication are gone: the seed was edited, and a build has loaded it since",
            "lifecycle_rules.csv",
            "publish that build, or put the file back as it was",
        )
    rows = connection.execute(
        "select coalesce(campus_id, ''), rule, value from core.lifecycle_rules"
    ).fetchall()
    loaded = {(campus, rule): value for campus, rule, value in rows}
    now = seed_rules()
    # In the order of the seed; a rule that models have learnt since the publication has its default.
    defaults = {("", rule): loaded.get(("", rule), now.numbers["", rule]) for rule in now.names}
    own = {key: value for key, value in sorted(loaded.items()) if key[0] and key[1] in now.names}
    return RuleSet(PUBLISHED, {**defaults, **own})


def campuses(connection: Connection) -> set[str]:
    """The campuses that readers know."""
    rows = connection.execute(
        "select campus_id from marts.dim_campus"
        " union select campus_id from marts.fct_lifecycle_span where campus_id is not null"
    ).fetchall()
    return {row[0] for row in rows}


def _published(connection: Connection) -> Published:
    published = planning.current(connection)
    if published is None:
        raise LifecourseError("nothing is published yet", "schema marts", "`lifecourse build run DAY` first")
    return published


# -- comparing ---------------------------------------------------------------------------------------------


def compare(
    a: RuleSet, b: RuleSet, target: Warehouse, keep: bool = False, say: Say = lambda text: None
) -> Comparison:
    """Build the lifecycle under each set that differs from the published rules, and compare the two.

    `keep` leaves the schemas rules_a and rules_b, readable by analysts, until the next comparison. Raises
    LifecourseError when nothing is published, another comparison runs, or a model fails; `marts`, `core` and
    `meta` are never written.
    """
    try:
        with target.connect(Role.TRANSFORMER, autocommit=True) as keeper:
            taken = keeper.execute("select pg_try_advisory_lock(%s)", (LOCK_RULES,)).fetchone()
            if taken != (True,):
                raise LifecourseError(
                    "another comparison of rules is running", target.name_of(), "wait until it has ended"
                )
            _drop(keeper, WORKSHOP, *SIDES)
            try:
                comparison = _compare(keeper, a, b, target, say)
            except BaseException:
                _drop(keeper, WORKSHOP, *SIDES)
                raise
            _drop(keeper, WORKSHOP, *(() if keep else SIDES))
            if keep:
                _open(keeper)
            return comparison
    except psycopg.Error as error:
        raise LifecourseError(
            f"the database refused: {sanitised(error)}", target.name_of(), "run it again; `lifecourse doctor`"
        ) from None


def _compare(keeper: Connection, a: RuleSet, b: RuleSet, target: Warehouse, say: Say) -> Comparison:
    models = _Models(target)
    # Parsing takes seconds, and nobody need wait for it.
    models.dbt.manifest(models.variables(_published(keeper)))
    with _build_lock(keeper, say):
        published = _published(keeper)
        as_published = published_rules(keeper)
        because = _why_rebuild(keeper, published)
        built = [
            side
            for side, rules in zip(SIDES, (a, b), strict=True)
            if because or not rules.is_same_as(as_published)
        ]
        if a.is_same_as(b):
            # Nothing can differ: no need to show it by building.
            built = []
        say("taking the facts of every customer" if built else "reading what is published")
        with target.connect(Role.TRANSFORMER) as connection:
            _take_inputs(connection, models, published, built)
    if built:
        models.seed(published)
    for side, rules in zip(SIDES, (a, b), strict=True):
        if side in built:
            say(f"building the lifecycle under {rules.name}")
            _put_rules(keeper, rules)
            models.run(published)
            _move_results(keeper, side)
    say("comparing")
    return _compared(keeper, published, a, b, tuple(built), because if built else "")


def _why_rebuild(connection: Connection, published: Published) -> str:
    """Why the published result cannot be compared with one built now, though its rules be the same; '' if it can."""
    if published.code_hash != code_hash():
        return "the models have changed since the publication"
    if planning._last_load(connection) > published.last_load_id:
        return "rows have been loaded since the publication"
    return ""


@contextmanager
def _build_lock(keeper: Connection, say: Say) -> Iterator[None]:
    """Shared, as a merge holds it: builds wait for us and we for them."""
    if keeper.execute("select pg_try_advisory_lock_shared(%s)", (LOCK_BUILD,)).fetchone() != (True,):
        say("a build is running; waiting until its stage has ended")
        keeper.execute("select pg_advisory_lock_shared(%s)", (LOCK_BUILD,))
    try:
        yield
    finally:
        if not keeper.closed and not keeper.broken:
            keeper.execute("select pg_advisory_unlock_shared(%s)", (LOCK_BUILD,))


class _Models:
    """The production models with the workshop as the schema of their build."""

    def __init__(self, target: Warehouse) -> None:
        self.dbt = Dbt(target, work_dir=settings().home / "rules")

    def variables(self, published: Published) -> dict[str, Any]:
        return {
            "as_of": published.as_of.isoformat(),
            "build_id": "rules",
            "build_kind": "full",
            "institution_timezone": settings().timezone,
            "purchase_event": planning.purchase_event(load_systems()),
            "target_schema": WORKSHOP,
            "canonical_schema": "canonical",
            "risk_signals": risk_signal_codes(),
        }

    def seed(self, published: Published) -> None:
        _must_succeed(self.dbt.run("seed", ["path:seeds/lifecycle"], self.variables(published)))

    def run(self, published: Published) -> None:
        _must_succeed(self.dbt.run("run", MODELS, self.variables(published)))

    def inputs(self, published: Published) -> tuple[dict[str, str], dict[str, str]]:
        """The SQL of the models that the lifecycle reads, and the schema of each relation that these read."""
        variables = self.variables(published)
        nodes: dict[str, Any] = dict(self.dbt.manifest(variables).nodes)
        wanted = {
            node.name: node
            for node in nodes.values()
            if node.resource_type == "model" and "lifecycle_inputs" in node.fqn
        }
        scope = next(node for node in nodes.values() if node.name == "int_customer_scope")
        wanted[scope.name] = scope
        read: dict[str, str] = {}
        for node in wanted.values():
            for key in node.depends_on.nodes:
                parent = nodes.get(key)
                if parent is None or parent.name in wanted:
                    continue
                # Views upon the contract and upon the state of identity: no build's candidate.
                if parent.config.materialized == "view":
                    read[parent.alias] = planning.CORE
                elif parent.config.meta.get("public"):
                    read[parent.alias] = "marts"
        return self.dbt.compiled(sorted(wanted), variables), read


def _must_succeed(outcomes: Sequence[NodeOutcome]) -> None:
    failed = [each for each in outcomes if not each.is_good]
    if failed:
        first = next((each for each in failed if each.status == "error"), failed[0])
        raise LifecourseError(
            f"{first.status}: {first.message}", first.name, "see whether the rules leave sense to the model"
        )


def _take_inputs(connection: Connection, models: _Models, published: Published, built: Sequence[str]) -> None:
    """Copy what the models read, and what is published of a side that is not built, as of one moment."""
    compiled, read = models.inputs(published) if built else ({}, {})
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        for setting in SESSION:
            connection.execute(sql.SQL("set local " + setting))  # type: ignore[arg-type]
        for schema in (WORKSHOP, *SIDES):
            connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        for side in SIDES:
            if side not in built:
                for table in COMPARED:
                    _copy(
                        connection,
                        side,
                        table,
                        sql.SQL("select * from {}").format(sql.Identifier("marts", table)),
                    )
        if not built:
            return
        everybody = sql.SQL(
            "select customer_id, 'what if' as reason, 'rules' as build_id from marts.fct_lifecycle_span"
            " group by customer_id"
        )
        _copy(connection, WORKSHOP, "changed_customer", everybody)
        for name, schema in read.items():
            connection.execute(
                sql.SQL("create view {} as select * from {}").format(
                    sql.Identifier(WORKSHOP, name), sql.Identifier(schema, name)
                )
            )
        for name, query in compiled.items():
            _copy(connection, WORKSHOP, name, sql.SQL(query))  # type: ignore[arg-type]
        # The copies are what is read from now on: nothing of ours hangs on a table of marts or core.
        for name in read:
            connection.execute(sql.SQL("drop view {}").format(sql.Identifier(WORKSHOP, name)))


def _copy(connection: Connection, schema: str, name: str, query: sql.Composable) -> None:
    table = sql.Identifier(schema, name)
    connection.execute(sql.SQL("create unlogged table {} as {}").format(table, query))
    connection.execute(sql.SQL("analyze {}").format(table))


def _put_rules(keeper: Connection, rules: RuleSet) -> None:
    table = sql.Identifier(WORKSHOP, "lifecycle_rules")
    with keeper.transaction(), keeper.cursor() as cursor:
        cursor.execute(sql.SQL("delete from {}").format(table))
        cursor.executemany(
            sql.SQL("insert into {} (campus_id, rule, value) values (%s, %s, %s)").format(table),
            list(rules.rows()),
        )


def _move_results(keeper: Connection, side: str) -> None:
    with keeper.transaction():
        for table in RESULTS:
            keeper.execute(
                sql.SQL("alter table {} set schema {}").format(
                    sql.Identifier(WORKSHOP, table), sql.Identifier(side)
                )
            )


def _drop(keeper: Connection, *schemas: str) -> None:
    if keeper.closed or keeper.broken:
        return
    for schema in schemas:
        keeper.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


def _open(keeper: Connection) -> None:
    """Analysts may look into what is kept."""
    analyst = sql.Identifier(Role.ANALYST.login)
    for side in SIDES:
        schema = sql.Identifier(side)
        keeper.execute(sql.SQL("grant usage on schema {} to {}").format(schema, analyst))
        keeper.execute(sql.SQL("grant select on all tables in schema {} to {}").format(schema, analyst))


# -- what differs ------------------------------------------------------------------------------------------

#: Days on which a customer's stages differ, by customer. Every customer has the same days on both sides.
_DIFFERING = """
    create temporary table differing as
    select
        a.customer_id,
        min(greatest(a.valid_from, b.valid_from)) as first_on,
        sum(
            least(coalesce(a.valid_to, %(end)s), coalesce(b.valid_to, %(end)s))
            - greatest(a.valid_from, b.valid_from)
        ) as days
    from rules_a.fct_lifecycle_span as a
    join rules_b.fct_lifecycle_span as b
        on b.customer_id = a.customer_id
        and a.valid_from < coalesce(b.valid_to, %(end)s)
        and b.valid_from < coalesce(a.valid_to, %(end)s)
        and b.stage_code <> a.stage_code
    group by a.customer_id
"""
_PAIRS = """
    select a.stage_code, b.stage_code, count(*)
    from (select customer_id, stage_code from rules_a.fct_lifecycle_span where is_current) as a
    full join (select customer_id, stage_code from rules_b.fct_lifecycle_span where is_current) as b
        on b.customer_id = a.customer_id
    group by 1, 2
"""
_MOVERS = """
    select a.customer_id, a.campus_id, a.stage_code, b.stage_code, differing.first_on
    from differing
    join rules_a.fct_lifecycle_span as a on a.customer_id = differing.customer_id and a.is_current
    join rules_b.fct_lifecycle_span as b on b.customer_id = differing.customer_id and b.is_current
    where a.stage_code <> b.stage_code
    order by a.customer_id collate "C"
"""
_SIGNALS = """
    select
        signal_code,
        count(*) filter (where side = 'a'),
        count(*) filter (where side = 'b'),
        count(*) filter (where side = 'a' and closed_on is null),
        count(*) filter (where side = 'b' and closed_on is null)
    from (
        select 'a' as side, signal_code, closed_on from rules_a.fct_risk_signal
        union all
        select 'b' as side, signal_code, closed_on from rules_b.fct_risk_signal
    ) as both_sides
    group by signal_code
"""


def _compared(
    keeper: Connection, published: Published, a: RuleSet, b: RuleSet, built: tuple[str, ...], because: str
) -> Comparison:
    end = date.fromordinal(published.as_of.toordinal() + 1)
    keeper.execute("drop table if exists pg_temp.differing")
    keeper.execute(_DIFFERING, {"end": end})
    pairs = keeper.execute(_PAIRS).fetchall()
    lost = sum(count for stage_a, stage_b, count in pairs if stage_a is None or stage_b is None)
    if lost:
        raise LifecourseError(
            f"{lost} customers have a stage on one side only",
            " and ".join(SIDES),
            "this is a fault of the models",
        )
    days = _one(
        keeper,
        "select coalesce(sum(coalesce(valid_to, %(end)s) - valid_from), 0) from rules_a.fct_lifecycle_span",
        end,
    )
    ever, differing_days = keeper.execute(
        "select count(*), coalesce(sum(days), 0) from differing"
    ).fetchone() or (0, 0)
    movers = keeper.execute(_MOVERS).fetchall()
    order = {code: place for place, code in enumerate(risk_signal_codes())}
    signals = sorted(keeper.execute(_SIGNALS).fetchall(), key=lambda row: order.get(row[0], len(order)))
    return Comparison(
        as_of=published.as_of,
        build_id=published.build_id,
        a=a,
        b=b,
        built=built,
        rebuilt_because=because,
        customers=sum(count for _, _, count in pairs),
        matrix={(stage_a, stage_b): count for stage_a, stage_b, count in pairs},
        ever_differing=int(ever),
        differing_days=int(differing_days),
        all_days=days,
        signals={row[0]: (row[1], row[2], row[3], row[4]) for row in signals},
        movers=tuple(Mover(*row) for row in movers),
    )


def _one(keeper: Connection, query: str, end: date) -> int:
    row = keeper.execute(query.encode(), {"end": end}).fetchone()
    assert row is not None
    return int(row[0])


def write_movers(comparison: Comparison, path: Path) -> None:
    """Everybody who stands elsewhere, as CSV: customer_id, campus_id, stage_a, stage_b, first_differs_on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Mover.__dataclass_fields__)
        for each in comparison.movers:
            writer.writerow(
                (each.customer_id, each.campus_id or "", each.stage_a, each.stage_b, each.first_differs_on)
            )
    new.replace(path)
