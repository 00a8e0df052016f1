"""# watch_freshness

Looks every hour whether `marts` is older than allowed (`LIFECOURSE_MARTS_MAX_AGE_HOURS`, 30 unless set: a
business day has to be published by six o'clock the morning after the next midnight). It is the watch over the
schedule itself: a paused DAG, a lost event or a stopped source makes no other task red.

## When it is red

1. The log says how old `marts` is and which system delivered last, and when.
2. *A system is behind*: look at its pull DAG. Is it paused, or red? Mend it; the build follows by itself.
3. *Every system has delivered but nothing was built*: `build_marts` was paused when they did. Trigger it with
   the missing business day as the partition key.
4. *A build is red*: see the documentation of `build_marts`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task


def alert(context: Any) -> None:
    """Tells people by webhook and mail. Airflow calls it after the last retry only."""
    from lifecourse.orchestration.alerts import task_failed

    task_failed(context)


@dag(
    schedule=CronTriggerTimetable(
        "0 * * * *", timezone=os.environ.get("LIFECOURSE_TIMEZONE", "Asia/Shanghai")
    ),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "data",
        "retries": 1,  # one, for a warehouse that restarts just now; the next hour looks again anyway
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=15),
        "execution_timeout": timedelta(minutes=5),
        "on_failure_callback": alert,
    },
    tags=["watch"],
    doc_md=__doc__,
)
def watch_freshness() -> None:
    @task
    def check(dag_run: Any = None) -> dict[str, Any]:
        from lifecourse.orchestration import steps

        return steps.check_freshness(dag_run.run_after)

    check()


watch_freshness()
