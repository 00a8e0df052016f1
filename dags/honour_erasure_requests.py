"""# honour_erasure_requests

Erases the people in the ledger of requests (`vault.erasure_request`), every night at three: those who asked by
command, by a file in `<home>/privacy/requests/` or by a row that a program wrote, and those whom nobody needs any more
(seed `retention_rules`). Each is taken out of vault, landing, raw, history, quarantine, core, marts and files; what
accounting law keeps stays without identity; then every table and file is searched.

| task | what it does |
|---|---|
| `retain` | asks for those past their time, drops old versions |
| `honour` | erases, builds and publishes the published day again, searches |

## When it is red

The ledger keeps every request until a search finds nothing: running it again is always right.

1. *Something of the person is still in ...*: `lifecourse privacy report REQUEST` says where and how many rows. An
   analyst's own table, a page somebody wrote: take it away, then clear the task.
2. *A model or a test failed*: as in `build_marts`. The person is gone from the sources' rows already; readers still
   see the last build. Mend it, then clear the task.
3. *nothing is published yet*: publish a day first.

A request for an id that nobody has gets the status `unknown`. Somebody came back: `lifecourse privacy lift REQUEST`.
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
        "0 3 * * *", timezone=os.environ.get("LIFECOURSE_TIMEZONE", "Asia/Shanghai")
    ),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "data",
        "retries": 3,
        "retry_delay": timedelta(minutes=10),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=15),
        "execution_timeout": timedelta(hours=6),
        "on_failure_callback": alert,
    },
    tags=["privacy"],
    doc_md=__doc__,
)
def honour_erasure_requests() -> None:
    @task
    def retain() -> dict[str, int]:
        from lifecourse.orchestration import steps

        return steps.retain()

    @task
    def honour() -> dict[str, int]:
        from lifecourse.orchestration import steps

        return steps.honour_erasure_requests()

    retain() >> honour()


honour_erasure_requests()
