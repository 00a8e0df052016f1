"""`lifecourse spans` on many histories: 30,000 customers with ten million facts over three years, unless told otherwise.

Prints rows, seconds and the largest memory of this process and Postgres together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from benchmarks.peak import peak_memory, server_process
from lifecourse import histories
from lifecourse.warehouse.connection import warehouse

FIRST, AS_OF = date(2023, 3, 1), date(2026, 3, 1)
DAYS = (AS_OF - FIRST).days
#: Facts of a customer, on average.
STUDY, OUTCOMES, HOMEWORK, LINES = 150, 110, 65, 4


def _write(folder: Path, name: str, columns: dict[str, object]) -> int:
    table = pa.table(columns)
    pacsv.write_csv(table, folder / f"{name}.csv")
    return table.num_rows


def _dates(numbers: np.ndarray) -> np.ndarray:
    dates: np.ndarray = (np.datetime64(FIRST) + numbers.astype("timedelta64[D]")).astype("datetime64[D]")
    return dates


def _day(numbers: np.ndarray, mask: np.ndarray | None = None) -> pa.Array:
    return pa.array(_dates(numbers), mask=mask)


def _instant(numbers: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    at = _dates(numbers).astype("datetime64[s]") + seconds.astype("timedelta64[s]")
    text: np.ndarray = np.char.add(np.datetime_as_string(at), "+00:00")
    return text


def make(folder: Path, customers: int, seed: int = 1) -> int:
    """Writes histories of terms that follow one another or not, with study inside them; how many facts."""
    draw = np.random.default_rng(seed)
    ids = np.array([f"C{n:07}" for n in range(customers)])
    begins = draw.integers(0, DAYS - 200, customers)

    def of_customers(each: int) -> np.ndarray:
        return np.sort(draw.integers(0, customers, customers * each))

    def days_of(who: np.ndarray) -> np.ndarray:
        return np.minimum(begins[who] + draw.gamma(1.5, 160, len(who)).astype(int), DAYS - 1)

    facts = _write(
        folder,
        "customers",
        {"customer_id": ids, "campus_id": np.char.add("P", (np.arange(customers) % 40).astype(str))},
    )
    facts += _write(folder, "contacts", {"customer_id": ids, "day": _day(begins)})

    who = of_customers(LINES)
    granted = np.minimum(begins[who] + draw.integers(0, 600, len(who)), DAYS - 1)
    line_ids = np.char.add("L", np.arange(len(who)).astype(str))
    is_package = draw.random(len(who)) < 0.4
    nothing = pa.nulls(len(who), pa.string())
    facts += _write(
        folder,
        "lines",
        {
            "line_id": line_ids, "customer_id": ids[who], "order_id": np.char.add("O", np.arange(len(who)).astype(str)),
            "is_gift": pa.array(draw.random(len(who)) < 0.1), "kind": np.where(is_package, "package", "period"),
            "granted_on": _day(granted), "starts_on": _day(granted + 5), "ends_on": _day(granted + 5 + draw.integers(30, 200, len(who))),
            "lessons": pa.array(np.where(is_package, 40, 0), mask=~is_package),
            "delivery": np.where(draw.random(len(who)) < 0.5, "scheduled", "self_paced"), "cut_on": nothing, "cut_by": nothing,
        },
    )  # fmt: skip

    line = np.sort(draw.integers(0, len(who), customers * OUTCOMES))
    held = granted[line] + draw.integers(5, 120, len(line))
    second = draw.integers(0, 36_000, len(line))
    facts += _write(
        folder,
        "outcomes",
        {
            "customer_id": ids[who[line]], "line_id": line_ids[line],
            "lesson_at": _instant(held, second),
            "outcome": np.array(["attended", "absent", "leave"])[draw.choice(3, len(line), p=[0.85, 0.1, 0.05])],
            "hours": np.ones(len(line), dtype=int),
        },
    )  # fmt: skip

    who = of_customers(STUDY)
    facts += _write(folder, "study", {"customer_id": ids[who], "day": _day(days_of(who))})
    who = of_customers(HOMEWORK)
    due = days_of(who)
    is_done = draw.random(len(who)) < 0.8
    facts += _write(
        folder, "homework",
        {"customer_id": ids[who], "due_on": _day(due),
         "submitted_on": _day(due - 1, ~is_done)},
    )  # fmt: skip
    who = of_customers(1)
    opened = days_of(who)
    facts += _write(
        folder,
        "complaints",
        {"customer_id": ids[who], "opened_on": _day(opened), "closed_on": _day(opened + 7)},
    )
    who = of_customers(2)
    facts += _write(
        folder, "nps",
        {"customer_id": ids[who],
         "responded_at": _instant(days_of(who), np.arange(len(who)) % 36_000),
         "score": draw.integers(0, 11, len(who))},
    )  # fmt: skip
    return facts


def main() -> None:
    """Command line of the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=30_000)
    customers = parser.parse_args().customers
    with tempfile.TemporaryDirectory() as temporary:
        events, out = Path(temporary) / "events", Path(temporary) / "out"
        events.mkdir()
        facts = make(events, customers)
        print(f"{customers:,} customers, {facts:,} facts", flush=True)
        began = time.perf_counter()
        with peak_memory(server_process(warehouse())) as peak:
            rows = histories.tell(events, AS_OF, out)
        took = time.perf_counter() - began
        print(
            f"{took:.0f} s, {facts / took:,.0f} facts/s; "
            + ", ".join(f"{n:,} {name}" for name, n in rows.items())
        )
        print(f"at most {peak.text} MiB, this process and Postgres together")


if __name__ == "__main__":
    main()
