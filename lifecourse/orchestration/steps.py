"""What the tasks of the DAGs call: one function per task, safe to run twice, nothing of Airflow in it.

A day is a business day of the institution as text (``2026-03-01``), the partition key of the run. Nothing
here reads the clock. What is returned ends up in XCom, so it is counts, ids and names of systems only.
"""

from __future__ import annotations

import functools
import logging
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

import psycopg

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.warehouse.connection import WarehouseUnreachable

log = logging.getLogger(__name__)

#: The three kinds of the contract, and the systems of any kind that do not hold the build up.
Group = Literal["signup", "teaching", "payments", "bills"]


P = ParamSpec("P")
T = TypeVar("T")


def _step(retry_helps: bool = True) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Lets only errors out whose text holds no value of a row: Airflow writes them into its log.

    Drivers and parsers quote what they stumbled over. Their message is replaced by the kind of error and the
    lines of code it went through, and the chain behind it is cut. Where a retry would find the same again
    (`retry_helps` false), an error of ours fails the task at once, so that people hear of it now.
    """

    def decorate(step: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(step)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return step(*args, **kwargs)
            except NoBusinessDay as error:
                clean: LifecourseError = _final(error)
            except LifecourseError as error:
                is_final = not retry_helps and not isinstance(error, WarehouseUnreachable)
                clean = _final(error) if is_final else LifecourseError(error.what, error.where, error.do)
            except psycopg.Error as error:
                clean = LifecourseError(
                    sanitised(error), _went_through(error), "nothing of it was kept; the task is tried again"
                )
            except Exception as error:
                clean = LifecourseError(
                    _kind_of(error),
                    _went_through(error),
                    "read the code at these lines; to see the text run the step by hand (`lifecourse --help`)",
                )
            raise clean from None

        return guarded

    return decorate


def _final(error: LifecourseError) -> LifecourseError:
    """The same error in a form that makes Airflow skip the remaining retries."""
    from airflow.sdk.exceptions import AirflowFailException

    class FinalError(LifecourseError, AirflowFailException):  # type: ignore[misc]
        """No retry can help."""

    return FinalError(error.what, error.where, error.do)


class NoBusinessDay(LifecourseError):
    """The run was triggered without a partition key, or with one that is no day."""


#: Errors about code and files: their text names attributes, modules and types, never a row's value.
_ABOUT_CODE = (AttributeError, NameError, ImportError, NotImplementedError, RecursionError, MemoryError)


def _kind_of(error: Exception) -> str:
    if isinstance(error, _ABOUT_CODE):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return f"{type(error).__name__}, whose text may hold data and is left out"


def _went_through(error: BaseException) -> str:
    """The last lines of code of ours that an error came through, innermost last, without any value."""
    project = Path(__file__).resolve().parents[2]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(project / "lifecourse")] or frames
    return " > ".join(f"{Path(f.filename).name}:{f.lineno}" for f in ours[-4:])


def systems_of(group: Group) -> list[str]:
    """Names of the connected systems a pull DAG looks after, in order; every system is in one group."""
    from lifecourse.sources.spec import load_systems

    return [
        name
        for name, spec in sorted(load_systems().items())
        if (spec.serves == group and spec.holds_build) or (group == "bills" and not spec.holds_build)
    ]


@_step()
def pull(group: Group, day: str | None) -> dict[str, int]:
    """Lands every table of the group's systems for the business day; rows read per system.

    Raises `LifecourseError` where a source cannot be reached; systems before it have landed already and are
    not read again by a retry. A single table that is not as described stops neither this step nor the merge
    of the others: it is named in the log, and its system will not deliver.
    """
    from lifecourse.loading import pull_system

    business_day = _day(day)
    rows = {}
    for system in _announced(group):
        report = pull_system(system, business_day)
        rows[system] = sum(report.rows.values())
        for table, problem in report.errors.items():
            log.error("%s.%s was not read: %s", system, table, problem)
    return rows


@_step()
def check_and_merge(group: Group, day: str | None) -> dict[str, dict[str, int]]:
    """Checks and merges every landed batch of the group's systems; what became of the rows, per system.

    A refused batch stops neither the others nor this step: it is named in the log, and its system will not
    deliver.
    """
    from lifecourse.loading import merge_system

    business_day = _day(day)
    became: dict[str, dict[str, int]] = {}
    for system in _announced(group):
        report = merge_system(system, business_day)
        counts = Counter[str]()
        for table in report.tables.values():
            counts.update(vars(table))
        became[system] = dict(counts)
        log.info("%s: %s", system, ", ".join(f"{count} {what}" for what, count in counts.items()))
        for name, problem in report.refused.items():
            log.error("%s.%s was refused: %s", system, name, problem)
    return became


@_step(retry_helps=False)
def deliver(group: Group, day: str | None) -> list[str]:
    """Records in `meta.delivery` that the group's systems have delivered the day; the systems."""
    from lifecourse.loading import deliver as deliver_system

    business_day = _day(day)
    systems = _announced(group)
    for system in systems:
        deliver_system(system, business_day)
    return systems


