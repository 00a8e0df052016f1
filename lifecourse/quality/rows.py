"""Row rules on a landed batch: which rows fail, by rule, as queries for the loader to move them by.

No value of a row leaves the database here: Great Expectations answers with booleans and queries, and
the only thing fetched about failing rows is how many there are.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.settings import settings

if TYPE_CHECKING:
    from great_expectations.core.expectation_suite import ExpectationSuite
    from great_expectations.expectations.expectation import Expectation


@dataclass(frozen=True)
class RowFailure:
    """Rows of a batch that break one rule.

    `rule` is a key of `lifecourse.quality.rules.RUNBOOK`; `row_query` returns the column `_row` of the
    failing rows of the landed table and may be used as a subquery; `columns` are those the rule is about.
    A rule may come several times, once per column.
    """

    rule: str
    failing_rows: int
    row_query: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleResult:
    """How one rule of a suite came out on a batch: counts only."""

    suite: str
    rule: str
    columns: tuple[str, ...]
    failing_rows: int

    @property
    def success(self) -> bool:
        return self.failing_rows == 0


class CheckedBatch(list[RowFailure]):
    """The failures of a batch; `results` holds every rule that ran, passed or not, for `record`."""

    def __init__(self, failures: Sequence[RowFailure], results: Sequence[RuleResult]) -> None:
        super().__init__(failures)
        self.results = tuple(results)


def check_landing(url: str, table: str, suite: str, context: Mapping[str, Any]) -> CheckedBatch:
    """Run a canonical table's suite on `landing.<table>`.

    `url`: the warehouse as the loader, over TCP. `suite`: the canonical table. `context`: `system`, and
    optionally `tables` (canonical tables of the system that have current rows, as a mapping to the names of
    their `raw` tables, or as names alone for `<system>__<table>`), `raw_schema` (`raw`), `landing_schema`
    (`landing`) and `timezone` (the institution's). A rule that reads a table not among `tables` is left out.
    The landed table and its parents must be committed: the checks run in a session of their own.

    Returns the failures, in the order of `rules.RUNBOOK`. Raises `LifecourseError` if the landed table
    lacks a required column or a rule could not be run.
    """
    schema = str(context.get("landing_schema", "landing"))
    where = f"{schema}.{table}"
    with _connected(url, where) as connection:
        columns, is_empty = _shape(connection, schema, table)
        if not columns:
            raise LifecourseError(
                "the landed table to check is not there",
                where,
                "pull the batch again; it may have been merged",
            )
        rules = _applicable(suite, columns, where, context)
        found = {} if is_empty else _run(url, schema, table, suite, rules)
        failures = _counted(connection, schema, table, found)
    counts = {(each.rule, each.columns): each.failing_rows for each in failures}
    results = [
        RuleResult(suite, rule.name, rule.columns, counts.get((rule.name, rule.columns), 0)) for rule in rules
    ]
    return CheckedBatch(failures, results)


def record(connection: psycopg.Connection[Any], batch_id: int, results: Sequence[RuleResult]) -> None:
    """Write a batch's results to `meta.check_result`, a row per rule and columns; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute("delete from meta.check_result where stage = 'landing' and batch_id = %s", (batch_id,))
        cursor.executemany(
            """
            insert into meta.check_result (stage, batch_id, suite, rule, success, failing_rows, observed)
            values ('landing', %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    batch_id,
                    each.suite,
                    recorded_name(each.rule, each.columns),
                    each.success,
                    each.failing_rows,
                    f"{each.failing_rows} rows",
                )
                for each in results
            ],
        )


def parents(table: str) -> frozenset[str]:
    """Other canonical tables whose rows the suite of a table reads: they are to be merged before it."""
    read = {name for each in suite_of(table).expectations for name in getattr(each, "parents", ())}
    return frozenset(read - {table})


def recorded_name(rule: str, columns: Sequence[str]) -> str:
    """How `meta.check_result` names a rule: with its columns, since a suite has it several times."""
    return f"{rule}({', '.join(columns)})"


def rule_of(expectation: Expectation) -> tuple[str, tuple[str, ...]]:
    """The rule of an expectation of a suite and the landed columns that it reads."""
    columns: Sequence[str] | None = getattr(expectation, "columns", None)
    if columns is None:
        columns = (expectation.column,)  # type: ignore[attr-defined]
    return str((expectation.meta or {})["rule"]), tuple(columns)


@cache
def suite_of(table: str) -> ExpectationSuite:
    """The suite of a canonical table, as `expectations/<table>.py` builds it.

    Raises `LifecourseError` if there is none.
    """
    built: ExpectationSuite = module_of(table).suite()
    return built


@cache
def module_of(name: str) -> ModuleType:
    """The module `expectations/<name>.py`; `LifecourseError` if there is none."""
    path = Path(settings().expectations_dir) / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"expectations.{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise LifecourseError(
            f"there are no expectations for {name}", str(path), "add the file; every canonical table has one"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class _Rule:
    """An expectation made ready for one landed table."""

    name: str
    columns: tuple[str, ...]
    expectation: Expectation
    query: str | None  # rules across tables: the failing rows, filled in


def _applicable(suite: str, columns: frozenset[str], where: str, context: Mapping[str, Any]) -> list[_Rule]:
    """The rules of a suite that the landed columns and the connected tables allow."""
    names = _parent_names(context)
    ready: list[_Rule] = []
    for each in suite_of(suite).expectations:
        rule, read = rule_of(each)
        template: str | None = getattr(each, "query", None)
        if not columns.issuperset(read):
            if rule == "required_missing":
                raise LifecourseError(
                    f"the landed table lacks {read[0]}, which the contract of {suite} requires",
                    where,
                    "map the column in sources/*.yml",
                )
        elif template is None:
            ready.append(_Rule(rule, read, each, None))
        elif set(each.parents) <= names.keys():  # type: ignore[attr-defined]
            schema, table = where.split(".", 1)
            query = template.format(
                landing=_quoted(schema, table),
                parent=names,
                timezone=str(context.get("timezone") or settings().timezone).replace("'", "''"),
            )
            ready.append(_Rule(rule, read, each.copy(update={"query": query}), query))
    return ready


def _parent_names(context: Mapping[str, Any]) -> dict[str, str]:
    """Canonical table -> its quoted table in `raw`."""
    schema = str(context.get("raw_schema", "raw"))
    given = context.get("tables") or ()
    if not isinstance(given, Mapping):
        given = {name: f"{context['system']}__{name}" for name in given}
    return {name: _quoted(schema, str(raw).removeprefix(f"{schema}.")) for name, raw in given.items()}


def _run(url: str, schema: str, table: str, suite: str, rules: Sequence[_Rule]) -> dict[_Rule, str]:
    """The failing rules with the query of their rows: a boolean each first, a query for those that fail."""
    from lifecourse.quality import gx

    session = gx.session(url)
    failing = _failed(session, schema, table, suite, rules, with_row_query=False)
    found = {rule: rule.query for rule in failing if rule.query is not None}
    of_columns = [rule for rule in failing if rule.query is None]
    if of_columns:
        for rule, query in _failed(session, schema, table, suite, of_columns, with_row_query=True).items():
            if not query:
                raise LifecourseError(
                    f"Great Expectations gave no row query for {rule.name}", f"{schema}.{table}"
                )
            found[rule] = f"select _row from ({query.strip().rstrip(';')}) as failing"
    return {rule: found[rule] for rule in failing}


def _failed(
    session: Any, schema: str, table: str, suite: str, rules: Sequence[_Rule], *, with_row_query: bool
) -> dict[_Rule, str | None]:
    from great_expectations.core.expectation_suite import ExpectationSuite

    from lifecourse.quality import gx

    # Without the notes, which Great Expectations would copy around a thousand times.
    numbered = [
        each.expectation.copy(update={"meta": {"rule": each.name, "number": number}, "notes": None})
        for number, each in enumerate(rules)
    ]
    result = session.validate_rows(
        ExpectationSuite(name=suite, expectations=numbered), schema, table, with_row_query=with_row_query
    )
    failed: dict[_Rule, str | None] = {}
    for each in result.results:
        rule = rules[gx.meta_of(each)["number"]]
        if gx.exceptions(each):
            raise LifecourseError(
                f"the rule {rule.name} on {', '.join(rule.columns)} could not be run",
                f"{schema}.{table}",
                f"run the suite of {suite} by hand; the database's message is withheld, it may quote a value",
            )
        if not each.success:
            failed[rule] = each.result.get("unexpected_index_query")
    return {rule: failed[rule] for rule in rules if rule in failed}


def _counted(
    connection: psycopg.Connection[Any], schema: str, table: str, found: Mapping[_Rule, str]
) -> list[RowFailure]:
    """Failing rows per rule, in one statement. What a failed cast left empty is not missing."""
    from lifecourse.quality.rules import RUNBOOK

    if any(rule.name == "cast_failed" for rule in found):
        found = {rule: _but_cast(rule, query, schema, table) for rule, query in found.items()}
    if not found:
        return []
    counts = " union all ".join(
        f"select {number}, count(*) from ({query}) as failing" for number, query in enumerate(found.values())
    )
    failing_rows = dict(connection.execute(counts.encode()).fetchall())
    failures = [
        RowFailure(rule.name, failing_rows[number], query, rule.columns)
        for number, (rule, query) in enumerate(found.items())
        if failing_rows[number]
    ]
    order = list(RUNBOOK)
    return sorted(failures, key=lambda each: order.index(each.rule))


def _but_cast(rule: _Rule, query: str, schema: str, table: str) -> str:
    if rule.name != "required_missing":
        return query
    (column,) = rule.columns
    return (
        f"select _row from {_quoted(schema, table)} where _row in ({query}) "
        f"and '{column}' <> all (string_to_array(coalesce(replace(_cast_error, ' ', ''), ''), ','))"
    )


def _shape(connection: psycopg.Connection[Any], schema: str, table: str) -> tuple[frozenset[str], bool]:
    """The columns of a table (none: there is no such table) and whether it is empty."""
    columns = connection.execute(
        """
        select attname
        from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
        """,
        (_quoted(schema, table),),
    ).fetchall()
    if not columns:
        return frozenset(), True
    row = connection.execute(
        sql.SQL("select exists (select from {})").format(sql.Identifier(schema, table))
    ).fetchone()
    return frozenset(name for (name,) in columns), not (row and row[0])


def _quoted(schema: str, table: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))


class _connected:
    """A short connection whose errors say no values."""

    def __init__(self, url: str, where: str) -> None:
        self._url, self._where = url, where

    def __enter__(self) -> psycopg.Connection[Any]:
        try:
            self._connection = psycopg.connect(
                re.sub(r"^postgresql\+\w+:", "postgresql:", self._url),
                autocommit=True,
                application_name="lifecourse row rules",
            )
        except psycopg.Error as error:
            raise LifecourseError(sanitised(error), self._where) from None
        return self._connection

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._connection.close()
        if isinstance(error, psycopg.Error):
            raise LifecourseError(sanitised(error), self._where) from None
