"""Builds of the simulated institution, small and large: full, nightly, an ordinary day.

For every number of customers, in databases of their own: the three simulated source systems are made and pulled,
then four builds are measured, each with audit and publication:

* full: the first build of everything;
* an ordinary day: the institution lives a day, which is pulled;
* 1 %: rows of 1 % of the customers change in the sources, which are pulled the next day;
* as many touched as in the size before: the same night with more untouched customers;
* the last two again, the same day built twice: nobody is due by time alone any more, only those touched are computed.

Ratios within the run, with their bars: full of ten times the customers (at most 13); the night with 1 % touched
against full at the largest size (at most 0.10); the night with ten times the untouched (at most 1.3). On a new day
time alone makes further customers due (homework falls due, a signal opens), ten times as many among ten times the
customers; the column "computed" counts them, and the ratios are given with them and without. Beside the clock stand
processor seconds of this process and the server: on a machine that others use, the clock measures them too.

A last table adds up the seconds of single models by folder: a model of which nothing that it reads has changed takes none.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import psycopg
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.peak import Peak, peak_memory, processor_seconds, server_process
from lifecourse.building import run as stages
from lifecourse.loading import deliver, merge_system, pull_system
from lifecourse.settings import PROJECT, settings
from lifecourse.simulator.institution import Institution
from lifecourse.warehouse.connection import SUFFIX_VARIABLE, Role, Warehouse, warehouse
from lifecourse.warehouse.setup import drop_databases, set_up

#: A Tuesday: none of the days after it is a Sunday (every test on every row) or the first of a month (everybody
#: active in the month before is due).
LAST_DAY = date(2026, 3, 10)
TOUCHED_SHARE = 0.01
SYSTEMS = ("teaching", "signup", "payments")
DATABASES = ("lifecourse", "sim_signup", "sim_teaching", "sim_payments")
STAGES = ("seed", "run", "test", "audit", "publish")
SLOWEST = 6

FULL, ORDINARY = "full", "ordinary day"
TOUCHED, TOUCHED_AGAIN = "1 % touched", "1 % touched, none due"
SAME, SAME_AGAIN = "same touched", "same touched, none due"

CHOOSE = """
create temp table chosen as
select learner_id from public.learners
order by md5(learner_id::text || %s::text), learner_id
limit %s
"""

#: What a day of study leaves behind: two sessions in the app, and a lesson that a teacher has marked again.
TOUCH = (
    """
    insert into public.learning_sessions
        (session_id, learner_id, enrolment_id, kind, activity_count, duration_minutes, started_at)
    select
        (select max(session_id) from public.learning_sessions) + row_number() over (order by learner_id, hour),
        learner_id, null, 'video', 3, 25, %s + hour * interval '1 hour'
    from chosen cross join (values (15), (19)) as hours (hour)
    """,
    """
    update public.attendance set updated_at = %s + interval '20 hours'
    where attendance_id in (
        select max(attendance_id) from public.attendance inner join chosen using (learner_id) group by learner_id
    )
    """,
)


@dataclass
class Step:
    """One measured build."""

    customers: int
    name: str
    asked_for: int = 0
    touched: int = 0
    computed: int = 0
    kind: str = ""
    source_rows: int = 0
    load_seconds: float = 0.0
    seconds: float = 0.0
    processor: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    rows_written: int = 0
    peak: Peak = field(default_factory=Peak)
    nodes: list[tuple[float, str]] = field(default_factory=list)


class _Nodes(logging.Handler):
    """Seconds of every seed, model and test of a build, from the log of the dbt runs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple) and len(record.args) == 4 and "in %.2f s" in str(record.msg):
            kind, name, _, seconds = record.args
            self.seen.append((float(str(seconds)), f"{kind} {name}"))


@contextlib.contextmanager
def _own_databases(customers: int, keep: bool) -> Iterator[tuple[Warehouse, Path]]:
    """Databases under a suffix of their own, and sources that are all databases: payments go by COPY as well.

    What is measured is the build; the API's pages would only make its preparation longer.
    """
    suffix = f"_bench_{customers}"
    folder = Path(tempfile.mkdtemp(prefix="lifecourse-bench-"))
    for name in ("signup", "teaching"):
        shutil.copy(PROJECT / "sources" / f"{name}.yml", folder)
    payments = yaml.safe_load((PROJECT / "sources" / "payments.yml").read_text())
    tables = [{"name": each["name"], "maps_to": each["maps_to"]} for each in payments["tables"]]
    as_database = {"system": "payments", "serves": "payments", "kind": "sql", "dialect": "postgres",
                   "url": "simulated:sim_payments", "tables": tables}  # fmt: skip
    (folder / "payments.yml").write_text(yaml.safe_dump(as_database, sort_keys=False))
    os.environ[SUFFIX_VARIABLE] = suffix
    os.environ["LIFECOURSE_SOURCES_DIR"] = str(folder)
    settings.cache_clear()
    mine = replace(warehouse(), suffix=suffix)
    drop_databases(mine, DATABASES)
    set_up(mine, DATABASES)
    try:
        yield mine, folder
    finally:
        if not keep:
            drop_databases(mine, DATABASES)
        shutil.rmtree(folder, ignore_errors=True)


