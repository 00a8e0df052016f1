"""The questions of docs/cookbook/lifecycle, asked by a reader of marts after the two nights of the demo.

`scripts/cookbook` runs this file with LIFECOURSE_WRITE_ANSWERS set: it writes the answers instead of comparing them.
Five of the questions are answered a second time in plain Python, from the rows of other tables than the SQL reads.
"""

from __future__ import annotations

import itertools
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from lifecourse import building
from lifecourse.handbook import cookbook
from lifecourse.handbook.cookbook import Answer, Question
from lifecourse.orchestration.demo import Simulated
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.roles import SIMULATED
from lifecourse.warehouse.setup import set_up
from tests.support import payments_server, run_night

pytestmark = pytest.mark.slow

WRITES = bool(os.environ.get("LIFECOURSE_WRITE_ANSWERS"))
QUESTIONS = cookbook.questions()
DEMO = Simulated(2_000)
AS_OF = DEMO.nights[1]
IN_A_RUN = ("onboarding", "growth", "mature")


@dataclass(frozen=True)
class Span:
    customer: str
    campus: str
    run: int
    stage: str
    base: str
    first: date
    #: Day after the last; the day after the build while open.
    end: date

    def holds(self, day: date) -> bool:
        return self.first <= day < self.end


@dataclass(frozen=True)
class Leaving:
    """The end of a run, read from the spans: a run's day, and a churned one after it."""

    customer: str
    run: int
    base: str
    on: date


@dataclass
class Marts:
    """What a reader sees, as rows of reportable customers by time."""

    warehouse: Warehouse
    spans: dict[str, list[Span]]
    #: (customer, run) -> (signal class, opened on, day after the last).
    signals: dict[tuple[str, int], list[tuple[str, date, date]]]

    def ask(self, number: int) -> list[dict[str, str]]:
        [question] = [each for each in QUESTIONS if each.number == number]
        columns, *rows = self.answer(question)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def answer(self, question: Question) -> Answer:
        with self.warehouse.connect(Role.BI_READER) as connection:
            return cookbook.ask(connection, question)

    def leavings(self) -> list[Leaving]:
        return [
            Leaving(before.customer, before.run, before.base, after.first)
            for spans in self.spans.values()
            for before, after in itertools.pairwise(spans)
            if before.base in IN_A_RUN and after.base in ("terminated", "dormant")
        ]


@pytest.fixture(scope="module")
def marts(module_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marts]:
    """The demo's institution after its two nights, without Airflow and without bills, which hold no build up."""
    set_up(module_warehouse, SIMULATED)
    with pytest.MonkeyPatch.context() as patch, payments_server(module_warehouse) as address:
        patch.setenv("LIFECOURSE_PAYMENTS_URL", address)
        DEMO.live(module_warehouse, lambda _: None)
        for night in DEMO.nights:
            if night == AS_OF:
                DEMO.go_on(module_warehouse, lambda _: None)
            run_night(module_warehouse, night, ("teaching", "signup", "payments"))
            building.build(night, into=module_warehouse)
    yield read(module_warehouse)
    if WRITES:
        cookbook.PAGE.write_text(cookbook.page(), encoding="utf-8")


def read(warehouse: Warehouse) -> Marts:
    spans: dict[str, list[Span]] = defaultdict(list)
    signals: dict[tuple[str, int], list[tuple[str, date, date]]] = defaultdict(list)
    with warehouse.connect(Role.ANALYST) as connection:
        reportable = {
            customer
            for (customer,) in connection.execute(
                "select customer_id from marts.dim_customer where is_reportable"
            )
        }
        for row in connection.execute(
            "select customer_id, coalesce(campus_id, 'none'), run_no, stage_code, base_stage, valid_from, valid_to"
            " from marts.fct_lifecycle_span order by customer_id, valid_from"
        ):
            if row[0] in reportable:
                spans[row[0]].append(Span(*row[:6], row[6] or AS_OF + timedelta(days=1)))
        for customer, run, kind, opened, closed in connection.execute(
            "select customer_id, run_no, signal_class, opened_on, closed_on from marts.fct_risk_signal"
        ):
            if customer in reportable:
                signals[customer, run].append((kind, opened, closed or AS_OF + timedelta(days=1)))
    return Marts(warehouse, dict(spans), dict(signals))


