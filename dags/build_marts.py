"""# build_marts

Builds, audits and publishes `marts` for a business day, once sign-up, teaching and payments have all delivered
**that** day. The schedule only wakes it; the first task asks `meta` whether every connected system has really
delivered, because an event that comes while this DAG is paused is lost.

| task | what it does |
|---|---|
| `begin` | asks `meta` for the deliveries, opens the build: full or incremental |
| `transform` | dbt: seeds, models and their tests, into `core`, which nobody else reads |
| `audit` | Great Expectations on the candidate: volume, freshness, counts against `meta` |
| `publish` | one transaction: readers of `marts` see the old build, then the new one |

## When it is red

Until `publish` is green, readers still see the last good build: there is no hurry to hide anything.

1. Open the log of the red task: the last line says what was found and **what to do**.
2. *begin*, a system has not delivered: look at its pull DAG, mend that first. When it is green this DAG is
   woken again; if it was paused then, trigger it with the day as the partition key.
3. *transform*, a model or a test failed: the log names it, and each test's first lines say what it means.
   Clear the task: it resumes where it failed and does not build again what was built.
4. *audit*: the report is in Data Docs, the figures in `meta.check_result`. If the data are right and the bound
   is wrong, mend the bound in `expectations/`, then clear `audit`.
5. *publish*: clear it; the transaction is whole or was not there. To go back: `lifecourse warehouse rollback`.

## An old day

Trigger with `rebuild_day` = that day (or the day as partition key). The answer for that day, on today's
knowledge, is built in the schema `asof_<day>` and never published; `marts` is left as it is. `known_at` gives
what was believed after that load instead. `full` recomputes everybody.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, Param, PartitionedAssetTimetable, dag, task


def alert(context: Any) -> None:
    """Tells people by webhook and mail. Airflow calls it after the last retry only."""
    from lifecourse.orchestration.alerts import task_failed

    task_failed(context)


@dag(
    schedule=PartitionedAssetTimetable(
        assets=Asset("signup_delivered") & Asset("teaching_delivered") & Asset("payments_delivered")
    ),
    catchup=False,
    max_active_runs=1,
    params={
        "rebuild_day": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Old day",
            description="Build this day's answer in asof_<day> instead; empty: the partition's day",
        ),
        "known_at": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            title="Known at load",
            description="With an old day: as believed after this load; empty: today's knowledge",
        ),
        "full": Param(False, type="boolean", title="Full", description="Recompute every customer"),
    },
    default_args={
        "owner": "data",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=15),
        "execution_timeout": timedelta(hours=4),
        "on_failure_callback": alert,
    },
    tags=["build", "marts"],
    doc_md=__doc__,
)
def build_marts() -> None:
    @task
    def begin(dag_run: Any = None, params: Any = None) -> str:
        from lifecourse.orchestration import steps

        return steps.begin(dag_run.partition_key, **params)

    @task
    def transform(build_id: str) -> str:
        from lifecourse.orchestration import steps

        return steps.transform(build_id)

    @task
    def audit(build_id: str) -> str:
        from lifecourse.orchestration import steps

        return steps.audit(build_id)

    @task
    def publish(build_id: str) -> str:
        from lifecourse.orchestration import steps

        return steps.publish(build_id)

    publish(audit(transform(begin())))


build_marts()
