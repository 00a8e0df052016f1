"""# train_models

Fits the models of lifetime value (BG/NBD, Gamma-Gamma, sBG) and of risk (churn, renewal, failing) to the published
build, every Monday at six. Parameters go to `meta.model_parameter` and `meta.risk_model`; the next build scores with them
(`mart_lifetime_value`, `mart_churn_risk`, `mart_renewal`, `mart_pass_risk`). Between two trainings builds go on with the
parameters they have. A model of risk that does not beat the rule "danger is on" is kept, but not used: the run is green,
and `mart_risk_model` says why the rule stands. So it is where lifetime value has too few payers: predictions stay empty.

## When it is red

1. *Nothing is published yet*: publish a day first, then clear the task.
2. *What stands in core is not what is published*: a build is under way, or failed before it was published. Look at
   `build_marts`; once it is green, clear the task. It is tried again by itself as well.
3. *The likelihood has no maximum*: look at `core.int_purchase_history`. Does nearly nobody buy again, or are purchases
   of one day spread over several? The parameters of the last fit stay in use until then.
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
        "0 6 * * 1", timezone=os.environ.get("LIFECOURSE_TIMEZONE", "Asia/Shanghai")
    ),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "data",
        "retries": 3,
        "retry_delay": timedelta(minutes=10),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=15),
        "execution_timeout": timedelta(hours=1),
        "on_failure_callback": alert,
    },
    tags=["models"],
    doc_md=__doc__,
)
def train_models() -> None:
    @task
    def fit() -> dict[str, int]:
        from lifecourse.orchestration import steps

        return steps.train_models()

    fit()


train_models()
