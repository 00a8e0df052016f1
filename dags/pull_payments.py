"""# pull_payments

Brings the payment systems' changes of the business day that has just ended into `raw`, and says so in `meta`.
Every system described in `sources/*.yml` with `serves: payments` takes part; where there is none, the run ends
at once and says so. The partition key is the business day (`2026-03-01`), not the day the run happens on.

| task | what it does |
|---|---|
| `pull` | reads every table from one snapshot into `landing` |
| `check_and_merge` | moves rows that break a rule to `quarantine`, merges the rest, parents first |
| `deliver` | records the day in `meta.delivery` and wakes `build_marts` |

## When it is red

1. Open the log of the red task: the last line says what was found and **what to do**.
2. *The source cannot be reached*: nothing is lost. Once it is back, clear the red task; the pull goes on from
   its watermark.
3. *A column is missing or has another type*: only that table stopped. Mend its mapping in `sources/`, then
   clear the task.
4. *A batch was refused because too many rows failed*: look at `meta.check_result` for the rule, mend the
   source or the rule, then clear `pull` and everything after it.
5. Every task is safe to run twice. For an old day: trigger this DAG with that day as the partition key.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, CronPartitionTimetable, dag, task


def alert(context: Any) -> None:
    """Tells people by webhook and mail. Airflow calls it after the last retry only."""
    from lifecourse.orchestration.alerts import task_failed

    task_failed(context)


@dag(
    # Half past midnight of the institution, for the day that has just ended (offset -1).
    schedule=CronPartitionTimetable(
        "30 0 * * *",
        timezone=os.environ.get("LIFECOURSE_TIMEZONE", "Asia/Shanghai"),
        run_offset=-1,
        key_format="%Y-%m-%d",
    ),
    catchup=False,  # the pull follows its watermark: last night's run brings what earlier nights missed
    max_active_runs=1,
    default_args={
        "owner": "data",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=15),
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": alert,
    },
    tags=["pull", "payments"],
    doc_md=__doc__,
)
def pull_payments() -> None:
    @task
    def pull(dag_run: Any = None) -> dict[str, int]:
        from lifecourse.orchestration import steps

        return steps.pull("payments", dag_run.partition_key)

    @task
    def check_and_merge(dag_run: Any = None) -> dict[str, dict[str, int]]:
        from lifecourse.orchestration import steps

        return steps.check_and_merge("payments", dag_run.partition_key)

    @task(outlets=[Asset("payments_delivered")])
    def deliver(dag_run: Any = None) -> list[str]:
        from lifecourse.orchestration import steps

        return steps.deliver("payments", dag_run.partition_key)

    pull() >> check_and_merge() >> deliver()


pull_payments()
