"""Pull to raw against a bare COPY pipe and against dlt: one Postgres table of 12 columns.

Every figure is taken in one run on the same server, one after the other: bare COPY pipe; our path whole
(pull with its comparison of key ranges, row checks, merge by key) for a first load, with nothing changed (as the next
night finds it, and with the whole table read again as after a reset of the watermark) and with everything changed;
dlt's load that merges by key, first and with everything changed.

Bars (rows per second as a share of the bare pipe's): 0.3, 0.3, 0.15; and four times dlt.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from lifecourse.loading.merge import merge_system
from lifecourse.loading.pull import pull_system
from lifecourse.sources.spec import SystemSpec, load_system
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.setup import drop_databases, set_up

DAY = date(2026, 3, 1)

SOURCE = """
create table if not exists bench_payment (
    payment_id bigint primary key, order_id bigint not null, campus_id integer not null, method text not null,
    status text not null, amount numeric(18, 2) not null, fee_amount numeric(18, 2), currency text not null,
    channel_transaction_id text, paid_at timestamptz not null, note_code text, updated_at timestamptz not null
)
"""

FILL = """
insert into bench_payment
select n, n / 2, n % 40, (array['wechat', 'alipay', 'card', 'cash'])[1 + n % 4],
    case when n % 50 = 0 then 'failed' else 'succeeded' end, (n % 100000) / 100.0, (n % 600) / 100.0, 'CNY',
    'T' || md5(n::text), timestamptz '2023-03-01' + n * interval '90 seconds', 'N' || n % 1000,
    timestamptz '2023-03-01' + n * interval '90 seconds'
from generate_series(1, {rows}) as n
"""

YAML = """
system: bench
serves: payments
kind: sql
url: simulated:sim_payments
tables:
  - name: payment
    from: public.bench_payment
    key: [payment_id]
    change_time: updated_at
    suite: bench_payment
    columns:
      payment_id: {type: bigint}
      order_id: {type: bigint}
      campus_id: {type: integer}
      method: {type: text}
      status: {type: text}
      amount: {type: money}
      fee_amount: {type: money}
      currency: {type: text}
      channel_transaction_id: {type: text}
      paid_at: {type: timestamptz}
      note_code: {type: text}
      updated_at: {type: timestamptz}
"""

SUITE = '''
"""Row rules of the measured table, of the kinds that the real ones have."""

from lifecourse.quality.rules import Suite, at_least, currency, one_of, required, table_suite


def suite() -> Suite:
    """Ten checks over twelve columns."""
    return table_suite(
        "payments",
        required("payment_id", "order_id", "method", "status", "amount", "currency", "paid_at", "updated_at"),
        one_of("method", "wechat", "alipay", "card", "cash", "bank"),
        one_of("status", "succeeded", "failed", "pending"),
        at_least("negative_amount", "amount"),
        currency(),
    )
'''


@contextlib.contextmanager
def _own_databases() -> Iterator[Warehouse]:
    """A warehouse under a suffix of its own beside the user's, dropped afterwards."""
    os.environ["LIFECOURSE_DATABASE_SUFFIX"] = "_bench"
    mine = replace(warehouse(), suffix="_bench")
    databases = ("lifecourse", "sim_payments")
    drop_databases(mine, databases)
    set_up(mine, databases)
    try:
        yield mine
    finally:
        drop_databases(mine, databases)


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _bare_pipe(mine: Warehouse) -> None:
    with (
        mine.connect(Role.SOURCE_READER, "sim_payments") as source,
        mine.connect(Role.LOADER) as target,
    ):
        target.execute("drop table if exists landing.bare")
        columns = source.execute("select * from bench_payment limit 0").description or []
        names = ", ".join(column.name for column in columns)
        target.execute(BARE)
        with (
            source.cursor().copy(
                f"copy (select {names} from bench_payment) to stdout (format binary)".encode()
            ) as out,
            target.cursor().copy(f"copy landing.bare ({names}) from stdin (format binary)".encode()) as into,
        ):
            for block in out:
                into.write(block)
        target.commit()


BARE = SOURCE.replace("if not exists bench_payment", "landing.bare").replace(" primary key", "").encode()


def _ours(mine: Warehouse, spec: SystemSpec, parts: dict[str, float]) -> None:
    began = time.perf_counter()
    pulled = pull_system(spec, DAY, mine)
    if pulled.errors:
        raise SystemExit(f"pull failed: {pulled.errors}")
    middle = time.perf_counter()
    merged = merge_system(spec, DAY, mine)
    if merged.refused:
        raise SystemExit(f"merge refused: {merged.refused}")
    parts["pull"] = middle - began
    parts["check and merge"] = time.perf_counter() - middle


def _read_everything_again(mine: Warehouse) -> None:
    """So that the next pull reads the whole table, not its last days."""
    with mine.connect(Role.LOADER) as connection:
        connection.execute("update meta.watermark set pulled_to = '2000-01-01'")
        connection.commit()


def _change_everything(mine: Warehouse) -> None:
    with mine.connect(Role.SIMULATOR, "sim_payments", autocommit=True) as connection:
        connection.execute(
            "update bench_payment set fee_amount = fee_amount + 1, updated_at = updated_at + interval '1 second'"
        )
        connection.execute("vacuum analyze bench_payment")