@_step(retry_helps=False)
def begin(
    day: str | None, rebuild_day: str | None = None, known_at: int | None = None, full: bool = False
) -> str:
    """Asks `meta` whether every connected system has delivered the day, and opens a build; its id.

    `rebuild_day` asks for an old day instead of the partition's. Raises `LifecourseError` naming the systems
    that have not delivered.
    """
    as_of = _day(rebuild_day or day)
    from lifecourse import building

    if rebuild_day and known_at is None:
        _refuse_unless_old(as_of)
    return building.begin(as_of, full=full, known_at=known_at)


@_step()
def transform(build_id: str) -> str:
    """Runs dbt for the build; run again after a failure it resumes where it failed."""
    from lifecourse import building

    building.transform(build_id)
    return build_id


@_step(retry_helps=False)
def audit(build_id: str) -> str:
    """Audits the candidate; `LifecourseError` names the checks that failed and where their report is."""
    from lifecourse import building

    building.audit(build_id)
    return build_id


@_step()
def publish(build_id: str) -> str:
    """Publishes the build in one transaction; the schema it can be read in (an old day's stays in its own)."""
    from lifecourse import building

    done = building.publish(build_id)
    return "marts" if done.schema_name == "core" else done.schema_name


@_step()
def retain() -> dict[str, int]:
    """Asks for the erasure of whom nobody needs any more, and drops old versions; how many by rule."""
    from lifecourse.privacy import retention

    return retention.apply()


@_step()
def honour_erasure_requests() -> dict[str, int]:
    """Takes the requests in the inbox into the ledger and honours what is open; how many of each.

    Raises `LifecourseError` naming the tables and files in which something of a person is left.
    """
    from lifecourse.privacy import erasure, ledger

    return {"by_file": ledger.read_inbox(), "honoured": len(erasure.honour())}


@_step()
def train_models() -> dict[str, object]:
    """Fits the models of lifetime value and of risk to the published build; payers behind each, and verdicts.

    Raises `LifecourseError` where nothing is published, or core is ahead of what is. Models of lifetime value without
    enough payers are left out, as long as those of risk have their verdict.
    """
    from lifecourse.customer_base.fitting import NotEnough, fit
    from lifecourse.risk.fitting import fit as fit_risk

    verdicts = {each.target: each.proof.verdict for each in fit_risk()}
    try:
        payers = {each.model: int(each.parameters["payers"]) for each in fit()}
    except NotEnough as error:
        log.warning("models of lifetime value: %s", error)
        payers = {}
    return {**payers, **verdicts}


@_step(retry_helps=False)
def check_freshness(at: datetime) -> dict[str, object]:
    """How old `marts` is at an instant; raises `LifecourseError` when older than allowed.

    The age of a publication counts from the end of its business day in the institution's zone, so a night
    that went well gives about half an hour in the morning and 24.5 hours the evening after.
    """
    from lifecourse.orchestration.settings import orchestration_settings
    from lifecourse.settings import settings
    from lifecourse.sources.spec import load_systems
    from lifecourse.warehouse.connection import warehouse

    with warehouse().connect("transformer") as connection:
        row = connection.execute(
            "select max(as_of) from meta.publication where rolled_back_at is null"
        ).fetchone()
        delivered: dict[str, date] = dict(
            connection.execute(
                "select system, max(business_day) from meta.delivery group by system"
            ).fetchall()
        )
    as_of: date | None = row[0] if row else None
    allowed = orchestration_settings().marts_max_age_hours
    latest = ", ".join(
        f"{name} {delivered.get(name, 'never')}"
        for name, spec in sorted(load_systems().items())
        if spec.holds_build
    )
    if as_of is None:
        raise LifecourseError(
            f"nothing has been published yet; last deliveries: {latest}",
            "marts",
            "see the documentation of watch_freshness and build_marts",
        )
    end_of_day = datetime.combine(as_of + timedelta(days=1), time(), settings().zone)
    age = (at - end_of_day) / timedelta(hours=1)
    if age > allowed:
        raise LifecourseError(
            f"data are as of {as_of}, {age:.1f} hours old, allowed are {allowed:g}; last deliveries: {latest}",
            "marts",
            "see the documentation of watch_freshness",
        )
    return {"as_of": as_of.isoformat(), "age_hours": round(age, 2), "allowed_hours": allowed}


def _announced(group: Group) -> list[str]:
    systems = systems_of(group)
    if systems:
        log.info("systems: %s", ", ".join(systems))
    else:
        log.info("no connected system belongs to %s: nothing to do, the day counts as delivered", group)
    return systems


def _day(text: str | None) -> date:
    if not text:
        raise NoBusinessDay(
            "the run has no business day", do="trigger it with a partition key such as 2026-03-01"
        )
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NoBusinessDay(
            f"{text[:40]!r} is no business day", do="use a partition key such as 2026-03-01"
        ) from None


def _refuse_unless_old(day: date) -> None:
    """Somebody who asks for an old day's answer must not find that it was published."""
    from lifecourse.building.plan import current
    from lifecourse.warehouse.connection import warehouse

    with warehouse().connect("transformer") as connection:
        published = current(connection)
    if published is None or day >= published.as_of:
        has = f"readers have {published.as_of}" if published else "nothing is published yet"
        raise LifecourseError(
            f"{day} is not an old day: {has}",
            "rebuild_day",
            "to build it for readers, trigger build_marts with it as the partition key",
        )