def _load(mine: Warehouse, day: date) -> int:
    """Pull, merge and deliver a day of every system; rows read."""
    rows = 0
    for system in SYSTEMS:
        pulled = pull_system(system, day, mine)
        if pulled.errors:
            raise SystemExit(f"pull failed: {pulled.errors}")
        merged = merge_system(system, day, mine)
        if merged.refused:
            raise SystemExit(f"merge refused: {merged.refused}")
        deliver(system, day, mine)
        rows += sum(pulled.rows.values())
    return rows


def _touch(mine: Warehouse, day: date, learners: int, turn: int) -> None:
    with mine.connect(Role.SIMULATOR, "sim_teaching") as connection:
        connection.execute(CHOOSE, (f"{day}/{turn}", learners))
        for statement in TOUCH:
            connection.execute(statement.encode(), (day,))
        connection.commit()


def _build(mine: Warehouse, day: date, step: Step, full: bool = False) -> Step:
    nodes = _Nodes()
    log = logging.getLogger("lifecourse.building")
    log.setLevel(logging.INFO)
    log.addHandler(nodes)
    log.propagate = False
    gc.collect()
    try:
        server = server_process(mine)
        with peak_memory(server) as step.peak:
            began, spent = time.perf_counter(), processor_seconds(server)
            done = stages.build(day, full=full, into=mine)
            step.seconds = time.perf_counter() - began
            step.processor = processor_seconds(server) - spent
    finally:
        log.removeHandler(nodes)
    if done.status != "published":
        raise SystemExit(f"the build ended as {done.status}: {done.error}")
    step.kind, step.stage_seconds = done.kind, done.stage_seconds
    step.computed = done.changed_customers or 0
    step.nodes = sorted(nodes.seen, reverse=True)
    with mine.connect(Role.TRANSFORMER) as connection:
        row = connection.execute(
            """
            select
                (select coalesce(sum(value::bigint), 0) from jsonb_each_text(rows)),
                (select coalesce(sum(value::bigint), 0) from jsonb_each_text(rows_written))
            from meta.publication where build_id = %s
            """,
            (done.build_id,),
        ).fetchone()
        assert row is not None
        step.rows, step.rows_written = int(row[0]), int(row[1])
        (step.touched,) = connection.execute(
            """
            select count(distinct key) from meta.touched
            where kind = 'learner' and load_id > (select since_load_id from meta.build where build_id = %s)
            """,
            (done.build_id,),
        ).fetchone() or (0,)
    return step


def _warm(mine: Warehouse) -> None:
    """What is done once per process or per change of the code, and not per build: imports and parsing."""
    import lifecourse.quality.audit
    import lifecourse.quality.gx  # noqa: F401
    from lifecourse.building.dbt import Dbt, risk_signal_codes

    Dbt(mine).manifest(
        {"purchase_event": "order", "target_schema": "core", "canonical_schema": "canonical",
         "risk_signals": risk_signal_codes(), "as_of": LAST_DAY.isoformat()}
    )  # fmt: skip


def measure(customers: int, before: int | None, keep: bool, console: Console) -> list[Step]:
    """All builds of an institution of that many customers; `before`: customers touched in the size before."""
    done: list[Step] = []
    with _own_databases(customers, keep) as (mine, folder):
        began = time.perf_counter()
        institution = Institution(customers=customers, end_day=LAST_DAY, home=folder)
        made = institution.create(mine)
        console.print(f"{customers:,} customers: {made.total:,} source rows made in {made.seconds:.0f} s")

        def night(day: date, step: Step, full: bool = False) -> Step:
            loading = time.perf_counter()
            step.source_rows = _load(mine, day)
            step.load_seconds = time.perf_counter() - loading
            if not done:
                _warm(mine)
            done.append(_build(mine, day, step, full))
            _tell(step, console)
            return step

        night(LAST_DAY, Step(customers, FULL))
        institution.advance(mine)
        night(LAST_DAY + timedelta(days=1), Step(customers, ORDINARY))
        with mine.connect(Role.TRANSFORMER) as connection:
            (known,) = connection.execute("select count(*) from core.dim_customer").fetchone() or (0,)
        nights = [(TOUCHED, TOUCHED_AGAIN, round(TOUCHED_SHARE * known))]
        if before is not None:
            nights.append((SAME, SAME_AGAIN, before))
        for later, (new_day, same_day, learners) in enumerate(nights, 2):
            day = LAST_DAY + timedelta(days=later)
            for turn, name in enumerate((new_day, same_day)):
                _touch(mine, day, learners, turn)
                night(day, Step(customers, name))
                done[-1].asked_for = learners
        console.print(f"  all of it took {time.perf_counter() - began:.0f} s", style="dim")
    return done


