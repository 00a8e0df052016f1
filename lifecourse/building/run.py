"""A build from begin to publication. Each stage is safe to run again, and resumes what was interrupted."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from lifecourse.building import plan as planning
from lifecourse.building import unchanged
from lifecourse.building.dbt import Dbt, NodeOutcome, risk_signal_codes
from lifecourse.building.tables import public_tables, relations
from lifecourse.errors import LifecourseError, sanitised
from lifecourse.identity import resolve
from lifecourse.loading.known import create_known_views
from lifecourse.quality import personal
from lifecourse.settings import settings
from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.locks import LOCK_BUILD

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]

#: The day of the week (ISO) on which an incremental build runs every test on every row.
WHOLE_TESTS_ON = 7
#: Journals kept, of the latest builds.
JOURNALS = 20

_DBT: dict[tuple[str, int, str, Path], Dbt] = {}


@dataclass(frozen=True)
class Build:
    """A row of `meta.build`."""

    build_id: str
    as_of: date
    kind: str
    schema_name: str
    known_at_load: int | None
    since_load_id: int
    last_load_id: int
    code_hash: str
    rules_hash: str
    status: str
    changed_customers: int | None
    stage_seconds: dict[str, float]
    started_at: datetime
    finished_at: datetime | None
    error: str | None

    @property
    def is_transformed(self) -> bool:
        return "test" in self.stage_seconds

    @property
    def canonical_schema(self) -> str:
        return "canonical" if self.known_at_load is None else f"canonical_known_{self.known_at_load}"


_COLUMNS = ", ".join(Build.__dataclass_fields__)


def begin(as_of: date, full: bool = False, known_at: int | None = None, into: Warehouse | None = None) -> str:
    """Open a build of a day, after asking `meta` whether every connected system has delivered it; its id.

    A build of the same day over the same loads and code that has not ended is taken up again, and one that is
    published already is returned as it is, so that a night run twice ends as one. `full` asks for a build of
    every customer; `known_at` for the day as it was known after that load, in a schema of its own.
    Raises `LifecourseError` naming the systems that have not delivered.
    """
    target = into or warehouse()
    with _session(target) as connection:
        connection.execute("select pg_advisory_xact_lock(%s, 1)", (LOCK_BUILD,))
        planning.verify_deliveries(connection, load_systems(), as_of)
        plan = planning.make(connection, as_of, full, known_at)
        known = None if full else _same(connection, plan)
        if known:
            log.info("build %s of %s is taken up again", known, as_of)
            return known
        if known_at is not None:
            # Outside the transaction of this session: the views belong to the loader.
            create_known_views(known_at, target)
        build_id = f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}-{secrets.token_hex(2)}"
        connection.execute(
            """
            insert into meta.build
                (build_id, as_of, kind, schema_name, known_at_load, since_load_id, last_load_id, code_hash, rules_hash)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                build_id, plan.as_of, plan.kind, plan.schema_name, plan.known_at_load, plan.since_load_id,
                plan.last_load_id, plan.code_hash, plan.rules_hash,
            ),
        )  # fmt: skip
        connection.commit()
    log.info("build %s of %s: %s, because of: %s", build_id, as_of, plan.kind, plan.reason)
    return build_id


