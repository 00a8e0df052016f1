"""The production models and the reference tell the same lifecycle, row by row, for every customer.

Thousands of random histories per database run; where the open dataset is present, its students as well. A
difference prints the customer, what each side says, and the customer's facts: the definition page decides who
is right, then READINGS.md.
"""

from __future__ import annotations

import csv
import importlib.util
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from . import oulad_histories
from .histories import AS_OF, bulk, bulk_institution, drawn_by_hypothesis, rows_of_history, shuffled, write
from .lifecycle_reference import (
    COLUMNS,
    OUTPUT_COLUMNS,
    Day,
    History,
    Institution,
    iso,
    lifecycles,
    read_histories,
    rows_of,
)

Rows = Mapping[str, Mapping[str, list[tuple[str, ...]]]]

#: The project's sample, or a folder with the whole data set.
OULAD = Path(os.environ.get("LIFECOURSE_TEST_OULAD_DIR", Path(__file__).parents[2] / "data" / "oulad_sample"))
CUSTOMERS_SHOWN = 5


def by_production(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that runs the production models, in a warehouse of its own."""
    is_missing = importlib.util.find_spec("lifecourse.histories") is None
    skip = pytest.mark.skipif(is_missing, reason="lifecourse/histories.py is not part of this checkout")
    return pytest.mark.slow(skip(pytest.mark.usefixtures("warehouse")(test)))


# -- the two sides -----------------------------------------------------------------------------------


def of_production(events: Path, as_of: Day, out: Path) -> Rows:
    """The three results of the production models: per customer, then per file, the sorted rows."""
    from lifecourse.histories import spans

    spans(events, date.fromordinal(as_of), out)
    found: dict[str, dict[str, list[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(list))
    for name, columns in OUTPUT_COLUMNS.items():
        with (out / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            assert tuple(next(reader)) == columns
            for row in reader:
                found[row[0]][name].append(tuple(row))
    for files in found.values():
        for rows in files.values():
            rows.sort()
    return found


def of_reference(people: Sequence[History], as_of: Day, house: Institution) -> Rows:
    """The same of the reference."""
    processes = os.cpu_count() or 1 if len(people) > 5000 else 1
    results = lifecycles(people, as_of, house, processes)
    return {
        history.customer_id: {name: sorted(rows) for name, rows in rows_of(result).items()}
        for history, result in zip(people, results, strict=True)
    }


def differences(people: Iterable[History], ours: Rows, theirs: Rows, house: Institution) -> list[str]:
    """One text per customer on whom production (``ours``) and reference (``theirs``) differ."""
    found = []
    for history in people:
        parts = []
        for name in OUTPUT_COLUMNS:
            said = ours.get(history.customer_id, {}).get(name, [])
            expected = theirs.get(history.customer_id, {}).get(name, [])
            if said != expected:
                only_said = [f"  + {', '.join(row[1:])}" for row in said if row not in expected]
                only_expected = [f"  - {', '.join(row[1:])}" for row in expected if row not in said]
                again = [] if only_said or only_expected else ["  rows told more than once"]
                parts.append(
                    "\n".join([f" {name} (+ production, - reference):"] + only_expected + only_said + again)
                )
        if parts:
            found.append("\n".join([f"customer {history.customer_id}", *parts, told(history, house)]))
    return found


def told(history: History, house: Institution) -> str:
    """A customer's facts as they stand in the files."""
    lines = [f" facts (campus {history.campus_id}):"]
    for name, rows in rows_of_history(history).items():
        if name != "customers" and rows:
            lines.append(f"  {name}({', '.join(COLUMNS[name])})")
            lines += sorted(f"    {', '.join('' if v is None else str(v) for v in row[1:])}" for row in rows)
    rules = [f"{rule}={value}" for campus, rule, value in house.rules if campus in (None, history.campus_id)]
    closed = [iso(d) for campus, d in house.closed_days if campus in (None, history.campus_id)]
    lines.append(f"  rules: {', '.join(rules) or 'default'}")
    lines.append(f"  closed: {', '.join(closed) or 'none'}")
    return "\n".join(lines)


def compare(people: Sequence[History], house: Institution, as_of: Day, folder: Path) -> None:
    """Both sides on the same histories; fails with the first few customers on whom they differ."""
    write(folder / "events", people, house)
    ours = of_production(folder / "events", as_of, folder / "out")
    strangers = set(ours) - {history.customer_id for history in people}
    assert not strangers, f"customers that nobody asked for: {sorted(strangers)[:5]}"
    found = differences(people, ours, of_reference(people, as_of, house), house)
    if found:
        shown = "\n\n".join(sorted(found, key=len)[:CUSTOMERS_SHOWN])
        pytest.fail(f"{len(found)} of {len(people)} customers differ, the shortest first:\n\n{shown}")


# -- comparisons -------------------------------------------------------------------------------------


@by_production
def test_random_histories(tmp_path: Path) -> None:
    """Several seeds, seeded and drawn by hypothesis, in one database run."""
    people = [history for seed in (1, 2, 3) for history in bulk(seed, 900)]
    people += [history for seed in (11, 12) for history in drawn_by_hypothesis(seed, 150)]
    compare(people, bulk_institution(2), AS_OF, tmp_path)


@by_production
def test_random_histories_under_other_rules_on_another_day(tmp_path: Path) -> None:
    """Other holidays and rules, facts in no order, and a day that much of the facts come after."""
    people = bulk(21, 700) + drawn_by_hypothesis(22, 100)
    rng = random.Random(21)
    disordered = [shuffled(history, rng) for history in rng.sample(people, len(people))]
    compare(disordered, bulk_institution(21), AS_OF - 190, tmp_path)


@by_production
@pytest.mark.skipif("LIFECOURSE_TEST_SEEDS" not in os.environ, reason="LIFECOURSE_TEST_SEEDS names no seeds")
def test_random_histories_of_more_seeds(tmp_path: Path) -> None:
    """A search beyond the daily tests, e.g. LIFECOURSE_TEST_SEEDS=101,102: 3,000 customers a seed."""
    for seed in map(int, os.environ["LIFECOURSE_TEST_SEEDS"].split(",")):
        people = bulk(seed, 2800) + drawn_by_hypothesis(seed, 200)
        compare(people, bulk_institution(seed), AS_OF - 37 * (seed % 5), tmp_path / str(seed))


@by_production
def test_nobody_at_all(tmp_path: Path) -> None:
    """A folder in which every file is missing but one, and that is empty."""
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "customers.csv").write_text("customer_id,campus_id\n")
    assert of_production(tmp_path / "events", AS_OF, tmp_path / "out") == {}


