"""The segment marts a second time, in plain pandas from the published facts, as METRICS and the seeds define them.

Nothing is shared with the SQL but the seeds. Each function returns a table with the key as its index and the columns
of the mart that it reckons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
Frame = pd.DataFrame
DAY = pd.Timedelta(days=1)
FAR = pd.Timestamp(2200, 1, 1)


def seed(name: str) -> Frame:
    return pd.read_csv(SEEDS / "segments" / f"{name}.csv")


def month(days: pd.Series) -> pd.Series:
    return days.dt.to_period("M").dt.to_timestamp()


def month_over(months: Any, as_of: pd.Timestamp, days: int = 0) -> np.ndarray:
    """Whether months, and so many days after them, are over by the end of a day."""
    ends = pd.DatetimeIndex(months) + pd.offsets.MonthBegin(1)
    return np.asarray(ends + days * DAY <= as_of + DAY)


def rate(numerator: pd.Series, denominator: pd.Series, is_final: Any = True) -> pd.Series:
    """Nothing where there is nothing to divide by, nor while it can still change."""
    return (numerator / denominator.replace(0, np.nan)).where(np.broadcast_to(is_final, len(numerator)))


def earned(value: Decimal, part: int, whole: int) -> Decimal:
    """What a period has earned after so many of its days, rounded on the running total."""
    if value <= 0 or whole <= 0:
        return min(value, Decimal(0))
    return (value * part / whole).quantize(Decimal("0.01"), ROUND_HALF_UP)


@dataclass
class Facts:
    """The published tables by name; days as timestamps, amounts as floats of at most 15 digits."""

    read: Callable[[str], Frame]
    as_of_day: date

    @cached_property
    def _known(self) -> dict[str, Frame]:
        return {}

    def __getitem__(self, name: str) -> Frame:
        if name not in self._known:
            table = self.read(name)
            for column in table.columns:
                if column.endswith(("_on", "valid_from", "valid_to")):
                    table[column] = pd.to_datetime(table[column])
                elif column.endswith(("_amount", "hours", "score")) or column == "amount":
                    table[column] = pd.to_numeric(table[column])
            self._known[name] = table
        return self._known[name].copy()

    @property
    def as_of(self) -> pd.Timestamp:
        return pd.Timestamp(self.as_of_day)

    @cached_property
    def customers(self) -> Frame:
        """Reportable customers."""
        table = self["dim_customer"]
        return table[table.is_reportable].set_index("customer_id")

    @cached_property
    def money(self) -> Frame:
        """Money in and back: customer_id, day, amount."""
        paid = self["fct_payment"].query("status == 'succeeded' and currency == 'CNY'")
        back = self["fct_refund"].query("resolution == 'paid' and currency == 'CNY'")
        return pd.concat([
            paid[["customer_id", "paid_on", "amount"]].set_axis(["customer_id", "day", "amount"], axis=1),
            back.assign(amount=-back.refunded_amount)[["customer_id", "resolved_on", "amount"]]
            .set_axis(["customer_id", "day", "amount"], axis=1),
        ])  # fmt: skip

    @cached_property
    def purchase_days(self) -> Frame:
        orders = self["fct_order"]
        orders = orders[orders.purchased_on.notna()]
        orders["net"] = orders.paid_amount - orders.refunded_amount
        return orders.groupby(["customer_id", "purchased_on"], as_index=False).net.sum()

    @cached_property
    def ledger(self) -> Frame:
        """Cash and revenue: customer_id, campus_id, month_on, measure, amount."""
        moved = self["fct_revenue_movement"].query("currency == 'CNY'")
        moved = moved[moved.day_on <= self.as_of].assign(month_on=lambda table: month(table.day_on))
        rows = []
        for own in self["fct_period_revenue"].query("currency == 'CNY'").itertuples():
            value = Decimal(str(own.value_amount))
            for here in pd.period_range(own.first_on, min(own.last_on, self.as_of), freq="M"):
                first = max(own.first_on, here.start_time)
                last = min(own.last_on, here.end_time.normalize(), self.as_of)
                if first <= last:
                    before, after = (first - own.starts_on).days, (last - own.starts_on).days + 1
                    amount = earned(value, after, own.total_days) - earned(value, before, own.total_days)
                    rows.append(
                        (own.customer_id, own.campus_id, here.to_timestamp(), "recognised", float(amount))
                    )
        columns = ["customer_id", "campus_id", "month_on", "measure", "amount"]
        return pd.concat([moved[columns], pd.DataFrame(rows, columns=columns)])

    @cached_property
    def runs(self) -> Frame:
        """First and last day of each run of a reportable customer."""
        spans = self["fct_lifecycle_span"]
        spans = spans[(spans.phase_code == "existing") & spans.customer_id.isin(self.customers.index)]
        spans["last"] = spans.valid_to.fillna(self.as_of + DAY) - DAY
        return spans.groupby(["customer_id", "run_no"], as_index=False).agg(
            first=("valid_from", "min"), last=("last", "max")
        )

    @cached_property
    def active_months(self) -> Frame:
        """Customer and month with a day of a run."""
        rows = [
            (run.customer_id, start.to_timestamp())
            for run in self.runs.itertuples()
            for start in pd.period_range(run.first, run.last, freq="M")
        ]
        found = pd.DataFrame(rows, columns=["customer_id", "month_on"]).drop_duplicates()
        return found.join(self.customers.campus_id, on="customer_id")


def value(facts: Facts) -> Frame:
    """mart_customer_value: inputs (income left as it is), points, scores and segment."""
    mart = facts["mart_customer_value"].set_index("customer_id")
    spans = facts["fct_lifecycle_span"]
    current = spans[spans.is_current].set_index("customer_id")
    found = facts.customers[["grade", "learner_band"]].copy()
    found["phase_code"] = current.phase_code
    last_run = facts.runs.groupby("customer_id")["last"].max()
    found["valued_on"] = facts.as_of
    left = found.phase_code == "churned"
    found.loc[left, "valued_on"] = last_run.reindex(found.index[left])
    valued = found.valued_on
    # What a leaver was on that day, not what the source has now.
    held = facts["dim_customer_history"].merge(valued.rename("day"), left_on="customer_id", right_index=True)
    held = held[(held.valid_from <= held.day) & ~(held.valid_to <= held.day)].set_index("customer_id")
    for name in ("grade", "learner_band"):
        found.loc[held.index, name] = held[name]

    def until(table: Frame, column: str, days: int | None = None, to: int = 0) -> Frame:
        table = table[table.customer_id.isin(valued.index)]
        end = table.customer_id.map(valued) - to * DAY
        inside = table[column] <= end
        return table[inside & (table[column] > end - days * DAY)] if days else table[inside]

    def each(series: pd.Series) -> pd.Series:
        return series.reindex(found.index)

    money = until(facts.money, "day", 365)
    found["net_paid"] = each(money.groupby("customer_id").amount.sum()).fillna(0)
    lessons = until(facts["fct_lesson_consumption"], "lesson_on", 365)
    found["hours_consumed"] = each(lessons.groupby("customer_id").hours.sum()).fillna(0)
    bought = until(facts.purchase_days, "purchased_on")
    found["purchases"] = each(bought.groupby("customer_id").size()).fillna(0)
    runs = facts.runs.join(valued, on="customer_id")
    runs["days"] = (runs[["last", "valued_on"]].min(axis=1) - runs["first"]).dt.days + 1
    found["tenure"] = each(runs.groupby("customer_id").days.sum()).fillna(0)
    lines = until(facts["fct_order_line"].query("not is_gift"), "granted_on")
    sums = lines.groupby("customer_id")[["net_amount", "list_amount"]].sum()
    found["price_realised"] = each(sums.net_amount / sums.list_amount.replace(0, np.nan))
    spent = facts["fct_cost_to_serve_month"].query("currency == 'CNY'")
    spent = spent.groupby(["customer_id", "month_on"]).cost_amount.sum().rename("cost").reset_index()
    spent = spent[spent.customer_id.isin(found.index)]
    brought = facts.ledger.query("measure == 'recognised'").groupby(["customer_id", "month_on"]).amount.sum()
    spent = spent.join(brought.rename("revenue"), on=["customer_id", "month_on"])
    day = spent.customer_id.map(valued)
    over = spent.month_on + pd.offsets.MonthBegin(1) <= day + DAY
    spent = spent[over & (spent.month_on > day - 365 * DAY)].groupby("customer_id")[["cost", "revenue"]].sum()
    found["cost_to_serve"] = each((spent.cost / spent.revenue).where(spent.revenue > 0))
    for name in ("net_paid", "hours_consumed", "purchases", "tenure", "price_realised", "cost_to_serve"):
        found.loc[found.phase_code == "prospective", name] = np.nan

    found["school_years"] = found.grade.map(seed("school_years_left").set_index("grade").years_left)
    courses = facts["dim_course"].query("subject == subject").set_index("course_id")
    enrolled = until(facts["fct_enrolment"], "enrolled_on")
    taken = enrolled.join(courses[["subject", "school_level"]], on="course_id", how="inner")
    # A subject of several levels counts for the first in the alphabet.
    taken_levels = taken.groupby(["customer_id", "subject"]).school_level.min()
    held_from = pd.concat([
        facts["fct_enrolment"][["course_id", "enrolled_on"]].set_axis(["course_id", "day"], axis=1),
        facts["dim_class"][["course_id", "starts_on"]].set_axis(["course_id", "day"], axis=1),
    ]).groupby("course_id").day.min()  # fmt: skip
    courses["first_on"] = courses.index.to_series().map(held_from)

    def subjects_left(customer: str) -> float:
        own = set(taken_levels[customer].index) if customer in has_taken else set()
        band = found.learner_band[customer]
        levels = {band} if isinstance(band, str) else set(taken_levels[customer]) if own else set()
        day = valued[customer]
        offered = courses[courses.school_level.isin(levels)]
        if day < facts.as_of:
            offered = offered[offered.first_on <= day]
        return len(set(offered.subject) - own) if len(offered) else np.nan

    has_taken = set(taken_levels.index.get_level_values(0))
    found["subjects_left"] = [subjects_left(customer) for customer in found.index]
    learning = facts["fct_learning_day"].query("is_study_day")
    attended = facts["fct_attendance"].query("outcome_class == 'attended'")
    study = pd.concat([
        learning[["customer_id", "learning_on"]].set_axis(["customer_id", "day"], axis=1),
        attended[["customer_id", "lesson_on"]].set_axis(["customer_id", "day"], axis=1),
    ]).drop_duplicates()  # fmt: skip
    now = each(until(study, "day", 56).groupby("customer_id").size()).fillna(0)
    before = each(until(study, "day", 56, to=56).groupby("customer_id").size()).fillna(0)
    found["engagement_trend"] = (now / before).where(before >= 4)
    tests = facts["fct_assessment"].query("score == score and max_score > 0 and not is_banked")
    tests["share"] = pd.to_numeric(tests.score) / pd.to_numeric(tests.max_score)
    now = each(until(tests, "taken_on", 180).groupby("customer_id").share.mean())
    before = each(until(tests, "taken_on", 180, to=180).groupby("customer_id").share.mean())
    found["result_trend"] = 100 * (now - before)
    made = until(facts["fct_referral"], "referred_on")
    found["referrals"] = each(made.groupby("customer_id").size()).fillna(0)
    found["income"] = pd.to_numeric(mart.income)

    indicators = seed("value_indicators").set_index("indicator_code")
    bands = seed("value_bands")
    for dimension, of_dimension in indicators.groupby("dimension"):
        total, known = pd.Series(0.0, found.index), pd.Series(0.0, found.index)
        for code, indicator in of_dimension.iterrows():
            own = bands[bands.indicator_code == code].sort_values("min_value", na_position="first")
            place = np.searchsorted(own.min_value.fillna(-np.inf), found[code].round(4), side="right") - 1
            points = pd.Series(own.points.to_numpy()[place], found.index).where(found[code].notna())
            found[f"{code}_points"] = points
            total += (points * indicator.weight).fillna(0)
            known += points.notna() * indicator.weight
        found[f"{dimension}_weight_known"] = known
        found[f"{dimension}_value_score"] = (10 * total / known.clip(lower=5)).where(known > 0)
    high = {
        name: np.where(found[f"{name}_value_score"] > 70, "high", "low") for name in ("current", "potential")
    }
    found["value_segment"] = pd.Series(high["current"], found.index) + "_" + high["potential"]
    found["spend_amount"] = each(facts.money.groupby("customer_id").amount.sum()).fillna(0)
    return found.drop(columns=["grade", "learner_band"])


def types(facts: Facts) -> Frame:
    """mart_segment_summary by type, campuses together: heads and money."""
    found = value(facts)
    found["type_code"] = found.phase_code + "_" + found.value_segment
    recent = facts.money[facts.money.day > facts.as_of - 365 * DAY]
    found["net_paid_12m_amount"] = recent.groupby("customer_id").amount.sum().reindex(found.index).fillna(0)
    by_type = found.groupby("type_code").agg(
        customers=("valued_on", "size"), net_paid_12m_amount=("net_paid_12m_amount", "sum")
    )
    return by_type.reindex(seed("segment_strategy").type_code, fill_value=0)


def growth(facts: Facts) -> Frame:
    """mart_growth_accounting: states from the months with a day of a run, revenue from lessons and days."""
    rows = []
    last = facts.as_of.to_period("M")
    for _customer, own in facts.active_months.groupby("customer_id"):
        active = sorted(own.month_on.dt.to_period("M"))
        campus = own.campus_id.iloc[0]
        for place, here in enumerate(active):
            state = "new" if place == 0 else "retained" if active[place - 1] == here - 1 else "resurrected"
            rows.append((here, campus, state))
            if here + 1 not in active and here + 1 <= last:
                rows.append((here + 1, campus, "churned"))
    states = pd.DataFrame(rows, columns=["month_on", "campus_id", "state"])
    states["month_on"] = states.month_on.dt.to_timestamp()
    found = states.groupby(["month_on", "campus_id"]).state.value_counts().unstack(fill_value=0)
    found.columns = [f"{name}_customers" for name in found.columns]
    found["active_customers"] = found.new_customers + found.retained_customers + found.resurrected_customers
    found["active_before_customers"] = found.retained_customers + found.churned_customers
    over = month_over(found.index.get_level_values("month_on"), facts.as_of)
    found["churn_rate"] = rate(found.churned_customers, found.active_before_customers, over)
    found["quick_ratio"] = rate(
        found.new_customers + found.resurrected_customers, found.churned_customers, over
    )
    return found.join(revenue_retention(facts))


def revenue_retention(facts: Facts) -> Frame:
    """Revenue from who was active twelve months ago, then and now, by month and campus."""
    revenue = facts.ledger.query("measure == 'recognised'").groupby(["customer_id", "month_on"]).amount.sum()
    then = facts.active_months.copy()
    then["earlier"] = revenue.reindex(pd.MultiIndex.from_frame(then[["customer_id", "month_on"]])).to_numpy()
    then["month_on"] = then.month_on + pd.DateOffset(months=12)
    then["later"] = revenue.reindex(pd.MultiIndex.from_frame(then[["customer_id", "month_on"]])).to_numpy()
    then = then.fillna({"earlier": 0, "later": 0})
    then["capped"] = then[["earlier", "later"]].min(axis=1)
    found = then.groupby(["month_on", "campus_id"])[["earlier", "later", "capped"]].sum()
    over = month_over(found.index.get_level_values("month_on"), facts.as_of)
    return pd.DataFrame({
        "nrr_consumption_12m": rate(found.later, found.earlier, over),
        "grr_consumption_12m": rate(found.capped, found.earlier, over),
    })  # fmt: skip


def retention(facts: Facts) -> Frame:
    """mart_retention_cohort: share of a cohort active, by month since."""
    active = facts.active_months.copy()
    active["cohort_on"] = active.groupby("customer_id").month_on.transform("min")
    sizes = active[active.month_on == active.cohort_on].groupby(["campus_id", "cohort_on"]).size()
    kept = active.groupby(["campus_id", "cohort_on", "month_on"]).size()
    rows = {}
    for (campus, cohort), size in sizes.items():
        for since, here in enumerate(pd.period_range(cohort, facts.as_of, freq="M")):
            there = kept.get((campus, cohort, here.to_timestamp()), 0)
            rows[campus, cohort, since] = (
                size,
                there,
                there / size if here.end_time.normalize() <= facts.as_of else np.nan,
                here.end_time.normalize() <= facts.as_of,
            )
    columns = ["cohort_customers", "active_customers", "retention_rate", "is_mature"]
    return pd.DataFrame(list(rows.values()), index=pd.MultiIndex.from_tuples(rows), columns=columns)


def survival(facts: Facts) -> Frame:
    """mart_survival of all customers, by lifelines; the errors by Greenwood's formula, step by step."""
    lots = facts["fct_lot"].query("billed_amount > 0")
    paid = facts["fct_lesson_consumption"].merge(lots[["lot_id"]], on="lot_id")
    first = paid[paid.customer_id.isin(facts.customers.index)].groupby("customer_id").lesson_on.min()
    spans = facts["fct_lifecycle_span"].query("phase_code == 'churned'")
    gone = spans[spans.valid_from > spans.customer_id.map(first)].groupby("customer_id").valid_from.min()
    lives = pd.DataFrame({"first": first, "gone": gone.reindex(first.index)})
    lives["days"] = (lives.gone.fillna(facts.as_of) - lives["first"]).dt.days
    fitted = KaplanMeierFitter().fit(lives.days, lives.gone.notna())
    steps = fitted.event_table.loc[sorted(lives.days.unique())]
    rows, variance = {}, 0.0
    for day, at_risk, churned in zip(steps.index, steps.at_risk, steps.observed, strict=True):
        share = float(fitted.survival_function_at_times(day).iloc[0])
        if at_risk > churned:
            variance += churned / (at_risk * (at_risk - churned))
        rows[int(day)] = (int(at_risk), int(churned), share, share * variance**0.5)
    return pd.DataFrame.from_dict(
        rows,
        orient="index",
        columns=["at_risk_customers", "churned_customers", "survival_rate", "standard_error"],
    )


