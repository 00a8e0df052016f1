"""Great Expectations, set up once per thread: no analytics, no progress bars, no values in errors."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from typing import Any

import great_expectations as gx
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent import PostgresDatasource
from great_expectations.render import RenderedStringTemplateContent
from great_expectations.validator.v1_validator import Validator
from sqlalchemy.engine import make_url

from lifecourse.errors import LifecourseError

# A failing metric is logged with the statement and the driver's message, which can hold a row's values.
# What failed is told by our own errors instead, without them.
for _name in ("great_expectations", "sqlalchemy"):
    logging.getLogger(_name).propagate = False
    logging.getLogger(_name).addHandler(logging.NullHandler())

_local = threading.local()


class Session:
    """One ephemeral context and one connection pool, for the suites that a thread runs as one role."""

    def __init__(self, url: str) -> None:
        self.context = new_context()
        self.source: PostgresDatasource = self.context.data_sources.add_postgres(
            "warehouse",
            connection_string=_sqlalchemy_url(url),
            # Passed on to SQLAlchemy; the method's declaration leaves it out.
            kwargs={"hide_parameters": True, "pool_pre_ping": True, "pool_size": 1, "max_overflow": 1},  # type: ignore[call-arg]
            create_temp_table=False,
        )

    def validate_rows(
        self, suite: ExpectationSuite, schema: str, table: str, *, with_row_query: bool
    ) -> ExpectationSuiteValidationResult:
        """Run row rules on a table; the result holds booleans and, if asked for, queries of `_row`.

        Queries are only written, not run: no row is fetched whatever the outcome.
        """
        result_format: dict[str, Any] = {"result_format": "BOOLEAN_ONLY"}
        if with_row_query:
            result_format |= {
                "return_unexpected_index_query": True,
                "unexpected_index_column_names": ["_row"],
            }
        return self._validate(suite, schema, table, result_format)

    def validate_figures(self, suite: ExpectationSuite) -> ExpectationSuiteValidationResult:
        """Run checks that bring queries of their own; the result holds the figures they return."""
        return self._validate(suite, "meta", "build", {"result_format": "BASIC"})

    def _validate(
        self, suite: ExpectationSuite, schema: str, table: str, result_format: dict[str, Any]
    ) -> ExpectationSuiteValidationResult:
        name = f"{schema}.{table}"
        try:
            asset = self.source.add_table_asset(name, table_name=table, schema_name=schema)
            whole = asset.add_batch_definition_whole_table("whole")
            return Validator(whole, result_format=result_format).validate_expectation_suite(suite)
        except Exception as error:
            # Its message may hold the password or a row's value.
            raise LifecourseError(
                f"Great Expectations could not run the suite {suite.name} ({type(error).__name__})",
                name,
                "see that the warehouse can be reached and the table is there, then run it again",
            ) from None
        finally:
            if any(asset.name == name for asset in self.source.assets):
                self.source.delete_asset(name)


def new_context() -> EphemeralDataContext:
    """A context that keeps everything in memory and shows no progress bars."""
    in_memory = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = DataContextConfig(
        store_backend_defaults=in_memory,
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def version() -> str:
    """The version of Great Expectations."""
    return str(gx.__version__)


def meta_of(result: ExpectationValidationResult) -> Mapping[str, Any]:
    """What the expectation behind a result carries of ours."""
    config = result.expectation_config
    return (config.meta if config else None) or {}


def sentence(template: str, **values: str) -> list[RenderedStringTemplateContent]:
    """How an expectation of our own reads in the Data Docs; `$name` stands for a value."""
    return [
        RenderedStringTemplateContent(
            content_block_type="string_template",
            string_template={
                "template": template,
                "params": values,
                "styling": {"default": {"classes": ["badge"]}},
            },
        )
    ]


def session(url: str) -> Session:
    """The thread's session for a warehouse address; a forked process gets its own."""
    if getattr(_local, "process", None) != os.getpid():
        _local.process, _local.sessions = os.getpid(), {}
    sessions: dict[str, Session] = _local.sessions
    if url not in sessions:
        sessions[url] = Session(url)
    return sessions[url]


def exceptions(result: ExpectationValidationResult) -> list[Mapping[str, Any]]:
    """What a result says of exceptions: Great Expectations gives one record, or one per metric."""
    info: Mapping[str, Any] = result.exception_info
    records = [info] if "raised_exception" in info else list(info.values())
    return [record for record in records if record.get("raised_exception")]


def _sqlalchemy_url(url: str) -> str:
    """The address for the psycopg 3 driver."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