def transform(build_id: str, into: Warehouse | None = None) -> Build:
    """Seed, run and test with dbt, under the build lock; after a failure or a kill it resumes where it was.

    Raises `LifecourseError` naming the models or tests that failed; `marts` is untouched.
    """
    target = into or warehouse()
    with _alone(target) as connection, _failing(connection, build_id):
        build = _read(connection, build_id)
        if build.status in ("built", "audited", "published"):
            log.info("build %s is %s already", build_id, build.status)
            return build
        _refuse_superseded(build)
        build = _replanned(connection, build)
        _supersede_others(connection, build)
        dbt = _dbt(target)
        variables = _variables(build)
        manifest = dbt.manifest(variables)
        personal.verify(manifest)
        journal = _journal(build)
        is_resumed = journal.exists()
        if not is_resumed and build.schema_name != planning.CORE:
            _empty_schema(connection, build.schema_name)
        journal.touch()
        done = set(journal.read_text(encoding="utf-8").split())
        if done:
            log.info("resuming: %d nodes are done", len(done))
        _set(connection, build_id, status="running", error=None, finished_at=None)
        upon = planning.current(connection)
        started = time.monotonic()
        is_whole = build.kind == "full" and build.schema_name == planning.CORE
        if is_whole:
            unchanged.forget_all(connection)
        resolve(connection, build_id, build.as_of, build.last_load_id, full=is_whole)
        _add_seconds(connection, build_id, "identity", time.monotonic() - started)
        for stage, command, names in _stages(connection, build, manifest, done):
            started = time.monotonic()
            if command == "test":
                outcomes = dbt.test(names, variables, journal)
                _record_tests(connection, build_id, manifest, outcomes)
            elif command == "run" and build.kind == "incremental":
                outcomes = dbt.night(names, variables, journal)
            else:
                outcomes = dbt.run(command, names, variables, journal)
            _raise_failures(stage, manifest, outcomes)
            _add_seconds(connection, build_id, stage, time.monotonic() - started)
        if build.kind == "incremental" and planning.current(connection) != upon:
            # Some tables are the published ones with what changed exchanged: they were built upon another publication.
            raise LifecourseError(
                "the publication that this build adds to was rolled back meanwhile",
                f"build {build_id}",
                "run it again: it will be a full build",
            )
        _set(connection, build_id, status="built", changed_customers=_count_changed(connection, build))
        if build.schema_name != planning.CORE:
            _open_schema(connection, build.schema_name, [table.name for table in public_tables(manifest)])
        return _read(connection, build_id)


def audit(build_id: str, into: Warehouse | None = None) -> Build:
    """Audit the candidate with Great Expectations; raises `AuditFailed` naming the checks that failed."""
    from lifecourse.quality.audit import audit_candidate

    target = into or warehouse()
    with _alone(target) as connection:
        build = _read(connection, build_id)
        if build.status in ("audited", "published"):
            return build
        _refuse_superseded(build)
        if not build.is_transformed:
            raise LifecourseError("it is not built yet", f"build {build_id}", "run its transform first")
        with _failing(connection, build_id):
            started = time.monotonic()
            audit_candidate(build_id, target=target, canonical_schema=build.canonical_schema)
            _add_seconds(connection, build_id, "audit", time.monotonic() - started)
            _set(connection, build_id, status="audited", error=None)
        return _read(connection, build_id)


def publish(build_id: str, into: Warehouse | None = None) -> Build:
    """Make the audited build what readers of `marts` see. The build of an old day stays in its own schema."""
    from lifecourse.warehouse.publish import publish as publish_tables

    target = into or warehouse()
    with _alone(target) as connection:
        build = _read(connection, build_id)
        if build.status == "published":
            return build
        _refuse_superseded(build)
        if build.schema_name != planning.CORE:
            log.info("build %s answers in schema %s and is not published", build_id, build.schema_name)
            _set(connection, build_id, finished_at=datetime.now(UTC))
            return _read(connection, build_id)
        started = time.monotonic()
        publish_tables(target, build_id, public_tables(_dbt(target).manifest(_variables(build))))
        _add_seconds(connection, build_id, "publish", time.monotonic() - started)
        _set(connection, build_id, finished_at=datetime.now(UTC))
        return _read(connection, build_id)


def build(
    as_of: date, full: bool = False, known_at: int | None = None, into: Warehouse | None = None
) -> Build:
    """All stages one after the other; the build as it ended."""
    target = into or warehouse()
    build_id = begin(as_of, full, known_at, target)
    transform(build_id, target)
    audit(build_id, target)
    return publish(build_id, target)


def builds(limit: int = 10, into: Warehouse | None = None) -> list[Build]:
    """The latest builds, the newest first."""
    with _session(into or warehouse()) as connection:
        rows = connection.execute(
            f"select {_COLUMNS} from meta.build order by started_at desc limit %s", (limit,)
        ).fetchall()
    return [Build(*row) for row in rows]


# Sessions and the row in meta ----------------------------------------------------------------------------


@contextmanager
def _session(target: Warehouse) -> Iterator[Connection]:
    with target.connect(Role.TRANSFORMER) as connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise LifecourseError(
                f"the database refused: {sanitised(error)}",
                target.name_of(),
                "run it again; `lifecourse doctor`",
            ) from None