def journeys(facts: Facts) -> Frame:
    """One row per person who enquired, by the first enquiry, with the day of every step."""
    leads = facts["fct_lead"].query("is_reportable")
    tests = set(facts["dim_customer"].query("not is_reportable").customer_id)
    leads = leads[~leads.customer_id.isin(tests)]
    leads["person"] = leads.customer_id.fillna("lead:" + leads.lead_id)
    first = leads.sort_values(["created_at", "lead_id"]).drop_duplicates("person").set_index("person")

    def after(table: Frame, instant: str) -> Frame:
        table["person"] = table.customer_id.fillna("lead:" + table.lead_id)
        table = table[table.person.isin(first.index)]
        return table[table[instant] >= table.person.map(first.created_at)]

    touches = after(facts["fct_touchpoint"].query("direction == 'out'"), "occurred_at").groupby("person")
    first["contacted_on"] = touches.occurred_on.min()
    first["contacted_at"] = touches.occurred_at.min()
    trials = after(facts["fct_trial"], "booked_at")
    first["trial_booked_on"] = trials.groupby("person").booked_on.min()
    first["trial_attended_on"] = trials.query("status == 'attended'").groupby("person").scheduled_on.min()
    bought = first.customer_id.map(facts.customers.first_purchase_on)
    first["purchased_on"] = bought.where(bought >= first.created_on)
    seats = facts["fct_attendance"].query("outcome_class == 'attended'")
    seats = seats[seats.lesson_on >= seats.customer_id.map(facts.customers.first_purchase_on)]
    first["first_lesson_on"] = first.customer_id.map(seats.groupby("customer_id").lesson_on.min()).where(
        first.purchased_on.notna()
    )
    return first.rename(columns={"created_on": "lead_on", "created_at": "lead_at"})


