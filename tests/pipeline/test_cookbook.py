"""The questions of docs/cookbook, asked by a reader of marts after the two nights of the demo.

The segment marts of the same nights are reckoned a second time in pandas (tests/reference/segment_metrics.py), and the
models of lifetime value fitted to them.

`scripts/cookbook` runs this file with LIFECOURSE_WRITE_ANSWERS set: it writes the answers instead of comparing them.
Five of those on the lifecycle are answered a second time in plain Python, from the rows of other tables than the SQL reads.
"""

from __future__ import annotations

import itertools
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from psycopg import sql
from rich.console import Console

from lifecourse import building
from lifecourse.customer_base.bg_nbd import BgNbd
from lifecourse.customer_base.fitting import fit
from lifecourse.customer_base.gamma_gamma import GammaGamma
from lifecourse.customer_base.sbg import Sbg
from lifecourse.handbook import cookbook, figures
from lifecourse.handbook.cookbook import BOOKS, Answer, Book, Question
from lifecourse.orchestration.demo import Simulated
from lifecourse.privacy.show import show as show_erasure
from lifecourse.simulator.experiments import PLANTED
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.roles import SIMULATED
from lifecourse.warehouse.setup import set_up
from tests.reference.board_metrics import BOARDS, costs_of_keeping
from tests.reference.segment_metrics import RECKONED, Facts, differences, types
from tests.support import payments_server, run_night

pytestmark = pytest.mark.slow

WRITES = bool(os.environ.get("LIFECOURSE_WRITE_ANSWERS"))
OF_BOOK = {book.name: cookbook.questions(book.folder) for book in BOOKS}
QUESTIONS = [question for questions in OF_BOOK.values() for question in questions]
DEMO = Simulated(2_000)
AS_OF = DEMO.nights[1]
#: Marts whose scores, places and shares move for everybody, with their keys.
RANKED = {
    "mart_rfm": "customer_id", "mart_customer_value": "customer_id", "mart_segment_matrix": "customer_id",
    "mart_core_likeness": "person_id", "mart_lead_tier": "lead_id",
}  # fmt: skip
IN_A_RUN = ("onboarding", "growth", "mature")

MOVES_EVERY_DAY = ("mart_rfm", "mart_core_likeness", "mart_lead_tier")


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
    #: Rows of the ranked marts as the first night published them: mart -> key -> (transaction, row).
    first_night: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    def ask(self, number: int) -> list[dict[str, str]]:
        """A question of the book on the lifecycle, by its number."""
        [question] = [each for each in OF_BOOK["lifecycle"] if each.number == number]
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
    """The demo's institution after its two nights, without Airflow."""
    set_up(module_warehouse, SIMULATED)
    with pytest.MonkeyPatch.context() as patch, payments_server(module_warehouse) as address:
        patch.setenv("LIFECOURSE_PAYMENTS_URL", address)
        DEMO.live(module_warehouse, lambda _: None)
        for night in DEMO.nights:
            if night == AS_OF:
                DEMO.go_on(module_warehouse, lambda _: None)
            # The bills of the day before came in the morning.
            run_night(module_warehouse, night - timedelta(days=1), ("bills",))
            run_night(module_warehouse, night, ("teaching", "signup", "payments"))
            building.build(night, into=module_warehouse)
            if night != AS_OF:
                published = ranked_rows(module_warehouse)
                # The second night scores with what was fitted to the first.
                fit(module_warehouse)
    seen = read(module_warehouse)
    seen.first_night = published
    yield seen
    if WRITES:
        for book in BOOKS:
            book.page.write_text(cookbook.page(book), encoding="utf-8")


def ranked_rows(warehouse: Warehouse) -> dict[str, dict[str, tuple[str, str]]]:
    with warehouse.connect(Role.ADMIN) as connection:
        return {
            mart: {
                key: (transaction, row)
                for key, transaction, row in connection.execute(
                    sql.SQL("select {}, xmin::text, it::text from marts.{} as it").format(
                        sql.Identifier(column), sql.Identifier(mart)
                    )
                ).fetchall()
            }
            for mart, column in RANKED.items()
        }


@pytest.mark.parametrize("mart", RANKED)
def test_of_marts_with_places_only_rows_that_differ_are_published(marts: Marts, mart: str) -> None:
    before, now = marts.first_night[mart], ranked_rows(marts.warehouse)[mart]
    same = {key for key, (_, row) in now.items() if key in before and before[key][1] == row}
    rewritten = {key for key in now if key in before and before[key][0] != now[key][0]}
    # Days since a purchase, and a likeness to all core customers, differ every day for everybody.
    assert len(same) > 100 or mart in MOVES_EVERY_DAY
    assert rewritten & same == set()
    # What differs was written indeed, and there was something.
    assert rewritten == {key for key in now if key in before} - same
    assert len(rewritten) > 0


