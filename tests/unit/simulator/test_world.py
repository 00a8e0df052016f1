"""The make-believe institution: the same by seed, whole, and free of what the gates would refuse."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from lifecourse.contract import tables
from lifecourse.simulator import names
from lifecourse.simulator.almanac import end_of
from lifecourse.simulator.experiments import PLANTED
from lifecourse.simulator.schema import SYSTEM_OF, TABLES, change_time_of, key_of
from lifecourse.simulator.sheets import DAY, NONE
from lifecourse.simulator.world import make_block
from tests.unit.simulator.worlds import (
    ALIASES,
    LAST,
    NO_FAULTS,
    WORLD,
    checksum,
    frame,
    made,
    rows,
    sheets,
    there,
)

END = end_of(LAST)
# Two years before the end, the end itself, the night after it, and the last day that is laid out.
MOMENTS = [END - 700 * DAY, END, END + DAY, (WORLD.last_day + 1) * DAY - 1]


@pytest.fixture(scope="module")
def end() -> dict[str, dict[str, np.ndarray]]:
    return rows(END)


def _block_sum(seed: int, number: int) -> str:
    block, _ = make_block(replace(WORLD, seed=seed), number, NO_FAULTS)
    return checksum(block.sheets.values(), END)


def test_the_same_seed_gives_the_same_rows() -> None:
    assert _block_sum(1, 0) == checksum(made()[0][0].sheets.values(), END)


def test_another_seed_gives_another_institution() -> None:
    assert _block_sum(2, 0) != _block_sum(1, 0)


def test_a_block_is_the_same_whichever_were_made_before_it() -> None:
    assert _block_sum(1, 3) == checksum(made()[3][0].sheets.values(), END)


def test_as_many_people_as_asked_for_have_enquired_by_the_last_day(end) -> None:
    assert len(end["leads"]["lead_id"]) == WORLD.customers


def test_about_150_events_a_customer(end) -> None:
    assert 120 < sum(len(t[key_of(name)]) for name, t in end.items()) / WORLD.customers < 200


def test_every_canonical_table_but_the_bills_has_rows_and_all_its_columns(end) -> None:
    derived = {"birth_year", "learner_birth_year", "phone_is_valid", "guardian_phone_is_valid"}
    derived |= {"learner_name_core", "learner_name_is_nickname", "learner_birth_swapped"}
    derived |= {"name_core", "birth_date_swapped"}
    for name, contract in tables().items():
        if name == "settlement_bills":
            continue
        assert len(end[name][key_of(name)]) > 0, name
        assert set(contract.columns) - derived == set(TABLES[SYSTEM_OF[name]][name]), name
        assert change_time_of(name) == contract.change_time


@pytest.mark.parametrize("moment", MOMENTS, ids=["long ago", "the end", "a day later", "the last day"])
def test_keys_are_unique_required_values_are_there_and_parents_came_before_their_children(moment) -> None:
    tables_then = rows(moment)
    keys = {name: set(columns[key_of(name)].tolist()) for name, columns in tables_then.items()}
    key_table = {key_of(name): name for name in SYSTEM_OF}
    for name, columns in tables_then.items():
        assert len(keys[name]) == len(columns[key_of(name)]), name
        for column, values in columns.items():
            if tables()[name].columns[column].required:
                assert there(values).all(), f"{name}.{column}"
            parent = key_table.get(column) or ALIASES.get(column)
            if (parent is not None and parent != name) or column in ("successor_class_id", "next_course_id"):
                missing = set(values[there(values)].tolist()) - keys[parent]
                assert not missing, f"{name}.{column}"


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_has_changed_in_the_future(moment) -> None:
    for sheet in sheets():
        changed = sheet.state(moment).columns[change_time_of(sheet.table)]
        assert (changed <= moment).all(), sheet.table


def test_what_a_day_brings_makes_the_next_state_of_the_state_before() -> None:
    for sheet in sheets():
        before, brought, after = sheet.state(END), sheet.state(END + DAY, END), sheet.state(END + DAY)
        kept = before.take(~np.isin(before.keys, brought.keys))
        assert (brought.columns[change_time_of(sheet.table)] > END).all(), sheet.table
        assert sorted(kept.keys.tolist() + brought.keys.tolist()) == sorted(after.keys.tolist())
        same = after.take(np.isin(after.keys, kept.keys))
        for column, values in kept.columns.items():
            np.testing.assert_array_equal(values, same.columns[column], f"{sheet.table}.{column}")


def test_no_phone_can_belong_to_anybody(end) -> None:
    phones = [p for t, c in (("contacts", "phone"), ("learners", "guardian_phone"), ("orders", "payer_phone"))
              for p in end[t][c] if p is not None]  # fmt: skip
    assert all(re.fullmatch(r"12\d{9}", p) for p in phones)
    assert len(set(end["contacts"]["phone"])) == len(end["contacts"]["phone"])


def test_phones_of_a_million_customers_are_all_different() -> None:
    # Contact ids of a million customers lie below 4,000 blocks x 2,000.
    some = np.arange(0, 8_000_000, 41)
    assert len(set(names.phones(some))) == len(some)


def test_siblings_share_a_household_and_a_phone(end) -> None:
    learners = end["learners"]
    homes, counts = np.unique(learners["household_id"], return_counts=True)
    assert (counts > 1).sum() > 100
    shared = learners["household_id"] == homes[counts > 1][0]
    assert len(set(learners["guardian_phone"][shared])) == 1
    assert len(set(learners["name"][shared])) > 1


def test_most_who_were_referred_by_neighbours_live_where_these_live() -> None:
    shared: dict[str, list[bool]] = {}
    for block, _ in made():
        contacts, leads, referrals = (
            block.sheets[name].columns for name in ("contacts", "leads", "referrals")
        )
        lives_in = dict(zip(contacts["contact_id"].tolist(), contacts["community"], strict=True))
        contact_of = dict(zip(leads["lead_id"].tolist(), leads["contact_id"].tolist(), strict=True))
        for kind, by, lead in zip(
            referrals["source_type"],
            referrals["referrer_contact_id"].tolist(),
            referrals["referred_lead_id"].tolist(),
            strict=True,
        ):
            pair = lives_in[by], lives_in[contact_of[lead]]
            if None not in pair:
                shared.setdefault("neighbour" if kind == "neighbour" else "other", []).append(
                    pair[0] == pair[1]
                )
    share = {kind: sum(found) / len(found) for kind, found in shared.items()}
    assert share["neighbour"] > 0.7
    assert share["other"] < 0.3


def test_unhappy_families_are_promised_more_than_is_kept(end) -> None:
    promises = end["commitments"]
    kept, due = promises["kept_at"], promises["due_on"]
    over = due * DAY < END - 30 * DAY
    in_time = there(kept) & (kept < (due + 1) * DAY)
    assert 0.75 < in_time[over].mean() < 0.9
    assert 0.03 < (~there(kept))[over].mean() < 0.12
    assert (kept[there(kept)] > promises["made_at"][there(kept)]).all()


def test_experiments_hold_what_was_planted(end) -> None:
    assigned = end["experiment_assignments"]
    for planted in PLANTED.values():
        mine = assigned["experiment_id"] == planted.number
        treated = mine & (assigned["arm"] == "treatment")
        share = treated.sum() / mine.sum()
        assert (0.2 < share < 0.45) if planted.lost else (0.4 < share < 0.6)
    # Of the one that has had its time long ago, what either arm answered.
    effect = PLANTED["an effect"]
    mine = assigned["experiment_id"] == effect.number
    answered = there(assigned["responded_at"])
    for arm, rate in (("control", effect.control), ("treatment", effect.treatment)):
        own = mine & (assigned["arm"] == arm)
        assert abs(answered[own].mean() - rate) < 0.09
    assert (assigned["responded_at"][answered] > assigned["assigned_at"][answered]).all()


def test_no_lesson_is_given_on_a_closed_day() -> None:
    for block, _ in made():
        days = set((block.sheets["lessons"].columns["starts_at"] // DAY).tolist())
        assert not days & set(WORLD.closed(block.people.campus))
    assert {s.table for s in frame()} >= {"closed_days", "exam_calendar", "operating_costs", "channel_costs"}


def test_lessons_are_attended_after_the_enrolment_and_within_the_package(end) -> None:
    attendance, lessons, enrolments, lines = (
        end[t] for t in ("attendance", "lessons", "enrolments", "order_lines")
    )
    day = dict(zip(lessons["lesson_id"].tolist(), (lessons["starts_at"] // DAY).tolist(), strict=True))
    enrolled = dict(zip(enrolments["enrolment_id"].tolist(), enrolments["enrolled_on"].tolist(), strict=True))
    line_of = dict(
        zip(enrolments["enrolment_id"].tolist(), enrolments["order_line_id"].tolist(), strict=True)
    )
    bought = dict(
        zip(
            lines["order_line_id"].tolist(), (lines["paid_hours"] + lines["gift_hours"]).tolist(), strict=True
        )
    )
    used: dict[int, float] = {}
    for lesson, enrolment, hours in zip(
        attendance["lesson_id"].tolist(),
        attendance["enrolment_id"].tolist(),
        attendance["hours"].tolist(),
        strict=True,
    ):
        assert day[lesson] >= enrolled[enrolment]
        used[line_of[enrolment]] = used.get(line_of[enrolment], 0.0) + hours
    assert all(hours <= bought[line] or np.isnan(bought[line]) for line, hours in used.items())
    assert sum(hours == bought[line] for line, hours in used.items()) > 300


def test_money_adds_up(end) -> None:
    orders, lines, payments, refunds = (end[t] for t in ("orders", "order_lines", "payments", "refunds"))
    assert (orders["payable_amount"] == orders["list_amount"] - orders["discount_amount"]).all()
    assert (orders["discount_amount"] >= 0).all()
    payable = dict(zip(orders["order_id"].tolist(), orders["payable_amount"].tolist(), strict=True))
    net: dict[int, int] = {}
    for order, amount in zip(lines["order_id"].tolist(), lines["net_amount"].tolist(), strict=True):
        net[order] = net.get(order, 0) + amount
    assert all(payable[order] == amount for order, amount in net.items())
    paid: dict[int, int] = {}
    for order, status, amount in zip(
        payments["order_id"].tolist(), payments["status"], payments["amount"].tolist(), strict=True
    ):
        if status == "succeeded":
            paid[order] = paid.get(order, 0) + amount
    assert all(amount <= payable[order] for order, amount in paid.items())
    assert sum(amount == payable[order] for order, amount in paid.items()) > 0.9 * len(paid)
    back: dict[int, int] = {}
    for payment, amount in zip(refunds["payment_id"].tolist(), refunds["amount"].tolist(), strict=True):
        assert amount > 0
        back[payment] = back.get(payment, 0) + amount
    received = dict(zip(payments["payment_id"].tolist(), payments["amount"].tolist(), strict=True))
    assert all(amount <= received[payment] for payment, amount in back.items())


@pytest.mark.parametrize(
    ("table", "first", "last"),
    [
        ("pauses", "from_on", "to_on"), ("enrolments", "starts_on", "ends_on"), ("classes", "starts_on", "ends_on"),
        ("order_lines", "starts_on", "ends_on"), ("campaigns", "starts_on", "ends_on"),
        ("complaints", "opened_at", "closed_at"), ("refunds", "requested_at", "resolved_at"),
        ("service_requests", "opened_at", "first_reply_at"), ("interventions", "opened_at", "closed_at"),
        ("trials", "booked_at", "scheduled_at"), ("trials", "booked_at", "cancelled_at"),
        ("contracts", "signed_at", "cancelled_at"), ("handovers", "handed_over_at", "accepted_at"),
        ("staff", "hired_on", "left_on"), ("advisors", "hired_on", "left_on"), ("coupons", "issued_at", "used_at"),
        ("goals", "set_on", "measured_on"), ("goals", "set_on", "due_on"),
        ("learner_traits", "noted_at", "withdrawn_at"),
    ],
)  # fmt: skip
def test_nothing_ends_before_it_begins(table, first, last) -> None:
    columns = rows(MOMENTS[-1])[table]
    both = there(columns[first]) & there(columns[last])
    assert both.any()
    assert (columns[first][both] <= columns[last][both]).all()


def test_scores_stay_on_their_scales(end) -> None:
    surveys, homework, tests = end["surveys"], end["homework"], end["assessments"]
    nps = surveys["kind"] == "nps"
    assert surveys["score"][nps].min() >= 0
    assert surveys["score"][nps].max() <= 10
    assert set(surveys["score"][~nps].tolist()) == {1, 2, 3, 4, 5}
    assert np.nanmin(homework["score"]) >= 0
    assert np.nanmax(homework["score"]) <= 100
    assert np.nanmax(tests["score"] - tests["max_score"]) <= 0


def test_words_are_those_of_the_contract(end) -> None:
    known = {
        ("leads", "status"): "new contacted trial_booked trialled converted lost invalid",
        ("leads", "channel_code"): "referral wechat douyin search ground walk_in partner other",
        ("trials", "status"): "booked attended no_show cancelled",
        ("orders", "status"): "placed paid partly_paid cancelled refunded",
        ("payments", "status"): "succeeded failed pending",
        ("payments", "method"): "wechat alipay card cash bank",
        ("instalments", "status"): "due paid overdue cancelled",
        ("enrolments", "status"): "active completed withdrawn",
        ("enrolments", "result"): "pass distinction fail withdrawn",
        ("attendance", "outcome"): "attended late left_early made_up absent leave",
        ("lessons", "status"): "scheduled held cancelled",
        ("classes", "status"): "planned open finished cancelled",
        ("learners", "status"): "active left",
        ("exit_interviews", "reason_code"):
            "goal_reached graduated moved dissatisfied effect_doubt price competitor pushed_away unknown",
        ("touchpoints", "channel"): "call wechat sms email visit web live",
        ("complaints", "category"): "teaching service price facility schedule other",
        ("refunds", "resolution"): "paid rejected withdrawn",
        ("interventions", "result"): "kept lost open",
        ("learner_traits", "kind"): "personality interest taboo learning_preference",
        ("learner_traits", "noted_by"): "teacher advisor service guardian learner",
    }  # fmt: skip
    for (table, column), words in known.items():
        values = end[table][column]
        seen = set(values[there(values)])
        assert seen <= set(words.split()), f"{table}.{column}"
        # Every word occurs, but for those that last only for moments.
        rare = {("payments", "status"), ("classes", "status"), ("exit_interviews", "reason_code"),
                ("orders", "status"), ("instalments", "status")}  # fmt: skip
        if (table, column) not in rare:
            assert seen == set(words.split()), f"{table}.{column}"


def test_most_converted_leads_name_their_learner(end) -> None:
    leads = end["leads"]
    converted = leads["status"] == "converted"
    assert 0.88 < (leads["learner_id"][converted] != NONE).mean() < 0.96


def test_trouble_shows_before_leaving_more_often_than_not_and_rarely_where_the_reason_is_natural() -> None:
    natural, unhappy = [], []
    for block, _ in made():
        runs = block.stories.runs
        left = runs.last_day <= WORLD.last_day
        shows = runs.trouble_from[left] <= runs.last_day[left]
        for reason, shown in zip(runs.reason[left], shows.tolist(), strict=True):
            if reason in ("goal_reached", "graduated", "moved"):
                natural.append(shown)
            elif reason in ("dissatisfied", "effect_doubt"):
                unhappy.append(shown)
    assert np.mean(unhappy) > 0.8
    assert np.mean(natural) < 0.5