def funnel(facts: Facts) -> Frame:
    """mart_funnel: persons who reached a step, the median days it took, and breaches."""
    people = journeys(facts)
    people["cohort_on"] = month(people.lead_on)
    steps = seed("funnel_steps").sort_values("step_no")
    days = {
        step.step_no: people[f"{step.step_code}_on"].where(
            people[f"{step.step_code}_on"] <= people.lead_on + step.window_days * DAY
        )
        for step in steps.itertuples()
    }
    furthest = pd.DataFrame({number: own.notna() * number for number, own in days.items()}).max(axis=1)
    parts = []
    for step in steps.itertuples():
        before = days.get(step.step_no - 1)
        part = people[["cohort_on", "campus_id", "channel_code"]].copy()
        part["step_no"] = step.step_no
        part["new_leads"] = 1
        part["reached_leads"] = (furthest >= step.step_no) * 1
        part["breach_leads"] = 0
        part["taken"] = np.nan
        if before is not None:
            taken = (days[step.step_no] - before).dt.days
            part["taken"] = taken.where(taken >= 0)
            known = days[step.step_no].fillna(
                pd.Series(facts.as_of, people.index).where(furthest < step.step_no)
            )
            part["breach_leads"] = ((known - before).dt.days > step.limit_days) * 1
        parts.append(part)
    groups = pd.concat(parts).groupby(["cohort_on", "campus_id", "channel_code", "step_no"])
    found = groups[["new_leads", "reached_leads", "breach_leads"]].sum()
    found["median_days"] = groups.taken.median()
    window = found.index.get_level_values("step_no").map(steps.set_index("step_no").window_days)
    cohorts = found.index.get_level_values("cohort_on")
    over = [month_over([cohort], facts.as_of, days)[0] for cohort, days in zip(cohorts, window, strict=True)]
    found["is_mature"] = over
    found["reached_rate"] = rate(found.reached_leads, found.new_leads, over)
    return found