@contextmanager
def _alone(target: Warehouse) -> Iterator[Connection]:
    """A session that holds the build lock: no merge and no other build while it lasts, nor after it dies."""
    with _session(target) as connection:
        connection.autocommit = True
        connection.execute("select pg_advisory_lock(%s)", (LOCK_BUILD,))
        try:
            yield connection
        finally:
            if not connection.closed and not connection.broken:
                connection.execute("select pg_advisory_unlock(%s)", (LOCK_BUILD,))


@contextmanager
def _failing(connection: Connection, build_id: str) -> Iterator[None]:
    """Writes down why a stage failed before the error goes on."""
    try:
        yield
    except Superseded:
        raise
    except Exception as error:
        if not connection.closed and not connection.broken:
            # The words of an unexpected error may hold values of rows; its kind does not.
            said = str(error) if isinstance(error, LifecourseError) else f"unexpected {type(error).__name__}"
            _set(connection, build_id, status="failed", error=said[:4000], finished_at=datetime.now(UTC))
        raise


class Superseded(LifecourseError):
    """Another build has taken this one's place in core."""


def _refuse_superseded(build: Build) -> None:
    if build.error and build.error.startswith(_SUPERSEDED):
        raise Superseded(
            build.error, f"build {build.build_id}", "nothing, if that one went well; else begin a new build"
        )


_SUPERSEDED = "superseded by build "


def _read(connection: Connection, build_id: str) -> Build:
    row = connection.execute(f"select {_COLUMNS} from meta.build where build_id = %s", (build_id,)).fetchone()
    if row is None:
        raise LifecourseError(
            "there is no such build", f"build {build_id}", "`lifecourse build status` lists those there are"
        )
    return Build(*row)


def _set(connection: Connection, build_id: str, **values: Any) -> None:
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(n), sql.Placeholder(n)) for n in values
    )
    connection.execute(
        sql.SQL("update meta.build set {} where build_id = {}").format(
            assignments, sql.Placeholder("build_id")
        ),
        {**values, "build_id": build_id},
    )


def _add_seconds(connection: Connection, build_id: str, stage: str, seconds: float) -> None:
    """Seconds of a stage, those of an interrupted attempt added."""
    connection.execute(
        """
        update meta.build
        set stage_seconds = stage_seconds || jsonb_build_object(
            %(stage)s::text, round(coalesce((stage_seconds ->> %(stage)s)::numeric, 0) + %(seconds)s::numeric, 2)
        )
        where build_id = %(build_id)s
        """,
        {"stage": stage, "seconds": seconds, "build_id": build_id},
    )


def _same(connection: Connection, plan: planning.Plan) -> str | None:
    """A build over the same day, loads and code that can be taken up, or is published and current."""
    row = connection.execute(
        """
        select build_id from meta.build
        where as_of = %s and schema_name = %s and known_at_load is not distinct from %s
            and last_load_id = %s and code_hash = %s and rules_hash = %s
            and status <> 'rolled_back' and error is not distinct from
                case when error like %s then null else error end
            and (
                status <> 'published'
                or build_id = (
                    select build_id from meta.publication
                    where rolled_back_at is null order by publication_id desc limit 1
                )
            )
        order by started_at desc
        limit 1
        """,
        (
            plan.as_of, plan.schema_name, plan.known_at_load, plan.last_load_id, plan.code_hash, plan.rules_hash,
            _SUPERSEDED + "%",
        ),
    ).fetchone()  # fmt: skip
    return row[0] if row else None


def _replanned(connection: Connection, build: Build) -> Build:
    """The build with the plan as it is now, under the lock: loads may have been merged since it was begun.

    What was done under another plan is done again.
    """
    was_asked_for = build.kind == "full"
    now = planning.make(connection, build.as_of, was_asked_for, build.known_at_load)
    if now.schema_name != build.schema_name:
        raise LifecourseError(
            f"readers have a later day by now, so that {build.as_of} is an old day",
            f"build {build.build_id}",
            "begin it again: it will be built into a schema of its own",
        )
    _set(
        connection, build.build_id, kind=now.kind, since_load_id=now.since_load_id, last_load_id=now.last_load_id,
        code_hash=now.code_hash, rules_hash=now.rules_hash,
    )  # fmt: skip
    return _read(connection, build.build_id)


