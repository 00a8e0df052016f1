"""The production models and the plain ledger agree to the cent, row by row, on books that hypothesis or a seed draws."""

from __future__ import annotations

import csv
import os
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from lifecourse import books as production
from lifecourse.feeding import HistoryError
from lifecourse.warehouse.connection import Warehouse

from . import money_books
from .money_books import AS_OF, books_of, drawn_books, write
from .money_ledger import Books, Outcome, cents, kept, owed, shares

SHOWN = 12
Rows = dict[str, set[tuple[str, ...]]]

by_production = pytest.mark.slow


def of_production(books: Books, as_of: date, folder: Path, server: Warehouse) -> Rows:
    """What the models write, as rows of text."""
    write(folder / "in", books)
    production.keep(folder / "in", as_of, folder / "out", server, is_tested=True)
    found: Rows = {}
    for name in production.RESULTS:
        with (folder / "out" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = [tuple(row) for row in csv.reader(file)][1:]
        assert len(rows) == len(set(rows)), f"{name}: rows told more than once"
        found[name] = set(rows)
    return found


def of_ledger(outcome: Outcome) -> Rows:
    """The same of the ledger."""
    measures = {"billing": "billings", "refund": "refunds", "expired": "expired"}
    lots, consumption = set(), set()
    for lot in outcome.lots.values():
        lots.add((
            lot.lot_id, lot.customer_id, lot.campus_id, lot.product_line, lot.currency, lot.kind,
            str(lot.given_up_on or ""), str(lot.expired_on or ""), text(lot.billed), text(lot.refunded),
            text(lot.value),
        ))  # fmt: skip
    for (attendance, lot_id), (coverage, hours, revenue) in outcome.consumption.items():
        consumption.add((attendance, lot_id or "", coverage, text(hours), text(revenue)))
    return {
        "lots": lots,
        "consumption": consumption,
        "movements": {
            (lot, str(day), kind, measures.get(kind, "recognised"), text(amount))
            for (lot, day, kind), amount in outcome.movements.items()
        },
        "deferred_days": {
            (str(day), *book, *map(text, amounts)) for (day, *book), amounts in outcome.days.items()
        },
    }


def text(amount: Decimal) -> str:
    return f"{amount:.2f}"


def differences(ours: Rows, theirs: Rows) -> list[str]:
    found = []
    for name, rows in theirs.items():
        said = {row[:5] for row in ours[name]} if name == "consumption" else ours[name]
        found += [f"{name}: ledger has {', '.join(row)}" for row in sorted(rows - said)[:SHOWN]]
        found += [f"{name}: models have {', '.join(row)}" for row in sorted(said - rows)[:SHOWN]]
    return found


def compare(books: Books, as_of: date, folder: Path, server: Warehouse) -> Rows:
    ours = of_production(books, as_of, folder, server)
    found = differences(ours, of_ledger(kept(books, as_of)))
    assert not found, "\n".join(found)
    return ours


@by_production
def test_books_drawn_by_hypothesis(tmp_path: Path, warehouse: Warehouse) -> None:
    """Every kind of movement and of coverage occurs, and each row is the ledger's."""
    ours = compare(drawn_books(200), AS_OF, tmp_path, warehouse)
    kinds = {row[2] for row in ours["movements"]}
    assert kinds == {"billing", "refund", "consumed", "adjusted", "clawback", "settled", "expired"}
    assert {row[2] for row in ours["consumption"]} == {"package", "period", "none"}
    assert {row[3] for row in ours["deferred_days"]} == {"CNY", "USD"}


@by_production
def test_an_earlier_day_is_the_later_one_cut_off(tmp_path: Path, warehouse: Warehouse) -> None:
    """As of an earlier day, with all facts there, the books are those of the later day up to it."""
    books, earlier = books_of(2, 300), AS_OF - timedelta(days=75)
    before = compare(books, earlier, tmp_path / "before", warehouse)
    after = compare(books, AS_OF, tmp_path / "after", warehouse)
    for name, day_at in (("movements", 1), ("consumption", 6), ("deferred_days", 0)):
        assert before[name] == {row for row in after[name] if row[day_at] <= earlier.isoformat()}, name


@by_production
@pytest.mark.skipif("LIFECOURSE_TEST_SEEDS" not in os.environ, reason="LIFECOURSE_TEST_SEEDS names no seeds")
def test_random_books_of_more_seeds(tmp_path: Path, warehouse: Warehouse) -> None:
    """A search beyond the daily tests, e.g. LIFECOURSE_TEST_SEEDS=101,102."""
    for seed in map(int, os.environ["LIFECOURSE_TEST_SEEDS"].split(",")):
        as_of = AS_OF - timedelta(days=37 * (seed % 5))
        compare(books_of(seed, 1500), as_of, tmp_path / str(seed), warehouse)


# -- the ledger and the comparison themselves -----------------------------------------------------------


@pytest.mark.parametrize("seed", range(20, 26))
def test_the_ledger_balances(seed: int) -> None:
    """What is owed on all lots is the last closing of all books, and no lot is owed less than nothing."""
    outcome = kept(books_of(seed, 60), AS_OF)
    assert all(amount > 0 for (_, _, kind), amount in outcome.movements.items() if kind == "clawback")
    balances = dict(owed(outcome))
    assert min(balances.values()) >= 0
    closing = sum((amounts[-1] for key, amounts in outcome.days.items() if key[0] == AS_OF), Decimal(0))
    assert closing == sum(balances.values())


def test_shares_add_up() -> None:
    thirds = shares(Decimal("100.00"), [Decimal(1)] * 3)
    assert [str(each) for each in thirds] == ["33.33", "33.34", "33.33"]
    assert cents(-cents_of("0.005")) == Decimal("-0.01")


def cents_of(amount: str) -> money_books.Any:
    from fractions import Fraction

    return Fraction(amount)


def test_a_difference_of_a_cent_is_found() -> None:
    rows = of_ledger(kept(books_of(3, 40), AS_OF))
    full: Rows = {**rows, "consumption": {(*row, "CNY", "") for row in rows["consumption"]}}
    assert differences(full, rows) == []
    row = next(row for row in rows["deferred_days"] if row[-1] != "0.00")
    other = (*row[:-1], text(Decimal(row[-1]) + Decimal("0.01")))
    assert len(differences({**full, "deferred_days": full["deferred_days"] - {row} | {other}}, rows)) == 2


@by_production
@pytest.mark.parametrize(
    ("row", "needed"),
    [
        (["", "refund_clause", "1", ""], "refund_clause needs a choice, and no value"),
        (["", "refund_clause", "1", "pro_rata"], "refund_clause needs a choice, and no value"),
        (["", "late_consumes", "", "pro_rata"], "late_consumes needs a value, and no choice"),
        (["", "late_consumes", "", ""], "late_consumes needs a value, and no choice"),
    ],
)
def test_a_rule_is_a_number_or_a_word(
    tmp_path: Path, module_warehouse: Warehouse, row: list[str], needed: str
) -> None:
    write(tmp_path, Books())
    text = ",".join(row)
    (tmp_path / "rules.csv").write_text(f"campus_id,rule,value,choice\n{text}\n", encoding="utf-8")
    with pytest.raises(HistoryError) as caught:
        production.keep(tmp_path, AS_OF, tmp_path / "out", module_warehouse)
    assert caught.value.what == needed
    assert caught.value.where == "rules.csv line 2"