def channels(facts: Facts) -> Frame:
    """mart_channel_roi without the spend of channels, which is in no published table."""
    people = journeys(facts)
    converted = people.purchased_on <= people.lead_on + 90 * DAY
    booked = people.trial_booked_on <= people.lead_on + 30 * DAY
    asked = people.assign(month_on=month(people.lead_on), converted=converted, booked=booked).groupby(
        ["month_on", "channel_code"]
    )
    worth = lifetime(facts)
    payers = facts.customers[facts.customers.first_purchase_on.notna()].copy()
    payers["month_on"] = month(payers.first_purchase_on)
    by_lead = people.dropna(subset="customer_id").set_index("customer_id").channel_code
    payers["channel_code"] = (
        payers.index.to_series().map(by_lead).fillna(payers.acquisition_channel).fillna("other")
    )
    payers = payers.join(worth)
    paying = payers.groupby(["month_on", "channel_code"])
    found = pd.DataFrame({
        "new_leads": asked.size(), "trial_booked_leads": asked.booked.sum(),
        "converted_leads": asked.converted.sum(), "new_payers": paying.size(),
        "revenue_to_date_amount": paying.revenue_to_date_amount.sum(),
        "ltv_historic_amount": paying.ltv_historic_amount.sum(),
    }).fillna(0)  # fmt: skip
    months = found.index.get_level_values("month_on")
    found["trial_booking_rate"] = rate(
        found.trial_booked_leads, found.new_leads, month_over(months, facts.as_of, 30)
    )
    found["lead_conversion_rate"] = rate(
        found.converted_leads, found.new_leads, month_over(months, facts.as_of, 90)
    )
    # The month's sales cost by enquiries: shares of running totals, so that they add up to the cent.
    sales = facts["fct_operating_cost"].query("cost_class == 'acquisition' and currency == 'CNY'")
    for here, total in sales.groupby("month_on").cost_amount.sum().items():
        leads = found.loc[here].new_leads.sort_index() if here in months else pd.Series(dtype=float)
        before = 0
        for channel, number in leads.items():
            share = earned(Decimal(str(round(total, 2))), before + int(number), int(leads.sum()))
            share -= earned(Decimal(str(round(total, 2))), before, int(leads.sum()))
            found.loc[(here, channel), "sales_cost_amount"] = float(share)
            before += int(number)
    # As far as no channel is charged, what a payer costs is known.
    spent = (
        facts["mart_channel_roi"].set_index(["month_on", "channel_code"]).channel_cost_amount.astype(float)
    )
    found["cost_amount"] = found.sales_cost_amount + spent.reindex(found.index)
    over = month_over(months, facts.as_of)
    found["cac_amount"] = rate(found.cost_amount, found.new_payers, over)
    found["ltv_to_cac"] = rate(found.ltv_historic_amount, found.cost_amount, over)
    return found