def _supersede_others(connection: Connection, build: Build) -> None:
    """Builds that wait in the same schema: what they wrote is being written over."""
    connection.execute(
        """
        update meta.build set status = 'failed', error = %s, finished_at = coalesce(finished_at, clock_timestamp())
        where schema_name = %s and build_id <> %s and status in ('running', 'built', 'audited', 'failed')
            and started_at > coalesce((select max(published_at) from meta.publication), '-infinity')
        """,
        (_SUPERSEDED + build.build_id, build.schema_name, build.build_id),
    )


# What dbt is asked to do ---------------------------------------------------------------------------------


def compiled_for(
    build_id: str, names: Sequence[str], more: Mapping[str, Any], into: Warehouse | None = None
) -> dict[str, str]:
    """The SQL of models as that build would run them, with some variables besides. Nothing is run."""
    target = into or warehouse()
    with _session(target) as connection:
        build = _read(connection, build_id)
    # As in a full build, whatever kind it was: whole tables are read.
    return _dbt(target).compiled(names, {**_variables(build), "build_kind": "full", **more})


def _dbt(target: Warehouse) -> Dbt:
    key = (target.host, target.port, target.name_of(), settings().home)
    if key not in _DBT:
        _DBT[key] = Dbt(target)
    return _DBT[key]


def _variables(build: Build) -> dict[str, Any]:
    is_incremental = build.kind == "incremental"
    return {
        "as_of": build.as_of.isoformat(),
        "build_id": build.build_id,
        "build_kind": build.kind,
        "test_scope": "changed" if is_incremental and build.as_of.isoweekday() != WHOLE_TESTS_ON else "all",
        "since_load_id": build.since_load_id,
        "last_load_id": build.last_load_id,
        "institution_timezone": settings().timezone,
        "purchase_event": planning.purchase_event(load_systems()),
        "canonical_schema": build.canonical_schema,
        "target_schema": build.schema_name,
        "risk_signals": risk_signal_codes(),
    }


def _stages(
    connection: Connection, build: Build, manifest: Any, done: set[str]
) -> Iterator[tuple[str, str, list[str]]]:
    """Stage, dbt command and the names of the nodes that are left to do."""
    there = relations(connection, build.schema_name) | relations(connection, planning.CORE)
    left = [
        node
        for key, node in manifest.nodes.items()
        # A journal may outlive what it speaks of.
        if key not in done or (node.resource_type in ("seed", "model") and node.alias not in there)
    ]
    is_incremental = build.kind == "incremental"
    seeds = [node for node in left if node.resource_type == "seed"]
    models = [node for node in left if node.resource_type == "model"]
    if is_incremental:
        # Seeds and staging views follow from the code, which has not changed; a view may have gone with its table.
        seeds = [node for node in seeds if node.alias not in there]
        models = [node for node in models if "staging" not in node.tags or node.alias not in there]
    yield "seed", "seed", [node.name for node in seeds]
    yield "run", "run", [node.name for node in models]
    tests = [node for node in left if node.resource_type == "test"]
    if is_incremental and build.as_of.isoweekday() != WHOLE_TESTS_ON:
        tests = [node for node in tests if not _is_only_for_whole(node, manifest)]
    yield "test", "test", [node.name for node in tests]


def _is_only_for_whole(test: Any, manifest: Any) -> bool:
    """Tests of what a night's build does not write: staging views and seeds, and those tagged `whole`."""
    tested = _tested(test, manifest)
    return "whole" in test.tags or (
        tested is not None and (tested.resource_type == "seed" or "staging" in tested.tags)
    )


def _tested(test: Any, manifest: Any) -> Any | None:
    """The model or seed that a generic test is of; a singular test is of none."""
    return manifest.nodes.get(getattr(test, "attached_node", None))


def _journal(build: Build) -> Path:
    """What is done under this plan of the build; under another plan it begins anew."""
    folder = settings().home / "dbt" / "builds"
    folder.mkdir(parents=True, exist_ok=True)
    known = sorted(folder.glob("*.done"), key=lambda path: path.stat().st_mtime)
    for old in known[:-JOURNALS]:
        old.unlink(missing_ok=True)
    plan = f"{build.kind}-{build.since_load_id}-{build.last_load_id}-{build.code_hash[:8]}-{build.rules_hash[:8]}"
    return folder / f"{build.build_id}.{plan}.done"


