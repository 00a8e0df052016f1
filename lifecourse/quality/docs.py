"""Data Docs: a static site of the night's validations, built by Great Expectations from `meta.check_result`.

Results are counts, so nothing else can be on a page. The templates beside this module replace those that
would fetch styles and scripts from other people's servers: the site works without a network and tells nobody
that it was read.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from jinja2 import ChoiceLoader, FileSystemLoader

from lifecourse.quality import gx, rows
from lifecourse.settings import settings

# isort: split

from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.render.renderer.site_builder import SiteBuilder
from great_expectations.render.view import DefaultJinjaIndexPageView, DefaultJinjaPageView

if TYPE_CHECKING:
    from lifecourse.quality.audit import AuditResult
    from lifecourse.quality.checks import Build

TEMPLATES = Path(__file__).with_name("templates")
#: Name under which the checks of a candidate are shown together.
AUDIT = "audit"


class PageView(DefaultJinjaPageView):
    """A page of a suite or a validation, with our templates before those of Great Expectations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        theirs = [self.env.loader] if self.env.loader else []
        self.env.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), *theirs])
        # Looking after a template's file for every block of every page was a third of the work.
        self.env.auto_reload = False


class IndexView(PageView, DefaultJinjaIndexPageView):
    """The first page."""


@dataclass(frozen=True)
class _Validation:
    """One validation of the night: of a batch, or of the candidate."""

    asset: str
    batch: str
    suite: str
    results: list[ExpectationValidationResult]

    def documented(self) -> ExpectationSuite:
        """The suite as its page shows it."""
        if self.suite == AUDIT:
            shown = (each.expectation_config for each in self.results)
            expectations = [each.to_domain_obj() for each in shown if each is not None]
        else:
            expectations = [each.copy() for each in rows.suite_of(self.suite).expectations]
        return ExpectationSuite(name=self.suite, expectations=expectations)


def directory() -> Path:
    """Where the site is: open `index.html`."""
    return settings().home / "data_docs"


def write(connection: psycopg.Connection[Any], build: Build, audit: AuditResult) -> Path:
    """Write the site of a build's night whole and put it in place of the previous one; its directory.

    `connection`: one that may read `meta`.
    """
    validations = [*_of_batches(connection, build), _of_audit(audit)]
    site = directory()
    site.parent.mkdir(parents=True, exist_ok=True)
    fresh = site.with_name(f".{site.name}-{uuid4().hex}")
    try:
        _render(fresh, validations, RunIdentifier(f"{build.as_of}", datetime.now(UTC)))
        old = site.with_name(f"{fresh.name}-old")
        if site.exists():
            site.rename(old)
        fresh.rename(site)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return site


def _of_batches(connection: psycopg.Connection[Any], build: Build) -> Iterable[_Validation]:
    """The last batch of every table that was checked on the day of the build, merged or refused."""
    batches = connection.execute(
        """
        select distinct on (batch.system, batch.source_table)
            batch.batch_id,
            batch.system || '.' || batch.source_table,
            batch.rows_read + coalesce(batch.rows_rechecked, 0)
        from meta.batch as batch
        where
            batch.business_day = %s
            and exists (
                select from meta.check_result as result
                where result.batch_id = batch.batch_id and result.stage = 'landing'
            )
        order by batch.system, batch.source_table, batch.batch_id desc
        """,
        (build.as_of,),
    ).fetchall()
    failing: dict[int, dict[tuple[str, str], int]] = {}
    found = connection.execute(
        """
        select batch_id, suite, rule, failing_rows
        from meta.check_result
        where stage = 'landing' and batch_id = any(%s)
        """,
        ([batch_id for batch_id, _, _ in batches],),
    )
    for batch_id, suite, rule, failing_rows in found:
        failing.setdefault(batch_id, {})[suite, rule] = failing_rows
    for batch_id, asset, rows_checked in batches:
        suite = next(name for name, _ in failing[batch_id])
        yield _Validation(
            asset, f"batch {batch_id}", suite, _row_results(suite, rows_checked or 0, failing[batch_id])
        )


def _row_results(
    suite: str, rows_checked: int, failing: Mapping[tuple[str, str], int]
) -> list[ExpectationValidationResult]:
    """The results of a suite's expectations that ran, in the suite's order."""
    results = []
    for each in rows.suite_of(suite).expectations:
        rule, columns = rows.rule_of(each)
        count = failing.get((suite, rows.recorded_name(rule, columns)))
        if count is None:
            continue
        percent = 100 * count / rows_checked if rows_checked else 0.0
        results.append(
            ExpectationValidationResult(
                success=count == 0,
                expectation_config=each.configuration,
                result={
                    "observed_value": f"{count} of {rows_checked} rows",
                    "element_count": rows_checked,
                    "unexpected_count": count,
                    "unexpected_percent": percent,
                    "unexpected_percent_nonmissing": percent,
                    "partial_unexpected_list": [],
                },
            )
        )
    return results


def _of_audit(audit: AuditResult) -> _Validation:
    from lifecourse.quality.figures import ExpectFiguresToAgree

    results = [
        ExpectationValidationResult(
            success=each.success,
            expectation_config=ExpectFiguresToAgree(title=each.title, query="").configuration,
            result={
                "observed_value": each.observed
                if each.success
                else f"{each.observed}; expected {each.expected}"
            },
        )
        for each in audit.outcomes
    ]
    return _Validation("core", audit.build_id, AUDIT, results)


def _render(site: Path, validations: Iterable[_Validation], run: RunIdentifier) -> None:
    context = gx.new_context()
    for validation in validations:
        name = ExpectationSuiteIdentifier(validation.suite)
        if not context.expectations_store.has_key(name):
            context.expectations_store.set(name, validation.documented())
        passed = sum(1 for each in validation.results if each.success)
        context.validation_results_store.set(
            ValidationResultIdentifier(name, run, validation.batch),
            ExpectationSuiteValidationResult(
                success=passed == len(validation.results),
                results=validation.results,
                suite_name=validation.suite,
                statistics={
                    "evaluated_expectations": len(validation.results),
                    "successful_expectations": passed,
                    "unsuccessful_expectations": len(validation.results) - passed,
                    "success_percent": 100 * passed / len(validation.results) if validation.results else None,
                },
                meta={
                    "run_id": run,
                    "batch_spec": {"data_asset_name": validation.asset},
                    "great_expectations_version": gx.version(),
                },
            ),
        )
    view = {"module_name": __name__, "class_name": "PageView"}
    builder = SiteBuilder(
        data_context=context,
        site_name="Lifecourse",
        show_how_to_buttons=False,
        store_backend={"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)},
        site_index_builder={
            "class_name": "DefaultSiteIndexBuilder",
            "view": {"module_name": __name__, "class_name": "IndexView"},
        },
        site_section_builders={
            "expectations": {"class_name": "DefaultSiteSectionBuilder", "view": view},
            "validations": {"class_name": "DefaultSiteSectionBuilder", "view": view},
            "profiling": "None",
        },
        runtime_environment={"data_context": context, "root_directory": str(site)},
    )
    for section in builder.site_section_builders.values():
        section.build()
    builder.site_index_builder.build()