def lifetime(facts: Facts) -> Frame:
    """mart_lifetime_value without predictions: revenue less direct cost, so far."""
    bought = facts.purchase_days.customer_id.unique()
    found = pd.DataFrame(index=pd.Index(facts.customers.index.intersection(bought), name="customer_id"))
    revenue = facts.ledger.query("measure == 'recognised'").groupby("customer_id").amount.sum()
    found["revenue_to_date_amount"] = revenue.reindex(found.index).fillna(0)
    cost = (
        facts["fct_cost_to_serve_month"].query("currency == 'CNY'").groupby("customer_id").direct_amount.sum()
    )
    found["direct_cost_to_date_amount"] = cost.reindex(found.index).fillna(0)
    found["ltv_historic_amount"] = found.revenue_to_date_amount - found.direct_cost_to_date_amount
    lots = facts["fct_lot"].query("kind == 'package'").dropna(subset="granted_on").set_index("lot_id")
    used = facts["fct_lesson_consumption"].query("coverage == 'package'").groupby("lot_id").hours.sum()
    lots["used"] = used.reindex(lots.index).fillna(0)
    lots["bought"] = pd.to_numeric(lots.total_units).where(lots.settled_on.isna(), lots.used)
    hours = lots.groupby("customer_id")[["bought", "used"]].sum().reindex(found.index).fillna(0)
    found["net_bought_hours"], found["consumed_hours"] = hours.bought, hours.used
    found["hours_utilisation_rate"] = rate(hours.used, hours.bought)
    return found