def _empty_schema(connection: Connection, schema: str) -> None:
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


def _open_schema(connection: Connection, schema: str, tables: Sequence[str]) -> None:
    """Analysts may look at the rebuild of an old day: the tables that they have in `marts`."""
    analyst = sql.Identifier(Role.ANALYST.login)
    connection.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), analyst))
    for table in tables:
        connection.execute(sql.SQL("grant select on {} to {}").format(sql.Identifier(schema, table), analyst))


def _count_changed(connection: Connection, build: Build) -> int:
    row = connection.execute(
        sql.SQL("select count(*) from {}").format(sql.Identifier(build.schema_name, "changed_customer"))
    ).fetchone()
    assert row is not None
    return int(row[0])


# What came of it -----------------------------------------------------------------------------------------


def _record_tests(
    connection: Connection, build_id: str, manifest: Any, outcomes: Sequence[NodeOutcome]
) -> None:
    """One row per dbt test in `meta.check_result`; a test run again replaces what it said before."""
    rows = []
    for each in outcomes:
        if each.status in ("pass", "fail", "warn"):
            tested = _tested(manifest.nodes[each.unique_id], manifest)
            rows.append(
                {
                    "suite": tested.name if tested else "singular",
                    "rule": each.name,
                    "success": each.is_good,
                    "failing_rows": each.failing_rows,
                }
            )
    connection.execute(
        """
        with said as (
            select * from jsonb_to_recordset(%(rows)s)
                as row (suite text, rule text, success boolean, failing_rows bigint)
        ),
        again as (
            update meta.check_result as result
            set success = said.success, failing_rows = said.failing_rows, checked_at = clock_timestamp()
            from said
            where result.stage = 'dbt' and result.build_id = %(build_id)s and result.suite = said.suite
                and result.rule = said.rule
            returning result.suite, result.rule
        )
        insert into meta.check_result (stage, build_id, suite, rule, success, failing_rows)
        select 'dbt', %(build_id)s, said.suite, said.rule, said.success, said.failing_rows
        from said
        where not exists (select from again where again.suite = said.suite and again.rule = said.rule)
        """,
        {"rows": Jsonb(rows), "build_id": build_id},
    )


def _raise_failures(stage: str, manifest: Any, outcomes: Sequence[NodeOutcome]) -> None:
    failed = [each for each in outcomes if not each.is_good and each.status != "skipped"]
    if not failed:
        return
    said = []
    for each in failed[:10]:
        rows = (
            f" ({each.failing_rows} rows)" if each.status == "fail" and each.failing_rows is not None else ""
        )
        said.append(f"{each.kind} {each.name}{rows}: {_explanation(manifest, each)}")
    if len(failed) > len(said):
        said.append(f"and {len(failed) - len(said)} more")
    advice = list(dict.fromkeys(filter(None, (_advice(manifest, each) for each in failed))))
    raise LifecourseError(
        "; ".join(said),
        f"stage {stage} of the build",
        " ".join(
            [
                *advice[:3],
                "marts still shows the last good build. Once mended, run the stage again: it resumes.",
            ]
        ),
    )


def _runbook(manifest: Any, outcome: NodeOutcome) -> dict[str, str]:
    """The What / Why it matters / What to do at the head of a test (of its own file, or of its generic test)."""
    node = manifest.nodes.get(outcome.unique_id)
    if node is None or node.resource_type != "test":
        return {}
    text = node.raw_code
    if getattr(node, "test_metadata", None):
        macro = manifest.macros.get(f"macro.{node.package_name}.test_{node.test_metadata.name}")
        text = macro.macro_sql if macro else ""
    comment = " ".join(
        line.strip().removeprefix("--").strip() for line in text.splitlines() if line.strip().startswith("--")
    )
    parts = re.split(r"(What to do|What|Why it matters): ", comment)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=False))


def _explanation(manifest: Any, outcome: NodeOutcome) -> str:
    return _runbook(manifest, outcome).get("What") or outcome.message or outcome.status


def _advice(manifest: Any, outcome: NodeOutcome) -> str:
    return _runbook(manifest, outcome).get("What to do", "")