def test_the_history_of_attributes_leaves_no_day_out_and_ends_with_what_holds(marts: Marts) -> None:
    with marts.warehouse.connect(Role.BI_READER) as connection:
        gaps = connection.execute(
            """
            select count(*) from (
                select valid_to, lead(valid_from) over (partition by customer_id order by version_no) as next_from
                from marts.dim_customer_history
            ) as versions
            where valid_to is distinct from next_from
            """
        ).fetchone()
        unlike = connection.execute(
            """
            select count(*), count(*) filter (
                where history.customer_id is null
                or (history.campus_id, history.grade, history.school, history.region) is distinct from
                    (customer.campus_id, customer.grade, customer.school, customer.region)
                or history.valid_from > customer.first_contact_on and history.version_no = 1
            )
            from marts.dim_customer as customer
            left join marts.dim_customer_history as history
                on history.customer_id = customer.customer_id and history.is_current
            where exists (
                select 1 from marts.dim_customer_history as known where known.customer_id = customer.customer_id
            )
            """
        ).fetchone()
    assert gaps == (0,)
    assert unlike is not None and unlike[0] > 1_000 and unlike[1] == 0


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


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_questions_are_numbered_and_no_answer_is_without_one(book: Book) -> None:
    numbers = [each.number for each in OF_BOOK[book.name]]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(1, book.last + 1))
    if not WRITES:
        answers = set(book.answers.glob("*"))
        assert answers == {each.answer_path for each in OF_BOOK[book.name]}


def test_no_question_on_the_lifecycle_is_missing() -> None:
    assert len(OF_BOOK["lifecycle"]) == cookbook.LIFECYCLE.last


@pytest.mark.parametrize(
    "question", QUESTIONS, ids=lambda question: f"{question.path.parent.name}-{question.path.stem}"
)
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
    page = cookbook.LIFECYCLE.page.read_text(encoding="utf-8")
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


# The segment marts -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def facts(marts: Marts) -> Facts:
    """The published tables as pandas has them."""

    def read(table: str) -> pd.DataFrame:
        with marts.warehouse.connect(Role.ANALYST) as connection:
            cursor = connection.execute(sql.SQL("select * from marts.{}").format(sql.Identifier(table)))
            assert cursor.description is not None
            return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])

    return Facts(read, AS_OF)


@pytest.mark.parametrize("mart", {**RECKONED, **BOARDS})
def test_a_segment_mart_equals_its_second_reckoning(facts: Facts, mart: str) -> None:
    found = differences(facts, mart, {**RECKONED, **BOARDS}[mart])
    assert found.empty, found.head(20).to_string()
    assert len(facts[mart]) > 20


def test_what_keeping_and_winning_a_customer_costs_is_what_is_booked_by_heads(facts: Facts) -> None:
    again = costs_of_keeping(facts)
    mart = facts["mart_campus_loyalty"].set_index(["month_on", "campus_id"])[again.columns].astype(float)
    pd.testing.assert_frame_equal(mart, again.astype(float), rtol=0, atol=1e-5)
    assert again.retention_to_acquisition_cost.notna().sum() > 50
    # Spend of channels and sales cost are shared out to the cent.
    roi, loyalty = facts["mart_channel_roi"], facts["mart_campus_loyalty"]
    whole = roi[roi.sales_cost_amount.notna()].groupby("month_on").cost_amount.sum()
    shared = (
        loyalty[loyalty.acquisition_cost_amount.notna()].groupby("month_on").acquisition_cost_amount.sum()
    )
    months = whole.index.intersection(shared.index)
    assert len(months) > 30
    assert whole[months].astype(float).to_numpy() == pytest.approx(
        shared[months].astype(float).to_numpy(), abs=0.005
    )


def test_experiments_are_told_apart_by_what_was_planted(facts: Facts) -> None:
    found = facts["mart_experiment"].set_index("experiment_id")
    verdict = {what: found.verdict[str(planted.number)] for what, planted in PLANTED.items()}
    assert verdict == {
        "an effect": "treatment_better",
        "no effect": "no_difference_shown",
        "not the size planned": "not_the_planned_size_yet",
        "a lost part of an arm": "arms_differ_from_the_draw",
    }
    effect = found.loc[str(PLANTED["an effect"].number)]
    assert effect.difference_low < PLANTED["an effect"].effect < effect.difference_high
    assert found.difference.isna().sum() == 1


def test_sums_over_campuses_equal_the_whole(facts: Facts) -> None:
    scoreboard, growth = facts["mart_campus_scoreboard"], facts["mart_growth_accounting"]
    loyalty, days = facts["mart_campus_loyalty"], facts["mart_channel_day"]
    active = facts.active_months.groupby("month_on").customer_id.nunique()
    by_month = growth.groupby("month_on").active_customers.sum()
    assert by_month[active.index].to_numpy() == pytest.approx(active.to_numpy())
    cash = days.assign(month_on=days.day_on.dt.to_period("M").dt.to_timestamp()).groupby("month_on")
    sold = scoreboard.groupby("month_on").net_billings_amount.sum().astype(float)
    came_in = cash.net_billings_amount.sum().astype(float).reindex(sold.index).fillna(0)
    assert sold.to_numpy() == pytest.approx(came_in.to_numpy(), abs=0.005)
    new = facts.customers.first_purchase_on.dropna().dt.to_period("M").dt.to_timestamp().value_counts()
    assert loyalty.groupby("month_on").new_students.sum()[new.index].to_numpy() == pytest.approx(
        new.to_numpy()
    )
    assert facts["mart_channel_roi"].groupby("month_on").new_payers.sum()[
        new.index
    ].to_numpy() == pytest.approx(new.to_numpy())