def advisors(facts: Facts) -> Frame:
    """mart_advisor_scoreboard: what became of the enquiries of a month."""
    people = journeys(facts).dropna(subset="advisor_id")
    people["month_on"] = month(people.lead_on)
    people["hours"] = (people.contacted_at - people.lead_at).dt.total_seconds() / 3600
    people["booked"] = people.trial_booked_on <= people.lead_on + 30 * DAY
    people["converted"] = people.purchased_on <= people.lead_on + 90 * DAY
    groups = people.groupby(["month_on", "advisor_id"])
    found = pd.DataFrame({
        "new_leads": groups.size(), "contacted_leads": groups.contacted_at.count(),
        "lead_response_hours": groups.hours.median(), "trial_booked_leads": groups.booked.sum(),
        "converted_leads": groups.converted.sum(),
    })  # fmt: skip
    months = found.index.get_level_values("month_on")
    for name, numerator, days in (
        ("trial_booking_rate", found.trial_booked_leads, 30),
        ("lead_conversion_rate", found.converted_leads, 90),
    ):
        found[name] = rate(numerator, found.new_leads, month_over(months, facts.as_of, days))
    return found


def campuses(facts: Facts) -> Frame:
    """mart_campus_scoreboard: teaching, trials, answers and money by campus and month."""
    ours = facts.customers.index
    seats = facts["fct_attendance"]
    seats = seats[seats.customer_id.isin(ours)]
    by_class = (
        seats.groupby([month(seats.lesson_on), "campus_id"])
        .outcome_class.value_counts()
        .unstack(fill_value=0)
    )
    homework = facts["fct_homework"]
    sunday = homework.due_on + pd.to_timedelta(6 - homework.due_on.dt.weekday, unit="D")
    homework["done"] = homework.submitted_on <= sunday
    homework = homework[homework.customer_id.isin(ours) & (sunday <= facts.as_of)]
    done = homework.groupby([month(homework.due_on), "campus_id"]).done
    trials = facts["fct_trial"].merge(facts["fct_lead"][["lead_id", "is_reportable"]], on="lead_id")
    ahead = (trials.scheduled_at - trials.cancelled_at).dt.total_seconds() / 3600
    trials = trials[trials.is_reportable & (trials.scheduled_on <= facts.as_of) & ~(ahead >= 24)]
    shown = trials.status.eq("attended").groupby([month(trials.scheduled_on), trials.campus_id])
    people = journeys(facts).dropna(subset="trial_attended_on")
    won = people.purchased_on.between(people.trial_attended_on, people.trial_attended_on + 30 * DAY)
    won = won.groupby([month(people.trial_attended_on), people.campus_id])
    answers = facts["fct_survey"].query("kind == 'nps'")
    answers = answers[answers.customer_id.isin(ours)]
    balance = (answers.score >= 9) * 1 - (answers.score <= 6) * 1
    balance = balance.groupby([month(answers.responded_on), answers.campus_id])
    money = facts.ledger[facts.ledger.customer_id.isin(ours)]
    money = money.pivot_table(
        index=["month_on", "campus_id"], columns="measure", values="amount", aggfunc="sum", fill_value=0
    )
    columns = {
        "attended_seats": by_class.attended, "due_seats": by_class.attended + by_class.absent,
        "homework_done": done.sum(), "homework_due": done.size(), "attended_trials": shown.sum(),
        "due_trials": shown.size(), "first_trial_students": won.size(), "converted_trial_students": won.sum(),
        "nps_responses": balance.size(), "nps": balance.sum(),
        "net_billings_amount": money.billings - money.refunds, "revenue_amount": money.recognised,
    }  # fmt: skip
    # Each counts by a day of its own name: the months have to be one index.
    found = pd.concat(
        {name: own.rename_axis(["month_on", "campus_id"]) for name, own in columns.items()}, axis=1
    )
    found = found.fillna(0)
    months = found.index.get_level_values("month_on")
    over = month_over(months, facts.as_of)
    found["nps"] = rate(found.nps, found.nps_responses, over)
    found["attendance_rate"] = rate(found.attended_seats, found.due_seats, over)
    found["homework_completion_rate"] = rate(found.homework_done, found.homework_due, over)
    found["trial_show_rate"] = rate(found.attended_trials, found.due_trials, over)
    found["trial_conversion_rate"] = rate(
        found.converted_trial_students, found.first_trial_students, month_over(months, facts.as_of, 30)
    )
    return found