def test_there_are_twelve_questions_and_no_answer_without_one() -> None:
    assert [each.number for each in QUESTIONS] == list(range(1, 13))
    if not WRITES:
        answers = set((cookbook.FOLDER / "answers").iterdir())
        assert answers == {each.answer_path for each in QUESTIONS}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.path.stem)
def test_the_answer_is_the_one_in_the_book(marts: Marts, question: Question) -> None:
    text = cookbook.to_csv(marts.answer(question))
    if WRITES:
        question.answer_path.parent.mkdir(exist_ok=True)
        question.answer_path.write_text(text, encoding="utf-8")
    assert text == question.answer_path.read_text(encoding="utf-8"), (
        "run scripts/cookbook, and read the difference"
    )
    assert text.count("\n") > 1


def test_an_answer_does_not_hang_on_the_order_of_rows(marts: Marts) -> None:
    """Without indexes the planner reads in another order; what is ordered by everything stays."""
    with marts.warehouse.connect(Role.BI_READER) as connection:
        for setting in ("enable_hashjoin", "enable_hashagg", "enable_indexscan", "enable_bitmapscan"):
            connection.execute(f"set {setting} = off")
        for question in QUESTIONS:
            assert cookbook.ask(connection, question) == marts.answer(question), question.path.name


def test_every_cause_is_found_where_the_page_says(marts: Marts) -> None:
    places = {
        "orders": ("fct_order", "order_id"),
        "order_lines": ("fct_order_line", "order_line_id"),
        "enrolments": ("fct_enrolment", "enrolment_id"),
        "refunds": ("fct_refund", "refund_id"),
        "attendance": ("fct_attendance", "attendance_id"),
        "learning_sessions": ("fct_learning_day", "first_session_id"),
        "leads": ("fct_lead", "lead_id"),
        "fct_risk_signal": ("fct_risk_signal", "risk_signal_id"),
    }
    page = cookbook.PAGE.read_text(encoding="utf-8")
    with marts.warehouse.connect(Role.ANALYST) as connection:
        named = {
            cause_table
            for (cause_table,) in connection.execute(
                "select distinct cause_table from marts.fct_lifecycle_transition where reason_code <> 'first_contact'"
            )
        }
        assert named == places.keys() - {"leads"}
        for cause_table, (fact, key) in places.items():
            assert f"`{cause_table}` in `{fact}" in page or cause_table == fact
            missing = connection.execute(
                f"select count(*) from marts.fct_lifecycle_transition where cause_table = '{cause_table}'"
                f" and cause_id not in (select {key} from marts.{fact})"  # the keys are never null
            ).fetchone()
            assert missing == (0,), cause_table


# The same figures in plain Python --------------------------------------------------------------------------


def test_customers_by_stage_from_spans(marts: Marts) -> None:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for spans in marts.spans.values():
        [now] = [span for span in spans if span.holds(AS_OF)]
        for campus in (now.campus, "all"):
            counted[campus].update([now.stage, "customers"])
    told = {row.pop("campus_id"): {name: int(value) for name, value in row.items()} for row in marts.ask(1)}
    assert {campus: {name: n for name, n in row.items() if n} for campus, row in told.items()} == counted