def _tell(step: Step, console: Console) -> None:
    console.print(
        f"  {step.name}: {step.source_rows:,} rows loaded in {step.load_seconds:.0f} s, "
        f"{step.kind} build in {step.seconds:.1f} s {step.stage_seconds}"
    )
    for seconds, name in step.nodes[:SLOWEST]:
        console.print(f"    {seconds:.1f} s {name}", style="dim", highlight=False)


def show(steps: list[Step], console: Console) -> None:
    """The builds, then the ratios with their bars."""
    table = Table(title="builds, audit and publication included")
    headings = (
        "customers",
        "build",
        "touched",
        "computed",
        "rows",
        "written",
        "seconds",
        "processor",
        *STAGES,
        "peak MiB",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "build" else "right")
    for step in steps:
        table.add_row(
            f"{step.customers:,}", step.name, f"{step.touched:,}", f"{step.computed:,}", f"{step.rows:,}",
            f"{step.rows_written:,}", f"{step.seconds:.1f}", f"{step.processor:.1f}",
            *(f"{step.stage_seconds.get(stage, 0):.1f}" for stage in STAGES), step.peak.text,
        )  # fmt: skip
    console.print(table)
    verdicts = Table(title="ratios within this run")
    for heading in ("what", "ratio", "of processor seconds", "bar", ""):
        verdicts.add_column(heading, justify="left" if heading == "what" else "right")
    of_processor = [
        ratio for _, ratio, _ in ratios([replace(step, seconds=step.processor) for step in steps])
    ]
    for (what, ratio, bar), spent in zip(ratios(steps), of_processor, strict=True):
        said = "" if bar is None else "met" if ratio <= bar else "MISSED"
        verdicts.add_row(what, f"{ratio:.3f}", f"{spent:.3f}", "" if bar is None else f"{bar:g}", said)
    console.print(verdicts)


def show_folders(steps: list[Step], console: Console) -> None:
    """Seconds of the models of each folder. Several run at once: together they are more than the run's."""
    models = settings().dbt_project_dir / "models"
    folders = {path.stem: path.relative_to(models).parts[0] for path in models.rglob("*.sql")}
    names = sorted(set(folders.values()))
    table = Table(title="seconds of single models, by folder")
    for heading in ("customers", "build", *names):
        table.add_column(heading, justify="left" if heading == "build" else "right")
    for step in steps:
        spent = dict.fromkeys(names, 0.0)
        for seconds, node in step.nodes:
            kind, _, name = node.partition(" ")
            if kind == "model" and name in folders:
                spent[folders[name]] += seconds
        table.add_row(f"{step.customers:,}", step.name, *(f"{spent[name]:.1f}" for name in names))
    console.print(table)


def ratios(steps: list[Step]) -> list[tuple[str, float, float | None]]:
    """What is compared, the ratio of seconds, and the bar it must not be above (None: reported only)."""
    seconds = {(step.customers, step.name): step.seconds for step in steps}
    sizes = sorted({step.customers for step in steps})
    found: list[tuple[str, float, float | None]] = []
    for small, large in itertools.pairwise(sizes):
        is_tenfold = large == 10 * small
        found.append((
            f"full, {large:,} customers against {small:,}",
            seconds[large, FULL] / seconds[small, FULL], 13 if is_tenfold else None,
        ))  # fmt: skip
        for night, same, due in ((TOUCHED, SAME, "and those due"), (TOUCHED_AGAIN, SAME_AGAIN, "none due")):
            found.append((
                f"nightly, the same touched, {due}, among {large:,} customers against {small:,}",
                seconds[large, same] / seconds[small, night], 1.3 if is_tenfold else None,
            ))  # fmt: skip
    for size in sizes:
        bar = 0.10 if size == sizes[-1] else None
        for night, due in ((TOUCHED, "and those due"), (TOUCHED_AGAIN, "none due")):
            found.append((
                f"nightly, 1 % touched, {due}, against full, {size:,} customers",
                seconds[size, night] / seconds[size, FULL], bar,
            ))  # fmt: skip
        found.append((
            f"an ordinary day against full, {size:,} customers", seconds[size, ORDINARY] / seconds[size, FULL], None
        ))  # fmt: skip
    return found


def main() -> None:
    """Command line of the measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", default="10000,100000", help="sizes, the smaller first")
    parser.add_argument("--keep", action="store_true", help="leave the databases, to look at plans")
    options = parser.parse_args()
    console = Console(width=150)
    sizes = sorted(int(size) for size in options.customers.split(","))
    steps: list[Step] = []
    for size in sizes:
        before = next((step.asked_for for step in reversed(steps) if step.name == TOUCHED), None)
        steps += measure(size, before, options.keep, console)
    show(steps, console)
    show_folders(steps, console)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    console.print(f"{os.cpu_count()} cores; load of the machine at the end: {load}", style="dim")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, psycopg.errors.AdminShutdown):
        main()