def rfm(facts: Facts) -> Frame:
    """mart_rfm: fifths by the share of customers who are worse."""
    bought = facts.purchase_days[facts.purchase_days.customer_id.isin(facts.customers.index)]
    found = bought.groupby("customer_id").agg(
        last=("purchased_on", "max"),
        frequency_purchases=("purchased_on", "size"),
        monetary_amount=("net", "sum"),
    )
    found["recency_days"] = (facts.as_of - found.pop("last")).dt.days
    better = {
        "recency": -found.recency_days, "frequency": found.frequency_purchases, "monetary": found.monetary_amount.round(2)
    }  # fmt: skip
    for name, how_good in better.items():
        worse = how_good.rank(method="min") - 1
        found[f"{name}_score"] = (1 + (5 * worse / len(found))).astype(int)
    return found


#: Key columns, the reckoning, and how the mart's rows are restricted to it.
Reckoning = tuple[list[str], Callable[[Facts], Frame], str]
#: Marts with rows of months in which only what is not reckoned again is counted, such as customers or cost.
WITH_MORE_ROWS = ("mart_campus_scoreboard", "mart_campus_loyalty", "mart_class_month")
#: What is 0, not empty, where there is nothing.
COUNTED = (
    "_seats", "_done", "_due", "_trials", "_students", "_responses", "_satisfied", "_amount", "_enrolments",
    "_stretches", "_commitments", "_customers", "_charges", "charges_within_cap", "students",
)  # fmt: skip
#: By mart.
RECKONED: dict[str, Reckoning] = {
    "mart_customer_value": (["customer_id"], value, ""),
    "mart_growth_accounting": (["month_on", "campus_id"], growth, ""),
    "mart_retention_cohort": (["campus_id", "cohort_on", "months_since"], retention, ""),
    "mart_survival": (["days_since"], survival, "cohort_kind == 'all'"),
    "mart_funnel": (["cohort_on", "campus_id", "channel_code", "step_no"], funnel, ""),
    "mart_channel_roi": (["month_on", "channel_code"], channels, "new_leads + new_payers > 0"),
    "mart_advisor_scoreboard": (["month_on", "advisor_id"], advisors, ""),
    "mart_campus_scoreboard": (["month_on", "campus_id"], campuses, ""),
    "mart_rfm": (["customer_id"], rfm, ""),
    "mart_lifetime_value": (["customer_id"], lifetime, ""),
}