def _dlt(mine: Warehouse, folder: Path) -> Callable[[], object]:
    """dlt's fastest way from Postgres that merges by key: sql_database over Arrow, Parquet-free insert by CSV."""
    os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", DLT_DATA_DIR=str(folder), RUNTIME__LOG_LEVEL="ERROR")
    import dlt
    from dlt.destinations import postgres
    from dlt.sources.sql_database import sql_table

    pipeline = dlt.pipeline(
        "bench",
        destination=postgres(mine.url(Role.SIMULATOR, "sim_payments"), create_indexes=False),
        dataset_name="dlt_bench",
        pipelines_dir=str(folder),
    )

    def load() -> None:
        table = sql_table(
            mine.url(Role.SIMULATOR, "sim_payments", driver="postgresql+psycopg2"),
            table="bench_payment",
            backend="pyarrow",
            chunk_size=100_000,
            primary_key="payment_id",
            write_disposition={"disposition": "merge", "strategy": "upsert"},
        )
        info = pipeline.run(table, loader_file_format="csv")
        info.raise_on_failed_jobs()

    return load


def run(rows: int, with_dlt: bool, repeats: int, console: Console) -> dict[str, float]:
    """Measures and prints; seconds by name (the median where a step is repeated)."""
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary, _own_databases() as mine:
        folder = Path(temporary)
        (folder / "bench.yml").write_text(YAML)
        (folder / "bench_payment.py").write_text(SUITE)
        os.environ["LIFECOURSE_EXPECTATIONS_DIR"] = str(folder)
        from lifecourse.settings import settings

        settings.cache_clear()
        spec = load_system(folder / "bench.yml")
        with mine.connect(Role.SIMULATOR, "sim_payments", autocommit=True) as connection:
            connection.execute(SOURCE.encode())
            connection.execute(FILL.format(rows=rows).encode())
            connection.execute("create index on bench_payment (updated_at)")
            connection.execute("vacuum analyze bench_payment")
            connection.execute(f"grant select on bench_payment to {Role.SOURCE_READER.login}".encode())
        # Loading Great Expectations takes seconds, once per process and not per table: not what is measured.
        import great_expectations  # noqa: F401

        import lifecourse.quality.gx  # noqa: F401

        parts: dict[str, dict[str, float]] = {}

        def ours(name: str) -> None:
            parts[name] = {}
            seconds[name] = _timed(lambda: _ours(mine, spec, parts[name]))
            console.print(f"  {name}: {seconds[name]:.1f} s", parts[name])

        pipes = [_timed(lambda: _bare_pipe(mine)) for _ in range(repeats)]
        ours("first load")
        ours("nothing changed")
        _read_everything_again(mine)
        ours("nothing changed, all read again")
        _change_everything(mine)
        pipes += [_timed(lambda: _bare_pipe(mine))]
        _read_everything_again(mine)
        ours("everything changed")
        seconds["bare COPY pipe"] = statistics.median(pipes)
        if with_dlt:
            load = _dlt(mine, folder)
            seconds["dlt, first load"] = _timed(load)
            _change_everything(mine)
            seconds["dlt, everything changed"] = _timed(load)
        _verify(mine, rows)
    return seconds


def _verify(mine: Warehouse, rows: int) -> None:
    with mine.connect(Role.LOADER) as connection:
        found = connection.execute(
            "select (select count(*) from raw.bench__payment), (select count(*) from raw_history.bench__payment)"
        ).fetchone()
    if found != (rows, rows):
        raise SystemExit(f"expected {rows} rows in raw and in raw_history, found {found}")


BARS = {
    "first load": 0.3,
    "nothing changed": 0.3,
    "nothing changed, all read again": 0.3,
    "everything changed": 0.15,
}


def main() -> None:
    """Command line of the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--without-dlt", action="store_true")
    parser.add_argument("--repeats", type=int, default=3, help="times the bare pipe is measured")
    options = parser.parse_args()
    console = Console()
    began = datetime.now(UTC)
    seconds = run(options.rows, not options.without_dlt, options.repeats, console)
    bare = seconds["bare COPY pipe"]
    table = Table(title=f"pull, {options.rows:,} rows of 12 columns")
    for heading in ("step", "seconds", "rows/s", "share of bare pipe", "bar", "times dlt's best"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    # Importing dlt and its first look at the schema are in its first load; the best of both is what it can do.
    dlt = min((took for name, took in seconds.items() if name.startswith("dlt")), default=None)
    for name, took in seconds.items():
        bar = BARS.get(name)
        table.add_row(
            name,
            f"{took:.2f}",
            f"{options.rows / took:,.0f}",
            f"{bare / took:.2f}",
            "" if bar is None else f"{bar:.2f} {'met' if bare / took >= bar else 'MISSED'}",
            "" if dlt is None else f"{dlt / took:.1f}",
        )
    console.print(table)
    console.print(f"measured in {(datetime.now(UTC) - began) // timedelta(seconds=1)} s", style="dim")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, psycopg.errors.AdminShutdown):
        main()
