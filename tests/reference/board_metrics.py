"""The scoreboards of classes, courses, teachers and loyalty a second time, in plain pandas from the published facts.

As in segment_metrics: nothing is shared with the SQL but the seeds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.reference.segment_metrics import DAY, FAR, Facts, Frame, journeys, month, month_over, rate, seed


def rule(name: str) -> float:
    rules = seed("value_rules")
    return float(rules[(rules.rule == name) & rules.campus_id.isna()].value.iloc[0])


def of_ours(facts: Facts, table: str) -> Frame:
    """Rows of reportable customers, with the home campus."""
    own = facts[table]
    own = own[own.customer_id.isin(facts.customers.index)]
    return own.assign(home=own.customer_id.map(facts.customers.campus_id).fillna(""))


def renewals(facts: Facts) -> Frame:
    """Paid lots that ran out, with what renewed them."""
    lots = of_ours(facts, "fct_lot").query(
        "kind in ('package', 'period') and billed_amount > 0 and currency == 'CNY'"
    )
    lots = lots[lots.granted_on.notna()].copy()
    lots["total_units"] = pd.to_numeric(lots.total_units)
    used = (
        facts["fct_lesson_consumption"]
        .query("coverage == 'package'")
        .sort_values(["lesson_at", "consumption_id"])
    )
    used["so_far"] = used.groupby("lot_id").hours.cumsum().round(2)
    used = used.merge(lots[["lot_id", "kind", "total_units"]], on="lot_id")
    used_up = used[used.so_far >= used.total_units].groupby("lot_id").lesson_on.min()
    lots["due_on"] = pd.concat(
        [lots.ends_on, lots.lot_id.map(used_up).where(lots.kind == "package")], axis=1
    ).min(axis=1)
    due = lots[(lots.due_on <= facts.as_of) & ~(lots.settled_on <= lots.due_on)]
    pairs = due.merge(lots, on=["customer_id", "product_line"], suffixes=("", "_next"))
    before, after = rule("renewal_days_before"), rule("renewal_days_after")
    pairs = pairs[
        (pairs.value_amount_next > 0)
        & (pairs.granted_on_next > pairs.granted_on)
        & (pairs.granted_on_next >= pairs.due_on - before * DAY)
        & (pairs.granted_on_next <= pairs.due_on + after * DAY)
    ]
    due = due.set_index("lot_id")
    due["renewed_amount"] = pairs.groupby("lot_id").value_amount_next.sum().reindex(due.index).fillna(0)
    due["is_renewed"] = due.index.isin(pairs.lot_id)
    return due


def loyalty(facts: Facts) -> Frame:
    """mart_campus_loyalty without cost."""
    columns: dict[str, pd.Series] = {}

    def count(name: str, table: Frame, day: str, figure: str | None = None) -> None:
        groups = table.groupby([month(table[day]), table.home])
        columns[name] = groups[figure].sum() if figure else groups.size()

    due = renewals(facts)
    count("due_enrolments", due, "due_on")
    count("renewed_enrolments", due[due.is_renewed], "due_on")
    count("due_amount", due, "due_on", "value_amount")
    count("renewed_amount", due, "due_on", "renewed_amount")

    paid = of_ours(facts, "fct_payment").query("status == 'succeeded' and currency == 'CNY'")
    back = facts["fct_refund"].query("resolution == 'paid' and currency == 'CNY'")
    early = back.merge(paid[["payment_id", "paid_on"]], on="payment_id")
    early = early[early.resolved_on <= early.paid_on + 30 * DAY].groupby("payment_id").refunded_amount.sum()
    paid = paid.assign(early=paid.payment_id.map(early).fillna(0))
    count("payment_amount", paid, "paid_on", "amount")
    count("payment_refunded_30d_amount", paid, "paid_on", "early")

    signs = {"billings": 1, "refunds": -1, "recognised": -1, "expired": -1}
    ledger = facts.ledger[facts.ledger.customer_id.isin(facts.customers.index)]
    moved = ledger.assign(net=ledger.amount * ledger.measure.map(signs))
    moved = moved.pivot_table(
        index="month_on", columns="customer_id", values="net", aggfunc="sum", fill_value=0
    )
    months = pd.date_range(facts.customers.first_contact_on.min().replace(day=1), facts.as_of, freq="MS")
    # What there was at the end of the month before.
    opening = moved.reindex(months, fill_value=0).cumsum().round(2).shift(1, fill_value=0)
    given_up = back[back.is_whole_line]
    given_up = set(zip(given_up.customer_id, month(given_up.resolved_on), strict=True))
    with_balance = (
        opening[opening > 0]
        .stack()
        .dropna()
        .reset_index()
        .set_axis(["month_on", "customer_id", "amount"], axis=1)
    )
    with_balance["home"] = with_balance.customer_id.map(facts.customers.campus_id).fillna("")
    with_balance["gone"] = [
        pair in given_up for pair in zip(with_balance.customer_id, with_balance.month_on, strict=True)
    ]
    count("balance_students", with_balance, "month_on")
    count("refunded_students", with_balance[with_balance.gone], "month_on")

    courses = facts["dim_course"].set_index("course_id").subject
    taken = facts["fct_enrolment"]
    taken = taken.assign(subject=taken.course_id.map(courses)).dropna(subset="subject")
    firsts = taken.groupby(["customer_id", "subject"]).enrolled_on.min().reset_index()
    further = firsts[firsts.enrolled_on > firsts.groupby("customer_id").enrolled_on.transform("min")]
    further = set(zip(further.customer_id, month(further.enrolled_on), strict=True))
    brought = facts["fct_referral_network"].dropna(subset="converted_on")[["customer_id", "converted_on"]]
    at_start = pd.concat([
        facts.runs[(facts.runs["first"] <= here) & (facts.runs["last"] >= here)][["customer_id"]].assign(month_on=here)
        for here in months
    ])  # fmt: skip
    at_start["home"] = at_start.customer_id.map(facts.customers.campus_id).fillna("")
    at_start["more"] = [pair in further for pair in zip(at_start.customer_id, at_start.month_on, strict=True)]
    pairs = at_start.merge(brought, on="customer_id")
    pairs = pairs[(pairs.converted_on >= pairs.month_on) & (pairs.converted_on < pairs.month_on + 90 * DAY)]
    count("start_students", at_start, "month_on")
    count("expanded_students", at_start[at_start.more], "month_on")
    count("referrer_students", pairs.drop_duplicates(["customer_id", "month_on"]), "month_on")

    payers = facts.customers[facts.customers.first_purchase_on.notna()].reset_index()
    payers["home"] = payers.campus_id.fillna("")
    referred = facts["fct_referral"].groupby("referred_customer_id").referred_on.min()
    payers["is_referred"] = payers.customer_id.map(referred) <= payers.first_purchase_on
    seats = facts["fct_attendance"].query("outcome_class == 'attended'")
    seats = seats[seats.lesson_on >= seats.customer_id.map(facts.customers.first_purchase_on)]
    payers["days"] = (
        payers.customer_id.map(seats.groupby("customer_id").lesson_on.min()) - payers.first_purchase_on
    ).dt.days
    count("new_students", payers, "first_purchase_on")
    count("referred_students", payers[payers.is_referred], "first_purchase_on")
    count("activated_students", payers[payers.days.notna()], "first_purchase_on")

    answers = of_ours(facts, "fct_survey").query("kind == 'csat'")
    count("csat_responses", answers, "responded_on")
    count("csat_satisfied", answers[answers.score >= 4], "responded_on")

    acts = of_ours(facts, "fct_intervention")
    acts["stretch"] = acts.risk_signal_id.fillna(acts.intervention_id)
    acts["is_still_customer"] = acts.is_still_customer.fillna(False).astype(bool)
    stretches = acts.groupby("stretch", as_index=False).agg(
        opened_on=("opened_on", "min"),
        home=("home", "first"),
        known=("is_mature", "all"),
        saved=("is_still_customer", "any"),
    )
    count("danger_stretches", stretches, "opened_on")
    count("open_danger_stretches", stretches[~stretches.known], "opened_on")
    count("saved_stretches", stretches[stretches.saved], "opened_on")

    base = of_ours(facts, "fct_lifecycle_transition").query("layer == 'base'")
    ended = base[base.to_code == "terminated"].reset_index(drop=True)
    back_on = base[base.reason_code == "won_back"][["customer_id", "transition_on"]]
    pairs = ended.reset_index().merge(back_on, on="customer_id", suffixes=("", "_back"))
    pairs = pairs[pairs.transition_on_back > pairs.transition_on]
    nearest = pairs.groupby("index").transition_on_back.min().reindex(ended.index)
    count("left_customers", ended, "transition_on")
    count("won_back_customers", ended[nearest <= ended.transition_on + 180 * DAY], "transition_on")

    promises = of_ours(facts, "fct_commitment")
    promises = promises[(promises.status != "open") & (promises.due_on <= facts.as_of)]
    count("due_commitments", promises, "due_on")
    count("kept_commitments", promises[promises.status == "kept"], "due_on")

    charges = of_ours(facts, "fct_prepayment_check").query("is_k12")
    charges = charges[charges.is_within_cap.notna()]
    count("k12_charges", charges, "paid_on")
    count("k12_charges_within_cap", charges[charges.is_within_cap.astype(bool)], "paid_on")

    names = ["month_on", "campus_id"]
    found = pd.concat({name: own.rename_axis(names) for name, own in columns.items()}, axis=1).fillna(0)
    found["activation_days"] = (
        payers.groupby([month(payers.first_purchase_on), "home"]).days.median().rename_axis(names)
    )
    months_of = found.index.get_level_values("month_on")
    over, over_30 = month_over(months_of, facts.as_of), month_over(months_of, facts.as_of, 30)
    for name, numerator, denominator, is_final in (
        ("renewal_rate", "renewed_enrolments", "due_enrolments", over_30),
        ("renewal_rate_amount", "renewed_amount", "due_amount", over_30),
        ("refund_rate_amount_d30", "payment_refunded_30d_amount", "payment_amount", over_30),
        ("refund_rate_students", "refunded_students", "balance_students", over),
        ("expansion_rate", "expanded_students", "start_students", over),
        ("referrer_rate", "referrer_students", "start_students", months_of + 90 * DAY <= facts.as_of + DAY),
        ("referral_share_new", "referred_students", "new_students", over),
        ("csat", "csat_satisfied", "csat_responses", over),
        ("saved_rate", "saved_stretches", "danger_stretches", over & (found.open_danger_stretches == 0)),
        ("win_back_rate", "won_back_customers", "left_customers", month_over(months_of, facts.as_of, 180)),
        ("promise_kept_rate", "kept_commitments", "due_commitments", over),
        ("prepayment_within_cap", "k12_charges_within_cap", "k12_charges", over),
    ):
        found[name] = rate(found[numerator], found[denominator], is_final)
    return found


def costs_of_keeping(facts: Facts) -> Frame:
    """retention_to_acquisition_cost, from the cost that the mart shows and heads reckoned again."""
    mart = facts["mart_campus_loyalty"].set_index(["month_on", "campus_id"])
    heads = loyalty(facts).new_students.reindex(mart.index).fillna(0)
    kept = facts["mart_growth_accounting"].set_index(["month_on", "campus_id"]).retained_customers
    kept = kept.reindex(mart.index).fillna(0).replace(0, np.nan)
    booked = facts["fct_operating_cost"].query("kind == 'service' and currency == 'CNY'")
    service = booked.groupby(["month_on", "campus_id"]).cost_amount.sum().reindex(mart.index)
    won = (mart.acquisition_cost_amount.astype(float) / heads.replace(0, np.nan)).replace(0, np.nan)
    return pd.DataFrame({
        "service_cost_amount": service, "retention_to_acquisition_cost": service / kept / won,
    })  # fmt: skip


def rosters(facts: Facts) -> Frame:
    """Enrolments in classes: class, customer, first and last day in class."""
    classes = facts["dim_class"].set_index("class_id")
    found = of_ours(facts, "fct_enrolment")
    found = found[found.class_id.isin(classes.index)]
    begins, ends = found.class_id.map(classes.starts_on), found.class_id.map(classes.ends_on)
    found["first_on"] = found.starts_on.fillna(begins).fillna(found.enrolled_on)
    lasts = [found.withdrawn_on - DAY, found.completed_on, found.ends_on, ends]
    found["last_on"] = pd.concat(lasts, axis=1).min(axis=1)
    return found[["class_id", "customer_id", "first_on", "last_on", "enrolled_on"]]


def class_months(facts: Facts) -> Frame:
    """mart_class_month: fill, retention inside the class, seats and homework."""
    classes = facts["dim_class"].set_index("class_id")
    there: dict[tuple[str, pd.Period], dict[str, pd.Timestamp]] = {}
    for own in rosters(facts).itertuples():
        last = min(own.last_on, facts.as_of) if pd.notna(own.last_on) else facts.as_of
        for here in pd.period_range(own.first_on, last, freq="M") if own.first_on <= last else ():
            inside = there.setdefault((own.class_id, here), {})
            inside[own.customer_id] = max(last, inside.get(own.customer_id, last))
    rows = {}
    for (klass, here), inside in there.items():
        end = min(here.end_time.normalize(), facts.as_of)
        closes = classes.ends_on[klass]
        is_open = not classes.is_cancelled[klass] and (pd.isna(closes) or closes >= end)
        full = sum(last >= end for last in inside.values())
        after = (here + 1).start_time
        goes_on = (
            after <= (closes if pd.notna(closes) else FAR) and (here + 1).end_time.normalize() <= facts.as_of
        )
        stayed = len(inside.keys() & there.get((klass, here + 1), {}).keys())
        seats = float(classes.capacity_seats[klass])
        rows[klass, here.to_timestamp()] = (
            full, full / seats if is_open else np.nan, len(inside), stayed, stayed / len(inside) if goes_on else np.nan,
        )  # fmt: skip
    index = pd.MultiIndex.from_tuples(rows, names=["class_id", "month_on"])
    columns = [
        "enrolled_seats",
        "class_fill_rate",
        "students",
        "retained_students",
        "in_class_retention_rate",
    ]
    students = pd.DataFrame(list(rows.values()), index, columns)
    seats = of_ours(facts, "fct_attendance").dropna(subset="class_id")
    seats = (
        seats.groupby(["class_id", month(seats.lesson_on)]).outcome_class.value_counts().unstack(fill_value=0)
    )
    homework = of_ours(facts, "fct_homework").dropna(subset="class_id")
    sunday = homework.due_on + pd.to_timedelta(6 - homework.due_on.dt.weekday, unit="D")
    homework["done"] = homework.submitted_on <= sunday
    homework = homework[sunday <= facts.as_of]
    done = homework.groupby(["class_id", month(homework.due_on)]).done.agg(["sum", "size"])
    parts = {
        "attended_seats": seats.attended, "due_seats": seats.attended + seats.absent,
        "homework_done": done["sum"], "homework_due": done["size"],
    }  # fmt: skip
    names = ["class_id", "month_on"]
    found = pd.concat(
        [students, *(own.rename(name).rename_axis(names) for name, own in parts.items())], axis=1
    )
    rates = ["class_fill_rate", "in_class_retention_rate"]
    found[found.columns.difference(rates)] = found[found.columns.difference(rates)].fillna(0)
    over = month_over(found.index.get_level_values("month_on"), facts.as_of)
    found["attendance_rate"] = rate(found.attended_seats, found.due_seats, over)
    found["homework_completion_rate"] = rate(found.homework_done, found.homework_due, over)
    return found


def continuation(facts: Facts) -> Frame:
    """mart_class_continuation: one numerator, three rosters."""
    classes = facts["dim_class"].set_index("class_id")
    classes = classes[~classes.is_cancelled]
    members = dict(list(rosters(facts).groupby("class_id")))
    rows = {}
    for klass, own in classes[classes.starts_on <= facts.as_of].iterrows():
        roster = members.get(klass)
        if own.successor_class_id not in classes.index or roster is None:
            continue
        matures = classes.starts_on[own.successor_class_id] + 14 * DAY
        last = roster.last_on.fillna(own.ends_on)
        opening = set(roster.customer_id[roster.first_on <= own.starts_on + 14 * DAY])
        closing = set(roster.customer_id[last >= own.ends_on])
        days = (last.clip(upper=own.ends_on) - roster.first_on.clip(lower=own.starts_on)).dt.days + 1
        mean = days.clip(lower=0).sum() / ((own.ends_on - own.starts_on).days + 1)
        successor = members.get(own.successor_class_id)
        entered = set() if successor is None else set(successor.customer_id[successor.enrolled_on <= matures])
        went_on = len(entered & set(roster.customer_id))
        is_final = matures <= facts.as_of
        rates = (
            went_on / size if size and is_final else np.nan for size in (len(opening), len(closing), mean)
        )
        rows[klass] = (is_final, len(opening), len(closing), mean, went_on, *rates)
    columns = ["is_mature", "opening_students", "closing_students", "mean_students", "continued_students"]
    columns += [f"class_continuation_rate_{kind}" for kind in ("open", "close", "avg")]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def first_lesson_answers(facts: Facts) -> Frame:
    """Answers on the first lesson, with the course and the teacher of the first seat attended."""
    seats = of_ours(facts, "fct_attendance").query("outcome_class == 'attended'")
    first = (
        seats.sort_values(["lesson_at", "attendance_id"])
        .drop_duplicates("customer_id")
        .set_index("customer_id")
    )
    answers = of_ours(facts, "fct_survey").query("kind == 'first_lesson'")
    answers = answers[["customer_id", "responded_on", "score"]]
    return answers.join(first[["course_id", "teacher_id"]], on="customer_id")


def courses(facts: Facts) -> Frame:
    """mart_course_scoreboard."""
    begun = of_ours(facts, "fct_enrolment")
    begun["begins_on"] = begun.starts_on.fillna(begun.enrolled_on)
    begun = begun[begun.begins_on <= facts.as_of]
    is_open = (begun.status == "active") & ~(begun.ends_on <= facts.as_of)
    groups = [month(begun.begins_on), begun.course_id]
    answers = first_lesson_answers(facts).dropna(subset="course_id")
    asked = answers.score.ge(4).groupby([month(answers.responded_on), answers.course_id])
    seats = of_ours(facts, "fct_attendance").dropna(subset="course_id")
    seats = (
        seats.groupby([month(seats.lesson_on), "course_id"])
        .outcome_class.value_counts()
        .unstack(fill_value=0)
    )
    parts = {
        "started_enrolments": begun.groupby(groups).size(),
        "completed_enrolments": begun.status.eq("completed").groupby(groups).sum(),
        "withdrawn_enrolments": begun.status.eq("withdrawn").groupby(groups).sum(),
        "open_enrolments": is_open.groupby(groups).sum(),
        "attended_seats": seats.attended, "due_seats": seats.attended + seats.absent,
        "first_lesson_answers": asked.size(), "first_lesson_satisfied": asked.sum(),
    }  # fmt: skip
    found = pd.concat(
        {name: own.rename_axis(["month_on", "course_id"]) for name, own in parts.items()}, axis=1
    ).fillna(0)
    over = month_over(found.index.get_level_values("month_on"), facts.as_of)
    found["course_completion_rate"] = rate(
        found.completed_enrolments, found.started_enrolments, over & (found.open_enrolments == 0)
    )
    found["attendance_rate"] = rate(found.attended_seats, found.due_seats, over)
    found["first_lesson_satisfaction"] = rate(found.first_lesson_satisfied, found.first_lesson_answers, over)
    return found


def teachers(facts: Facts) -> Frame:
    """mart_teacher_scoreboard."""
    seats = of_ours(facts, "fct_attendance").dropna(subset="teacher_id")
    by_class = (
        seats.groupby([month(seats.lesson_on), "teacher_id"])
        .outcome_class.value_counts()
        .unstack(fill_value=0)
    )
    there = seats[seats.outcome_class == "attended"]
    taught = there.groupby([month(there.lesson_on), "teacher_id"])
    homework = of_ours(facts, "fct_homework")
    homework["teacher_id"] = homework.class_id.map(facts["dim_class"].set_index("class_id").teacher_id)
    sunday = homework.due_on + pd.to_timedelta(6 - homework.due_on.dt.weekday, unit="D")
    homework["done"] = homework.submitted_on <= sunday
    homework = homework[sunday <= facts.as_of].dropna(subset="teacher_id")
    done = homework.groupby([month(homework.due_on), "teacher_id"]).done
    people = journeys(facts)
    trials = facts["fct_trial"].query("status == 'attended'").dropna(subset="teacher_id")
    trials["person"] = trials.customer_id.fillna("lead:" + trials.lead_id)
    trials = trials.join(people[["trial_attended_on", "purchased_on"]], on="person")
    trials = trials[trials.scheduled_on == trials.trial_attended_on]
    won = trials.purchased_on.between(trials.scheduled_on, trials.scheduled_on + 30 * DAY)
    won = won.groupby([month(trials.scheduled_on), trials.teacher_id])
    answers = first_lesson_answers(facts).dropna(subset="teacher_id")
    asked = answers.score.ge(4).groupby([month(answers.responded_on), answers.teacher_id])
    changes = of_ours(facts, "fct_teacher_change")
    changes = changes[changes.confirmed_on <= facts.as_of]
    left = of_ours(facts, "fct_lifecycle_transition").query("layer == 'base' and to_code == 'terminated'")
    ends = left[["customer_id", "transition_on"]].merge(there, on="customer_id")
    ends = ends[ends.lesson_on < ends.transition_on].sort_values(["lesson_at", "attendance_id"])
    ends = ends.drop_duplicates(["customer_id", "transition_on"], keep="last")
    parts = {
        "attended_seats": by_class.attended, "due_seats": by_class.attended + by_class.absent,
        "lessons": taught.lesson_id.nunique(), "taught_students": taught.customer_id.nunique(),
        "attended_hours": taught.hours.sum(), "homework_done": done.sum(), "homework_due": done.size(),
        "first_trial_students": won.size(), "converted_trial_students": won.sum(),
        "first_lesson_answers": asked.size(), "first_lesson_satisfied": asked.sum(),
        "changed_away_students": changes.groupby([month(changes.confirmed_on), "from_teacher_id"]).size(),
        "left_students": ends.groupby([month(ends.transition_on), "teacher_id"]).size(),
    }  # fmt: skip
    found = pd.concat(
        {name: own.rename_axis(["month_on", "teacher_id"]) for name, own in parts.items()}, axis=1
    ).fillna(0)
    months = found.index.get_level_values("month_on")
    over = month_over(months, facts.as_of)
    found["attendance_rate"] = rate(found.attended_seats, found.due_seats, over)
    found["homework_completion_rate"] = rate(found.homework_done, found.homework_due, over)
    found["trial_conversion_rate"] = rate(
        found.converted_trial_students, found.first_trial_students, month_over(months, facts.as_of, 30)
    )
    found["first_lesson_satisfaction"] = rate(found.first_lesson_satisfied, found.first_lesson_answers, over)
    return found


def channel_days(facts: Facts) -> Frame:
    """mart_channel_day."""
    people = journeys(facts)
    leads = people.groupby(["lead_on", people.campus_id.fillna(""), "channel_code"]).size()
    by_lead = people.dropna(subset="customer_id").set_index("customer_id").channel_code
    moved = of_ours(facts, "fct_revenue_movement").query(
        "measure in ('billings', 'refunds') and currency == 'CNY'"
    )
    moved = moved[moved.day_on <= facts.as_of]
    own = moved.customer_id.map(facts.customers.acquisition_channel)
    moved["channel_code"] = moved.customer_id.map(by_lead).fillna(own).fillna("other")
    cash = moved.pivot_table(
        index=["day_on", "campus_id", "channel_code"],
        columns="measure",
        values="amount",
        aggfunc="sum",
        fill_value=0,
    )
    names = ["day_on", "campus_id", "channel_code"]
    found = pd.concat([leads.rename("new_leads").rename_axis(names), cash], axis=1).fillna(0)
    found["net_billings_amount"] = found.billings - found.refunds
    return found.rename(columns={"billings": "billings_amount", "refunds": "refunds_amount"})


def core_profile(facts: Facts) -> Frame:
    """mart_core_customer_profile, but for the employer group, which is in no published table."""
    types = facts["mart_segment_matrix"].query("phase_code == 'existing'").set_index("customer_id")
    is_core = types.value_segment == "high_high"
    customers = facts.customers.loc[types.index]
    history = facts["dim_customer_history"].query("version_no == 1").set_index("customer_id")
    people = journeys(facts).dropna(subset="customer_id").set_index("customer_id")
    subjects = facts["fct_enrolment"]
    subjects = subjects.assign(
        trait=subjects.course_id.map(facts["dim_course"].set_index("course_id").subject)
    )
    subjects = subjects[subjects.customer_id.isin(types.index)].dropna(subset="trait")
    single = {
        "school": customers.school,
        "grade": history.grade.reindex(types.index).fillna(customers.grade),
        "channel": people.channel_code.reindex(types.index).fillna(customers.acquisition_channel),
    }
    traits = pd.concat([
        *(own.dropna().rename("trait").rename_axis("customer_id").reset_index().assign(dimension=name)
          for name, own in single.items()),
        subjects[["customer_id", "trait"]].drop_duplicates().assign(dimension="subject"),
    ])  # fmt: skip
    traits["core"] = traits.customer_id.map(is_core)
    known = (
        traits.drop_duplicates(["customer_id", "dimension"]).groupby("dimension").core.agg(["sum", "size"])
    )
    found = traits.groupby(["dimension", "trait"]).core.agg(["sum", "size"])
    found["core_customers"], found["other_customers"] = found["sum"], found["size"] - found["sum"]
    total = known.reindex(found.index.get_level_values("dimension"))
    core, other = total["sum"].to_numpy(), (total["size"] - total["sum"]).to_numpy()
    least = rule("core_least_support")
    enough = (found.core_customers >= least) & (found.other_customers >= least)
    lift = (found.core_customers / core) / (found.other_customers / other)
    error = np.sqrt(1 / found.core_customers - 1 / core + 1 / found.other_customers - 1 / other)
    for name, figure in {
        "lift": lift, "lift_low": lift * np.exp(-1.959964 * error), "lift_high": lift * np.exp(1.959964 * error)
    }.items():  # fmt: skip
        found[name] = figure.where(enough)
    return found.drop(columns=["sum", "size"])


#: As in segment_metrics.RECKONED.
BOARDS = {
    "mart_campus_loyalty": (["month_on", "campus_id"], loyalty, ""),
    "mart_class_month": (["class_id", "month_on"], class_months, ""),
    "mart_class_continuation": (["class_id"], continuation, ""),
    "mart_course_scoreboard": (["month_on", "course_id"], courses, ""),
    "mart_teacher_scoreboard": (["month_on", "teacher_id"], teachers, ""),
    "mart_channel_day": (["day_on", "campus_id", "channel_code"], channel_days, ""),
    "mart_core_customer_profile": (
        ["dimension", "trait"], core_profile, "dimension in ('school', 'grade', 'channel', 'subject')",
    ),
}  # fmt: skip