def differences(facts: Facts, mart: str, reckoning: Reckoning) -> Frame:
    """Rows in which a mart and its second reckoning differ, with the column; empty where they agree."""
    key, reckon, where = reckoning
    there = facts[mart]
    if where:
        there = there.query(where)
    there = there.set_index(key).sort_index()
    again = reckon(facts).sort_index()
    again.index.names = key
    found = []
    if mart in WITH_MORE_ROWS:
        assert set(again.index) <= set(there.index), sorted(set(again.index) - set(there.index))[:5]
        again = again.reindex(there.index)
    assert set(there.index) == set(again.index), sorted(set(there.index) ^ set(again.index))[:5]
    for column in again.columns:
        left, right = there[column], again[column].reindex(there.index)
        if pd.api.types.is_numeric_dtype(right) and not pd.api.types.is_bool_dtype(right):
            left, right = pd.to_numeric(left).astype(float), right.astype(float)
            if mart in WITH_MORE_ROWS and column.endswith(COUNTED) and "rate" not in column:
                right = right.fillna(0)
            same = np.isclose(
                left, right, rtol=0, atol=0.0051 if abs(right).max() > 2 else 1e-4, equal_nan=True
            )
        else:
            same = (left == right).to_numpy()
        for place in np.flatnonzero(~same):
            found.append((there.index[place], column, left.iloc[place], right.iloc[place]))
    return pd.DataFrame(found, columns=["key", "column", "mart", "again"])