def test_heads_and_money_of_the_customer_types_add_up(facts: Facts) -> None:
    found = types(facts)
    summary = facts["mart_segment_summary"].groupby("type_code")[["customers", "net_paid_12m_amount"]].sum()
    pd.testing.assert_frame_equal(
        summary.sort_index(), found.sort_index(), check_dtype=False, check_exact=False, rtol=0, atol=0.005
    )
    assert summary.customers.sum() == len(facts.customers) == len(facts["mart_segment_matrix"])
    assert (summary.customers > 0).sum() >= 9


def test_what_is_predicted_is_what_the_models_say(marts: Marts, facts: Facts) -> None:
    with marts.warehouse.connect(Role.TRANSFORMER) as connection:
        histories = pd.DataFrame(
            connection.execute(
                "select customer_id, purchases, recency_of_last_days, age_days, net_amount, term_no, term_ends_on,"
                " term_days, term_amount, current_phase from core.int_purchase_history"
            ).fetchall(),
            columns=["customer_id", "x", "t_x", "t", "net", "term", "ends", "days", "amount", "phase"],
        ).set_index("customer_id")
        fitted = connection.execute(
            "select model, parameter, value, fitted_as_of from meta.model_parameter"
        ).fetchall()
    assert {row[3] for row in fitted} == {DEMO.nights[0]}
    values = {(model, name): value for model, name, value, _ in fitted}

    def parameters(model: str, *names: str) -> list[float]:
        return [values[model, name] for name in (*names, "log_likelihood")]

    mart = facts["mart_lifetime_value"].set_index("customer_id")
    assert set(mart.prediction_basis) == {"repeat_purchase", "terms"}
    assert mart.predicted_12m_amount.notna().all()
    repeat = histories.loc[mart.index[mart.prediction_basis == "repeat_purchase"]]
    x, t_x, t, net = (repeat[name].astype(float).to_numpy() for name in ("x", "t_x", "t", "net"))
    often = BgNbd(*parameters("bg_nbd", "r", "alpha", "a", "b"))
    dear = GammaGamma(*parameters("gamma_gamma", "p", "q", "v"))
    expected = often.expected_purchases(x - 1, t_x / 7, t / 7, 365 / 7)
    assert expected == pytest.approx(mart.expected_purchases_12m[repeat.index].astype(float), abs=1e-3)
    amounts = expected * dear.expected_amount(x, np.maximum(net, 0) / x)
    assert amounts == pytest.approx(mart.predicted_12m_amount[repeat.index].astype(float), abs=0.01)

    stay = Sbg(*parameters("sbg", "alpha", "beta"))
    year = AS_OF + timedelta(days=365)
    terms = histories.loc[mart.index[mart.prediction_basis == "terms"]]
    for customer, term, ends, days, amount, phase in terms[
        ["term", "ends", "days", "amount", "phase"]
    ].itertuples():
        length = max(round(float(days)), 28)
        due = (
            [n for n in range(40) if ends + timedelta(days=n * length) <= year]
            # Who has not renewed within 30 days of the end has lapsed.
            if phase == "existing" and ends + timedelta(days=30) > AS_OF
            else []
        )
        rates = stay.renewal_rate(term + np.arange(len(due)))
        assert float(mart.predicted_12m_amount[customer]) == pytest.approx(
            float(np.cumprod(rates).sum()) * float(amount), abs=0.02
        )
    assert len(repeat) > 500
    assert len(terms) > 300


def shown(marts: Marts) -> dict[str, object]:
    """Every figure of the documentation that a command writes, and the books."""
    with marts.warehouse.connect(Role.BI_READER) as connection:
        found: dict[str, object] = {
            name: connection.execute(query.encode()).fetchall()
            for name, (_, query) in figures.FIGURES.items()
        }
        found |= {
            table: connection.execute(
                sql.SQL("select * from marts.{} order by 1, 2, 3, 4").format(sql.Identifier(table))
            ).fetchall()
            for table in ("fct_deferred_revenue_day", "mart_campus_scoreboard")
        }
    return found | {str(question.path): marts.answer(question) for question in QUESTIONS}


def test_the_erasure_that_the_demo_ends_with_changes_no_figure(marts: Marts) -> None:
    """The last test of this file: it erases somebody."""
    before = shown(marts)
    console = Console(record=True, width=200, force_terminal=False)
    show_erasure(console, marts.warehouse)
    said = console.export_text()
    assert "is honoured" in said
    assert "nobody has this id" in said
    after = shown(marts)
    assert [name for name in before if before[name] != after[name]] == []
