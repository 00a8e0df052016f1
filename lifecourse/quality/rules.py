"""The vocabulary of the suites: what each row rule means, and how a suite states it.

A suite (`expectations/<table>.py`) is a list of these rules on canonical column names. Every
expectation carries the name of its rule, under which a failing row is quarantined.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import dedent
from typing import Any, ClassVar, Literal

import great_expectations.expectations as gxe
import sqlalchemy as sa
from great_expectations.compatibility import pydantic
from great_expectations.core import ExpectationValidationResult
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, ColumnMapExpectation, Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    column_condition_partial,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer

from lifecourse.quality import gx

#: Rule -> runbook: what it says, why it matters, what to do. In the order in which a row is blamed.
RUNBOOK: dict[str, tuple[str, str, str]] = {
    "cast_failed": (
        "A value of the row could not be read as its column's type, such as a date that is none.",
        "The value is lost, and the row would count without it.",
        "Correct the row in the source system; the next pull takes it up. Many at once: check the cast "
        "in sources/*.yml.",
    ),
    "required_missing": (
        "A column that the contract requires is empty.",
        "The row can be attributed to nobody, to no day or to no amount.",
        "Complete the row in the source system. Many at once: check the mapping in sources/*.yml.",
    ),
    "unknown_enum": (
        "A code is outside the set that the contract documents.",
        "Models give each code a meaning; an unknown one would silently count as none.",
        "Map the code in sources/*.yml if it has a meaning the contract knows; else extend the contract, "
        "this suite and the models together.",
    ),
    "negative_hours": (
        "Hours or a duration are below zero.",
        "Consumed lessons would flow back, and deferred revenue with them.",
        "Correct the row in the source system; a correction changes the row, it is not a negative one.",
    ),
    "negative_amount": (
        "An amount has the wrong sign.",
        "Money totals would be too low, and refunds would count twice.",
        "Correct the row in the source system; money given back is a refund, not a negative payment.",
    ),
    "negative_count": (
        "A count is below what it can be.",
        "Activity and capacity would be too low.",
        "Correct the row in the source system.",
    ),
    "ends_before_start": (
        "A period ends before it begins.",
        "The row would cover no day, or days that never were.",
        "Correct the days in the source system.",
    ),
    "share_out_of_range": (
        "A share is not between 0 and 1, or leaves nothing to one side.",
        "What is compared with it, such as the sizes of two arms, could never fit.",
        "Correct the row in the source system; a share of 50 % is 0.5.",
    ),
    "score_out_of_range": (
        "A score is outside its scale.",
        "Averages and the promoter score would be wrong.",
        "Correct the row in the source system, or the scale in the mapping if the source uses another.",
    ),
    "missing_parent": (
        "The row refers to one of the same system that is not there: not yet pulled, quarantined, deleted.",
        "It can be attributed to no customer, or to the wrong one.",
        "Usually nothing: it is released by itself when the parent arrives. If it stays, find the parent: "
        "it may be in quarantine under a rule of its own.",
    ),
    "lesson_before_enrolment": (
        "The lesson took place before the day of the enrolment it is counted under.",
        "The customer would have studied before buying.",
        "Correct the enrolment's day or the enrolment that the attendance names.",
    ),
    "refund_exceeds_payment": (
        "The refunds of a payment are larger than the payment.",
        "Net revenue of the order would be negative.",
        "Compare with the channel's bill; correct the amount or the payment that the refund names.",
    ),
    "refund_in_other_currency": (
        "A refund is in another currency than its payment.",
        "What was paid back cannot be compared with what was paid, and stays out of the order's books.",
        "Mend the currency, or the payment that the refund names; the next pull looks at the row again.",
    ),
}


class RowConditionMetric(ColumnMapMetricProvider):
    """Rows that break a condition over several columns; null (a side is empty) breaks nothing."""

    condition_metric_name = "column_values.row_condition"
    condition_value_keys = ("condition",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: Any, condition: str, **kwargs: Any) -> Any:
        return sa.literal_column(f"({condition})", sa.Boolean)


class ExpectRowsToSatisfy(ColumnMapExpectation):
    """Every row with the column filled satisfies an SQL condition over the columns of its table."""

    condition: str = pydantic.Field(description="SQL over the row's columns")
    columns: list[str] = pydantic.Field(description="Columns that the condition reads")

    map_metric: ClassVar[str] = "column_values.row_condition"
    success_keys: ClassVar[tuple[str, ...]] = ("condition", "columns", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "condition", "columns", "mostly")

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: ExpectationValidationResult | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> list[RenderedStringTemplateContent]:
        assert configuration is not None
        return gx.sentence("rows satisfy: $condition", condition=configuration.kwargs["condition"])


class RowQueryMetric(TableMetricProvider):
    """How many rows a query of failing `_row`s finds. The rows stay in the database."""

    metric_name = "row_query.count"
    value_keys = ("query",)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> int:
        counted = sa.text(f"select count(*) from ({metric_value_kwargs['query']}) as failing")
        return int(execution_engine.execute_query(counted).scalar_one())


class ExpectNoFailingRows(BatchExpectation):
    """A query over the landed table and its parents, which names failing rows by `_row`, finds none.

    The query is a template: `{landing}` is the landed table, `{parent[<table>]}` a parent's current rows in
    `raw`, `{timezone}` the institution's time zone. `check_landing` fills it in.
    """

    query: str = pydantic.Field(description="SQL template that returns `_row` of failing rows")
    columns: list[str] = pydantic.Field(description="Landed columns that the query reads")
    parents: list[str] = pydantic.Field(description="Canonical tables that the query reads in `raw`")

    metric_dependencies: ClassVar[tuple[str, ...]] = ("row_query.count",)
    success_keys: ClassVar[tuple[str, ...]] = ("query", "columns", "parents")
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)
    args_keys: ClassVar[tuple[str, ...]] = ("query", "columns", "parents")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        failing = metrics["row_query.count"]
        return {"success": failing == 0, "result": {"observed_value": failing}}

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: ExpectationValidationResult | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> list[RenderedStringTemplateContent]:
        assert configuration is not None
        return gx.sentence(
            "no row whose $columns breaks the rule $rule against the current rows of $parents",
            columns=", ".join(configuration.kwargs["columns"]),
            rule=configuration.meta["rule"],
            parents=", ".join(configuration.kwargs["parents"]),
        )


Suite = ExpectationSuite


def table_suite(table: str, *rules: Iterable[Expectation]) -> Suite:
    """The suite of a canonical table: the given rules, and that every value could be cast."""
    return ExpectationSuite(
        name=table, expectations=[*_readable(), *(each for rule in rules for each in rule)]
    )


def _named(rule: str) -> dict[str, Any]:
    what, why, do = RUNBOOK[rule]
    return {
        "meta": {"rule": rule},
        "notes": f"**{rule}**: {what} **Why it matters:** {why} **What to do:** {do}",
    }


def _readable() -> list[Expectation]:
    return [gxe.ExpectColumnValuesToBeNull(column="_cast_error", **_named("cast_failed"))]


def required(*columns: str) -> list[Expectation]:
    """The columns are never empty."""
    return [gxe.ExpectColumnValuesToNotBeNull(column=each, **_named("required_missing")) for each in columns]


def one_of(column: str, *codes: str) -> list[Expectation]:
    """The column is empty or holds one of the codes."""
    return [gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(codes), **_named("unknown_enum"))]


def currency(column: str = "currency") -> list[Expectation]:
    """The column is empty or holds an ISO 4217 code by its form: three capital letters."""
    return [gxe.ExpectColumnValuesToMatchRegex(column=column, regex="^[A-Z]{3}$", **_named("unknown_enum"))]


def short_code(column: str) -> list[Expectation]:
    """The column is empty or holds a code by its form: what somebody wrote in words of their own is none."""
    return [
        gxe.ExpectColumnValuesToMatchRegex(
            column=column, regex="^[a-z][a-z0-9_]{0,39}$", **_named("unknown_enum")
        )
    ]


def at_least(
    rule: Literal["negative_hours", "negative_amount", "negative_count"], *columns: str, minimum: int = 0
) -> list[Expectation]:
    """The columns are empty or not below the minimum."""
    return [
        gxe.ExpectColumnValuesToBeBetween(column=each, min_value=minimum, **_named(rule)) for each in columns
    ]


def between(rule: str, column: str, lowest: float | None, highest: float | None) -> list[Expectation]:
    """The column is empty or within the bounds, both included."""
    return [
        gxe.ExpectColumnValuesToBeBetween(column=column, min_value=lowest, max_value=highest, **_named(rule))
    ]


def condition(rule: str, sql: str, *columns: str) -> list[Expectation]:
    """Where the first column is filled, the condition over the named columns does not turn out false."""
    return [ExpectRowsToSatisfy(column=columns[0], condition=sql, columns=list(columns), **_named(rule))]


def period(start: str, end: str) -> list[Expectation]:
    """Where both are filled, the end is not before the start (the same day or instant is fine)."""
    return condition("ends_before_start", f"{end} >= {start}", end, start)


def parent(column: str | tuple[str, ...], table: str, key: str | None = None) -> list[Expectation]:
    """Where the column is filled, it names a live row of a table of the same system.

    `key` is the parent's column, if it is named otherwise. A key of several columns is given as a tuple.
    """
    columns = [column] if isinstance(column, str) else list(column)
    pairs = zip([key] if key else columns, columns, strict=True)
    same = " and ".join(f"parent.{theirs} = child.{ours}" for theirs, ours in pairs)
    query = f"""
        select child._row
        from {{landing}} as child
        where
            {" and ".join(f"child.{each} is not null" for each in columns)}
            and not exists (
                select
                from {{parent[{table}]}} as parent
                where {same} and parent._deleted_at is null
            )
    """
    return across("missing_parent", query, columns=columns, parents=[table])


def across(rule: str, query: str, *, columns: list[str], parents: list[str]) -> list[Expectation]:
    """A rule across tables, as a query template of failing `_row`s (see `ExpectNoFailingRows`)."""
    return [
        ExpectNoFailingRows(query=dedent(query).strip(), columns=columns, parents=parents, **_named(rule))
    ]


#: Why somebody left, as told: the codes of exit interviews, used wherever a reason for leaving is noted.
EXIT_REASONS = (
    "goal_reached",
    "graduated",
    "moved",
    "dissatisfied",
    "effect_doubt",
    "price",
    "competitor",
    "pushed_away",
    "unknown",
)
