"""# pull_bills

Brings the payment companies' bills in once they are there. The bill of a day is offered the next morning from
about ten o'clock on, long after `build_marts` has run: bills do not hold the build up, so this DAG wakes
nothing. The next night's build reads what it merged, and reconciliation follows by a day.

Every system described in `sources/*.yml` with `holds_build: false` takes part; where there is none, the run
ends at once and says so. The partition key is the business day the bills are for (`2026-03-01`).

## When it is red

1. Open the log of the red task: the last line says what was found and **what to do**.
2. *A bill cannot be read*: look at the file it names; fetch it again from the payment company and put it into
   the same folder. A file that was read before and has the same content is not read twice.
3. *A batch was refused because too many rows failed*: look at `meta.check_result` for the rule.
4. Then clear the red task. Marts are not harmed meanwhile: payments of that day stay unreconciled.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import CronPartitionTimetable, dag, task


def alert(context: Any) -> None:
    """Tells people by webhook and mail. Airflow calls it after the last retry only."""
    from lifecourse.orchestration.alerts import task_failed

    task_failed(context)


@dag(
    # Half past ten of the institution, for the day before (offset -1).
    schedule=CronPartitionTimetable(
        "30 10 * * *",
        timezone=os.environ.get("LIFECOURSE_TIMEZONE", "Asia/Shanghai"),
        run_offset=-1,
        key_format="%Y-%m-%d",
    ),
    catchup=False,  # a file that came late is found by any later run
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
    tags=["pull", "bills"],
    doc_md=__doc__,
)
def pull_bills() -> None:
    @task
    def pull(dag_run: Any = None) -> dict[str, int]:
        from lifecourse.orchestration import steps

        return steps.pull("bills", dag_run.partition_key)

    @task
    def check_and_merge(dag_run: Any = None) -> dict[str, dict[str, int]]:
        from lifecourse.orchestration import steps

        return steps.check_and_merge("bills", dag_run.partition_key)

    @task
    def deliver(dag_run: Any = None) -> list[str]:
        from lifecourse.orchestration import steps

        return steps.deliver("bills", dag_run.partition_key)

    pull() >> check_and_merge() >> deliver()


pull_bills()
