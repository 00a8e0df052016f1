"""What tasks import, imported once: Airflow's workers are forked from a process that has loaded this module.

Great Expectations, dbt and Airflow's own task runner take ten seconds of a processor to import. Ten tasks of a night
that import them one by one would spend more time on that than on a small institution's rows. The scheduler's option
``[core] mp_forkserver_preload`` names this module; nothing else should import it.
"""

import contextlib

import airflow.sdk.execution_time.supervisor
import airflow.sdk.execution_time.task_runner  # noqa: F401

# A module that cannot be imported fails in the task that needs it, where somebody sees it.
with contextlib.suppress(ImportError):
    import great_expectations  # noqa: F401

    import lifecourse.loading
    import lifecourse.quality.audit
    import lifecourse.quality.rows

with contextlib.suppress(ImportError):
    import lifecourse.building
    import lifecourse.warehouse.publish  # noqa: F401
