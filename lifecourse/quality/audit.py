"""The audit of a candidate: what must be true of `core` before it is published.

Three suites. `freshness`: the sources have delivered. `counts`: the facts hold what the canonical tables and
`meta` say they must, to the row and to the cent. `volume`: no table has lost more than a set share since the
last publication. Results go to `meta.check_result` and into the Data Docs; nothing but counts, sums and days
leaves the database.

A full build is audited whole. An incremental one is audited on the customers it recomputed, so that a night
costs what changed and not what there is; the whole of it is looked at again on Sundays.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.quality import checks, facts, rows
from lifecourse.quality.checks import Bounds, Build, Check
from lifecourse.sources.spec import SystemSpec, load_systems
from lifecourse.warehouse.connection import Role, Warehouse, warehouse

log = logging.getLogger(__name__)

#: So many failed checks are told in an error; all are in `meta` and in the Data Docs.
TOLD = 5


@dataclass(frozen=True)
class Outcome:
    """How one check came out. `observed` and `expected` are counts, sums or days, never a row's value."""

    suite: str
    rule: str
    title: str
    success: bool
    observed: str
    expected: str
    do: str


@dataclass(frozen=True)
class AuditResult:
    """Every check of a candidate."""

    build_id: str
    outcomes: tuple[Outcome, ...] = ()

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(each for each in self.outcomes if not each.success)


class AuditFailed(LifecourseError):
    """The candidate is not to be published. Names each check, what was observed and what to do."""

    def __init__(self, result: AuditResult) -> None:
        self.result = result
        failed = result.failed
        what = "; ".join(
            f"{each.suite}.{each.rule}: {each.observed} where {each.expected} was expected"
            for each in failed[:TOLD]
        )
        more = f"; and {len(failed) - TOLD} more, see meta.check_result" if len(failed) > TOLD else ""
        first_things = " ".join(dict.fromkeys(each.do for each in failed[:TOLD]))
        checks_failed = "1 check failed" if len(failed) == 1 else f"{len(failed)} checks failed"
        super().__init__(f"{checks_failed}: {what}{more}.", f"build {result.build_id}", first_things)


def audit_candidate(
    build_id: str,
    target: Warehouse | None = None,
    systems: Mapping[str, SystemSpec] | None = None,
    canonical_schema: str = "canonical",
) -> AuditResult:
    """Audit a built candidate; write the results to `meta.check_result` and renew the Data Docs.

    `target`: the warehouse (default: that of the settings). `systems`: those connected (default: those of
    `sources/*.yml`). `canonical_schema`: where the canonical tables that the build read stand.
    What is expected stands in `expectations/audit.py`.

    Raises `AuditFailed` if a check fails, `LifecourseError` if one cannot be run.
    """
    target = target or warehouse()
    systems = load_systems() if systems is None else systems
    expected = rows.module_of("audit")
    bounds = Bounds(expected.MAX_DROP, expected.MAX_DROP_OF, expected.MIN_ROWS_TO_JUDGE)
    where = f"build {build_id}"
    try:
        with target.connect(Role.TRANSFORMER) as connection:
            build = _build(connection, build_id)
            of_core = [
                *checks.freshness(build, systems),
                *checks.batches(build),
                *facts.checks(connection, build, expected.FACTS, canonical_schema),
                *(checks.volume(connection, build, bounds) if build.is_candidate else ()),
            ]
            connection.rollback()
            outcomes = _run(target.url(Role.TRANSFORMER), of_core)
            if build.is_whole and build.is_candidate:
                with target.connect(Role.LOADER) as loader:
                    of_raw = checks.versions(loader, systems)
                outcomes += _run(target.url(Role.LOADER), of_raw)
            result = AuditResult(build_id, tuple(outcomes))
            _record(connection, result)
            connection.commit()
            if build.is_candidate:
                _show(connection, build, result)
    except psycopg.Error as error:
        raise LifecourseError(f"the audit could not be run: {sanitised(error)}", where) from None
    if result.failed:
        raise AuditFailed(result)
    return result


def _show(connection: psycopg.Connection[Any], build: Build, result: AuditResult) -> None:
    """Renew the Data Docs. What they show stands in `meta` as well, so a full disk stops no publication."""
    from lifecourse.quality import docs

    try:
        docs.write(connection, build, result)
    except OSError as error:
        log.warning("the Data Docs of build %s were not written: %s", build.build_id, error.strerror)
    connection.rollback()


def _build(connection: psycopg.Connection[Any], build_id: str) -> Build:
    row = connection.execute(
        """
        select build_id, as_of, kind, schema_name, last_load_id, known_at_load
        from meta.build
        where build_id = %s
        """,
        (build_id,),
    ).fetchone()
    if row is None:
        raise LifecourseError(
            "there is no such build", f"build {build_id}", "`lifecourse build status` lists those there are"
        )
    return Build(*row)


def _run(url: str, to_run: Sequence[Check]) -> list[Outcome]:
    """Run the checks through Great Expectations, all in one validation."""
    if not to_run:
        return []
    from lifecourse.quality import gx
    from lifecourse.quality.figures import figures_suite

    result = gx.session(url).validate_figures(figures_suite(to_run))
    outcomes = []
    for each in result.results:
        check = to_run[gx.meta_of(each)["number"]]
        if gx.exceptions(each):
            raise LifecourseError(
                f"the check {check.suite}.{check.rule} could not be run",
                do="run its query by hand; the database's message is withheld, it may quote a value",
            )
        observed = each.result
        outcomes.append(
            Outcome(
                check.suite,
                check.rule,
                check.title,
                bool(each.success),
                observed["observed_value"],
                observed["expected_value"],
                check.do,
            )
        )
    order = {(check.suite, check.rule): position for position, check in enumerate(to_run)}
    return sorted(outcomes, key=lambda each: order[each.suite, each.rule])


def _record(connection: psycopg.Connection[Any], result: AuditResult) -> None:
    """One row per check in `meta.check_result`; an audit run again replaces what it said before."""
    for each in result.outcomes:
        values = {
            "build": result.build_id,
            "suite": each.suite,
            "rule": each.rule,
            "success": each.success,
            "observed": f"{each.observed}; expected {each.expected}",
        }
        updated = connection.execute(
            """
            update meta.check_result
            set success = %(success)s, observed = %(observed)s, checked_at = clock_timestamp()
            where stage = 'audit' and build_id = %(build)s and suite = %(suite)s and rule = %(rule)s
            """,
            values,
        )
        if not updated.rowcount:
            connection.execute(
                """
                insert into meta.check_result (stage, build_id, suite, rule, success, observed)
                values ('audit', %(build)s, %(suite)s, %(rule)s, %(success)s, %(observed)s)
                """,
                values,
            )