@by_production
def test_real_students(tmp_path: Path) -> None:
    """Students of the Open University: the sample's, or all 28,785 of LIFECOURSE_TEST_OULAD_DIR (ten minutes)."""
    as_of = oulad_histories.LAST_PRESENTATION_OVER.toordinal()
    oulad_histories.convert(OULAD, tmp_path / "events")
    people = list(read_histories(tmp_path / "events"))
    ours = of_production(tmp_path / "events", as_of, tmp_path / "out")
    house = Institution()
    found = differences(people, ours, of_reference(people, as_of, house), house)
    shown = "\n\n".join(sorted(found, key=len)[:CUSTOMERS_SHOWN])
    assert not found, f"{len(found)} of {len(people)} students differ, the shortest first:\n\n{shown}"


# -- the comparison itself ---------------------------------------------------------------------------


def test_a_difference_is_told_with_the_facts() -> None:
    history = next(h for h in bulk(1, 20) if h.lines and h.study)
    house = bulk_institution(1)
    theirs = of_reference([history], AS_OF, house)
    assert differences([history], theirs, theirs, house) == []
    (text,) = differences([replace(history)], {}, theirs, house)
    assert history.customer_id in text
    assert "spans (+ production, - reference)" in text
    assert iso(history.study[0]) in text