def test_days_to_growth_from_spans(marts: Marts) -> None:
    with marts.warehouse.connect(Role.ANALYST) as connection:
        channels = dict(
            connection.execute(
                "select customer_id, coalesce(acquisition_channel, 'unknown') from marts.dim_customer"
            ).fetchall()
        )
    days: dict[str, list[float]] = defaultdict(list)
    for customer, spans in marts.spans.items():
        first_run = [span for span in spans if span.run == 1 and span.base in IN_A_RUN]
        if not first_run or first_run[0].first > AS_OF - timedelta(days=180):
            continue
        later = [span.first for span in first_run if span.base in ("growth", "mature")]
        took = (later[0] - first_run[0].first).days if later else 9999
        days[channels[customer]].append(took if took <= 180 else float("inf"))
    expected = {
        channel: (sum(each < 9999 for each in took), len(took), statistics.median_low(took))
        for channel, took in days.items()
    }
    assert expected == {
        row["channel_code"]: (
            int(row["reached_students"]),
            int(row["first_purchase_students"]),
            float(row["median_days"] or "inf"),
        )
        for row in marts.ask(3)
    }


def test_leavers_with_a_signal_from_spans_and_signals(marts: Marts) -> None:
    leavings = marts.leavings()
    with_signal = sum(
        any(
            kind != "renewal" and opened < leaving.on and closed > leaving.on - timedelta(days=90)
            for kind, opened, closed in marts.signals.get((leaving.customer, leaving.run), [])
        )
        for leaving in leavings
    )
    [told] = [row for row in marts.ask(4) if row["churn_reason"] == "all leavers"]
    assert (int(told["runs_with_signal"]), int(told["runs"])) == (with_signal, len(leavings))
    assert told["with_signal_rate"] == f"{with_signal / len(leavings):.3f}"


def test_where_customers_leave_from_by_spans(marts: Marts) -> None:
    left = Counter(leaving.base for leaving in marts.leavings())
    reached = {
        base: len(
            {
                (span.customer, span.run)
                for spans in marts.spans.values()
                for span in spans
                if span.base == base
            }
        )
        for base in IN_A_RUN
    }
    assert {row["base_stage"]: (int(row["left_runs"]), int(row["reached_runs"])) for row in marts.ask(5)} == {
        base: (left[base], reached[base]) for base in IN_A_RUN
    }


def test_win_backs_from_spans(marts: Marts) -> None:
    won_back = leavers = waiting = 0
    for leaving in marts.leavings():
        last_on = leaving.on - timedelta(days=1)
        if last_on + timedelta(days=180) > AS_OF:
            waiting += 1
            continue
        leavers += 1
        won_back += any(
            span.run > leaving.run and leaving.on <= span.first <= last_on + timedelta(days=180)
            for span in marts.spans[leaving.customer]
        )
    [told] = [row for row in marts.ask(8) if row["churn_reason_class"] == "all"]
    assert won_back > 0
    assert (int(told["won_back"]), int(told["leavers"]), int(told["leavers_not_yet_judged"])) == (
        won_back, leavers, waiting,
    )  # fmt: skip


def test_growth_accounting_day_by_day(marts: Marts) -> None:
    """Active sets per month from the days of spans, not from fct_customer_month."""
    active: dict[str, set[str]] = defaultdict(set)
    for customer, spans in marts.spans.items():
        for span in spans:
            if span.base in IN_A_RUN:
                for offset in range((span.end - span.first).days):
                    active[str(span.first + timedelta(days=offset))[:7]].add(customer)
    months = sorted(active)
    expected = {}
    for place, month in enumerate(months):
        now, before = active[month], active[months[place - 1]] if place else set()
        ever = set().union(*(active[each] for each in months[:place]))
        expected[month] = (
            len(now),
            len(now - ever),
            len(now & before),
            len((now & ever) - before),
            len(before - now),
        )
    told = {
        row["month_on"][:7]: tuple(
            int(row[f"{name}_students"]) for name in ("active", "new", "retained", "resurrected", "churned")
        )
        for row in marts.ask(11)
    }
    assert len(told) == 13
    assert told == {month: expected[month] for month in told}
