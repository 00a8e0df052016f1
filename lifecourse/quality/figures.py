"""An expectation that compares two figures of the warehouse: an observed one and the one there should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from great_expectations.compatibility import pydantic
from great_expectations.core import ExpectationValidationResult
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer

from lifecourse.quality import gx

if TYPE_CHECKING:
    from lifecourse.quality.checks import Check


class FiguresMetric(TableMetricProvider):
    """The one row of a query: observed (text), expected (text), success (boolean)."""

    metric_name = "figures"
    value_keys = ("query",)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> tuple[str, str, bool]:
        query = sa.text(metric_value_kwargs["query"].replace(":", r"\:"))
        observed, expected, success = execution_engine.execute_query(query).one()
        return str(observed), str(expected), bool(success)


class ExpectFiguresToAgree(BatchExpectation):
    """A figure of the warehouse is the one it should be. The query tells both, and whether they agree."""

    title: str = pydantic.Field(description="What agrees, as a sentence")
    query: str = pydantic.Field(description="SQL that returns observed, expected, success")

    metric_dependencies: ClassVar[tuple[str, ...]] = ("figures",)
    success_keys: ClassVar[tuple[str, ...]] = ("query",)
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)
    args_keys: ClassVar[tuple[str, ...]] = ("title", "query")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        observed, expected, success = metrics["figures"]
        return {"success": success, "result": {"observed_value": observed, "expected_value": expected}}

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: ExpectationValidationResult | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> list[RenderedStringTemplateContent]:
        assert configuration is not None
        return gx.sentence(configuration.kwargs["title"].replace("$", "$$"))


def figures_suite(checks: Sequence[Check]) -> ExpectationSuite:
    """The checks of an audit as a suite; each expectation carries the position of its check."""
    return ExpectationSuite(
        name="audit",
        expectations=[
            ExpectFiguresToAgree(
                title=check.title,
                query=check.query,
                meta={"rule": f"{check.suite}.{check.rule}", "number": number},
            )
            for number, check in enumerate(checks)
        ],
    )
