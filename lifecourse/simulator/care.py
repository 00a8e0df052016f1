"""Care for prospects, customers and those who left: touches, complaints, surveys, interviews, events."""

from __future__ import annotations

import numpy as np

from lifecourse.simulator import frame
from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import chance, moments, pick, uniform
from lifecourse.simulator.households import BARGAIN, LEAD_ONLY, STEADY, UNHAPPY
from lifecourse.simulator.leads import first_paid
from lifecourse.simulator.sheets import DAY, FAR, NONE, Ints, ragged, sheet, words
from lifecourse.simulator.stories import ABSENCES, COMPLAINT, DETRACTOR, HOMEWORK, LAPSED, USAGE

_NOTES = ["家长询问课程安排", "介绍了近期活动", "孩子状态不错", "希望调整上课时间", "对价格有顾虑", "未接通，稍后再拨",
          "提醒续费", "发送了学习报告", "约好周末到校", "反馈作业偏多"]  # fmt: skip
_COMPLAINTS = ["老师经常更换", "上课时间老是变", "收费不透明", "教室太拥挤", "孩子没有进步", "客服回复太慢"]
_ANSWERS = ["已致歉并安排固定老师", "赠送两课时", "已调整班级", "退还部分费用", "已解释说明"]
_REQUESTS = ["想换到周日的班", "教材少了一册", "需要开发票", "请老师多布置练习", "软件登录不上", "请假一次"]
_COMMENTS = ["老师很耐心", "孩子喜欢", "希望多一些反馈", "价格偏高", "进步明显", "环境一般", None, None]
_EXITS = ["孩子已达到目标", "准备搬家", "觉得效果不明显", "费用压力大", "换了别的机构", "学业太忙"]


def add_care(block: Block) -> None:
    """All remaining tables about people."""
    _touchpoints(block)
    complaint_ids, complained_at, complainer, closed = _complaints(block)
    _compensations(block, complaint_ids, complained_at, complainer, closed)
    _surveys(block)
    _service_requests(block)
    _interventions(block)
    _exit_interviews(block)
    _consents(block)
    _activity_attendance(block)


def _touchpoints(block: Block) -> None:
    """While somebody is courted, monthly while they stay, in trouble, and after they left."""
    rng, people, runs = block.rng("touchpoints"), block.people, block.stories.runs
    n = len(people)
    paid = first_paid(block)
    last = block.world.last_day
    # Courting: from the enquiry to the purchase, at most forty days.
    count = 1 + rng.poisson(np.where(people.reach == LEAD_ONLY, 2.2, 3.5), n)
    courted, _ = ragged(count)
    span = np.minimum(np.minimum(paid, (last + 1) * DAY) - block.lead_at, 40 * DAY)[courted]
    at = (
        block.lead_at[courted]
        + 600
        + (rng.random(len(courted)) ** 2 * np.maximum(span - 1_200, 600)).astype(np.int64)
    )
    # Served: about three contacts in two months, more in trouble, for as long as they stay.
    until = np.minimum(np.minimum(runs.last_day, last) + 25, last)
    months = np.maximum(until - runs.first_day, 0) // 20 + 1
    run, month = ragged(months)
    day = runs.first_day[run] + 20 * month + uniform(rng, len(run), 0, 19)
    person = runs.person[run]
    busy = day >= runs.trouble_from[run]
    keep = chance(rng, np.where(busy, 0.9, 0.6), len(run)) & (day > runs.first_day[run]) & (day <= until[run])
    run, day, person = run[keep], day[keep], person[keep]
    upset = busy[keep]
    # Gone: an attempt every other month.
    gone = np.flatnonzero(runs.last_day < last)
    lapses, k = ragged(np.minimum((last - runs.last_day[gone]) // 60, 6))
    after = runs.last_day[gone][lapses] + 45 + 60 * k + uniform(rng, len(k), 0, 14)
    follow = np.concatenate([person, runs.person[gone][lapses]])
    served_day = np.concatenate([day, after])
    served_at = moments(rng, served_day, 9, 23)
    m = len(courted)
    who = np.concatenate([courted, follow])
    at = np.concatenate([at, served_at])
    # Nobody is called at night.
    at = np.where(
        (at % DAY < 8 * 3_600) | (at % DAY >= 23 * 3_600), at // DAY * DAY + 22 * 3_600 + at % 3_600, at
    )
    at = np.maximum(at, block.lead_at[who] + 300)
    rows = len(who)
    is_lead = np.arange(rows) < m
    automatic = chance(rng, 0.22, rows)
    inward = chance(rng, 0.2, rows) & ~automatic
    channel = np.where(automatic, pick(rng, rows, ["sms", "email", "wechat"], [0.4, 0.1, 0.5]),
                       pick(rng, rows, ["call", "wechat", "visit", "web", "live"], [0.42, 0.42, 0.1, 0.03, 0.03]))  # fmt: skip
    outcome = np.where(automatic, pick(rng, rows, ["opened", None, "replied"], [0.45, 0.45, 0.1]),
                       pick(rng, rows, ["reached", "no_answer", "replied", "booked", "refused"], [0.45, 0.2, 0.2, 0.1, 0.05]))  # fmt: skip
    outcome = np.where(inward, "reached", outcome)
    sad = np.concatenate([np.zeros(m, dtype=bool), upset, np.ones(len(k), dtype=bool)])
    mood = np.where(sad, pick(rng, rows, ["negative", "neutral", "positive"], [0.45, 0.4, 0.15]),
                    pick(rng, rows, ["positive", "neutral", "negative"], [0.4, 0.52, 0.08]))  # fmt: skip
    made = sheet("touchpoints", at, {
        "touchpoint_id": people.ids(rows),
        "lead_id": np.where(is_lead, people.lead_id[who], NONE),
        "contact_id": people.contact_id[who],
        "learner_id": np.where(is_lead, NONE, people.learner_id[who]),
        "advisor_id": np.where(automatic, NONE, block.advisor[who]),
        "channel": channel,
        "direction": words(inward, "in", "out"),
        "outcome": outcome,
        "sentiment": words(chance(rng, 0.5, rows) & ~automatic, mood, None),
        "note": words(automatic, None, pick(rng, rows, _NOTES)),
        "occurred_at": at,
    })  # fmt: skip
    # A note is completed the day after, now and then.
    made.change(np.where(chance(rng, 0.05, rows), at + uniform(rng, rows, 3_600, 2 * DAY), FAR * DAY),
                note=pick(rng, rows, _NOTES))  # fmt: skip
    block.add(made)


def _signed_days(block: Block, rng: np.random.Generator, sign: int, share: float) -> tuple[Ints, Ints]:
    """Rows of runs, and a day, for those in whom this sign of trouble shows: before leaving or in a bad spell."""
    runs, spell = block.stories.runs, block.stories.spell
    leaving = np.flatnonzero(((runs.signs & sign) > 0) & (runs.trouble_from < FAR))
    day = runs.trouble_from[leaving] + uniform(rng, len(leaving), 0, 30)
    first = spell.first_day[runs.person]
    inside = ((spell.signs[runs.person] & sign) > 0) & (first > runs.first_day) & (first + 25 < runs.last_day)
    passing = np.flatnonzero(inside)
    run = np.concatenate([leaving, passing])
    days = np.concatenate([day, first[passing] + uniform(rng, len(passing), 0, 20)])
    keep = (days <= np.minimum(runs.last_day[run], block.world.last_day)) & chance(rng, share, len(run))
    return run[keep], days[keep]


def _served_days(block: Block, rng: np.random.Generator, every: int) -> tuple[Ints, Ints]:
    """Rows of runs and days on which they are served, one in each stretch of `every` days."""
    runs, last = block.stories.runs, block.world.last_day
    stretches = np.maximum(np.minimum(runs.last_day, last) - runs.first_day, 0) // every
    run, number = ragged(stretches)
    return run, runs.first_day[run] + every * number + uniform(rng, len(run), 1, every - 1)


def _complaints(block: Block) -> tuple[Ints, Ints, Ints, Ints]:
    rng, people, runs = block.rng("complaints"), block.people, block.stories.runs
    run, day = _signed_days(block, rng, COMPLAINT, 0.95)
    quiet, quiet_day = _served_days(block, rng, 60)
    some = chance(rng, 0.006, len(quiet))
    run, day = np.concatenate([run, quiet[some]]), np.concatenate([day, quiet_day[some]])
    person = runs.person[run]
    n = len(run)
    opened = moments(rng, day, 9, 21)
    closed = np.where(chance(rng, 0.88, n), opened + uniform(rng, n, DAY, 28 * DAY), FAR * DAY)
    ids = people.ids(n)
    made = sheet("complaints", opened, {
        "complaint_id": ids,
        "learner_id": people.learner_id[person],
        "contact_id": people.contact_id[person],
        "campus_id": block.campus_id,
        "category": pick(rng, n, ["teaching", "service", "price", "facility", "schedule", "other"], [0.35, 0.2, 0.12, 0.08, 0.2, 0.05]),
        "severity": pick(rng, n, ["low", "medium", "high"], [0.3, 0.5, 0.2]),
        "text": pick(rng, n, _COMPLAINTS),
        "opened_at": opened,
    })  # fmt: skip
    costs = np.where(chance(rng, 0.4, n), uniform(rng, n, 1, 6) * 5_000, 0)
    made.change(closed, closed_at=closed, resolution=pick(rng, n, _ANSWERS), resolution_cost_amount=costs)
    block.add(made)
    return ids, opened, person, closed


def _compensations(block: Block, complaint: Ints, opened: Ints, person: Ints, closed: Ints) -> None:
    rng, people = block.rng("compensations"), block.people
    row = np.flatnonzero((closed < FAR * DAY) & chance(rng, 0.45, len(complaint)))
    n = len(row)
    kind = pick(rng, n, ["lessons", "cash", "voucher"], [0.55, 0.1, 0.35])
    lessons = kind == "lessons"
    block.add(sheet("compensations", closed[row] + 60, {
        "compensation_id": people.ids(n),
        "learner_id": people.learner_id[person[row]],
        "complaint_id": complaint[row],
        "kind": kind,
        "amount": np.where(lessons, NONE, uniform(rng, n, 1, 4) * 5_000),
        "hours": np.where(lessons, uniform(rng, n, 1, 3).astype(float), np.nan),
        "currency": words(lessons, None, "CNY"),
        "granted_at": closed[row] + 60,
    }))  # fmt: skip


def _surveys(block: Block) -> None:
    """NPS each quarter, satisfaction now and then, the first lesson; low scores from those in trouble."""
    rng, people, runs = block.rng("surveys"), block.people, block.stories.runs
    hidden = people.hidden_type[runs.person]
    angry, angry_day = _signed_days(block, rng, DETRACTOR, 0.9)
    run, day = _served_days(block, rng, 91)
    answers = chance(rng, 0.45, len(run)) & ~block.stories.troubled(run, day, DETRACTOR)
    run, day = run[answers], day[answers]
    calm = np.where(hidden[run] == STEADY, 9, np.where(hidden[run] == UNHAPPY, 8, 8)) + uniform(
        rng, len(run), -1, 1
    )
    calm = np.where(chance(rng, 0.03, len(run)), uniform(rng, len(run), 2, 6), calm)
    sat, sat_day = _served_days(block, rng, 120)
    some = chance(rng, 0.3, len(sat))
    sat, sat_day = sat[some], sat_day[some]
    starts = _first_lessons(block)
    fresh = np.flatnonzero(
        (runs.number == 1) & (starts[runs.person] < FAR) & chance(rng, 0.6, len(runs.person))
    )
    rows = [len(angry), len(run), len(sat), len(fresh)]
    who = runs.person[np.concatenate([angry, run, sat, fresh])]
    days = np.concatenate(
        [angry_day, day, sat_day, starts[runs.person[fresh]] + uniform(rng, len(fresh), 0, 2)]
    )
    kind = np.repeat(np.array(["nps", "nps", "csat", "first_lesson"], dtype=object), rows)
    score = np.concatenate([
        uniform(rng, rows[0], 0, 6),
        np.clip(calm, 0, 10),
        np.asarray(pick(rng, rows[2], [5, 4, 3, 2, 1], [0.45, 0.35, 0.13, 0.05, 0.02])),
        np.asarray(pick(rng, rows[3], [5, 4, 3, 2, 1], [0.5, 0.35, 0.1, 0.03, 0.02])),
    ])  # fmt: skip
    n = len(who)
    at = moments(rng, days, 18, 23)
    block.add(sheet("surveys", at, {
        "survey_id": people.ids(n),
        "learner_id": people.learner_id[who],
        "contact_id": people.contact_id[who],
        "kind": kind,
        "score": score,
        "comment": pick(rng, n, _COMMENTS),
        "responded_at": at,
    }))  # fmt: skip


def _first_lessons(block: Block) -> Ints:
    """Per person: day of the first lesson attended; far where there is none."""
    found = np.full(len(block.people), FAR, dtype=np.int64)
    out = block.stories.outcomes
    came = out.outcome < 4
    person = block.stories.lines.person[out.line[came]]
    np.minimum.at(found, person, block.timetable.day[out.lesson[came]])
    return found


def _service_requests(block: Block) -> None:
    rng, people, runs = block.rng("requests"), block.people, block.stories.runs
    run, day = _served_days(block, rng, 75)
    some = chance(rng, 0.45, len(run))
    run, day = run[some], day[some]
    person, n = runs.person[run], int(some.sum())
    opened = moments(rng, day, 8, 22)
    slow = people.hidden_type[person] == UNHAPPY
    replied = opened + (rng.exponential(np.where(slow, 26, 5) * 3_600.0, n)).astype(np.int64) + 300
    replied = np.where(chance(rng, 0.97, n), replied, FAR * DAY)
    closed = np.where(replied < FAR * DAY, replied + uniform(rng, n, 600, 5 * DAY), FAR * DAY)
    made = sheet("service_requests", opened, {
        "service_request_id": people.ids(n),
        "learner_id": people.learner_id[person],
        "contact_id": people.contact_id[person],
        "campus_id": block.campus_id,
        "kind": pick(rng, n, ["schedule", "materials", "billing", "teaching", "technical", "other"]),
        "text": pick(rng, n, _REQUESTS),
        "opened_at": opened,
    })  # fmt: skip
    made.change(replied, first_reply_at=replied)
    made.change(closed, closed_at=closed)
    block.add(made)


_SIGNALS = ((COMPLAINT, "complaint"), (DETRACTOR, "detractor"), (ABSENCES, "absences"), (USAGE, "usage_drop"), (HOMEWORK, "homework_slump"))  # fmt: skip


def _interventions(block: Block) -> None:
    """What is done about half of the troubles."""
    rng, people, runs, spell = (
        block.rng("interventions"),
        block.people,
        block.stories.runs,
        block.stories.spell,
    )
    leaving = np.flatnonzero((runs.trouble_from < FAR) & chance(rng, 0.5, len(runs.person)))
    first = spell.first_day[runs.person]
    inside = (spell.signs[runs.person] > 0) & (first > runs.first_day) & (first + 60 < runs.last_day)
    passing = np.flatnonzero(inside & chance(rng, 0.6, len(inside)))
    run = np.concatenate([leaving, passing])
    day = np.concatenate([runs.trouble_from[leaving], first[passing]]) + uniform(rng, len(run), 8, 30)
    signs = np.concatenate([runs.signs[leaving], spell.signs[runs.person[passing]]])
    kept = np.repeat([False, True], [len(leaving), len(passing)])
    soon = day <= np.minimum(runs.last_day[run], block.world.last_day)
    run, day, signs, kept = run[soon], day[soon], signs[soon], kept[soon]
    n = len(run)
    signal = np.full(n, "refund_request", dtype=object)
    for sign, name in reversed(_SIGNALS):
        signal = np.where((signs & sign) > 0, name, signal)
    opened = moments(rng, day, 9, 18)
    closed = opened + uniform(rng, n, 2, 25) * DAY
    person = runs.person[run]
    made = sheet("interventions", opened, {
        "intervention_id": people.ids(n),
        "learner_id": people.learner_id[person],
        "signal_code": signal.astype(object),
        "owner_id": block.advisor[person],
        "action": pick(rng, n, ["call", "visit", "extra_lesson", "teacher_change", "discount", "talk"]),
        "result": "open",
        "opened_at": opened,
    })  # fmt: skip
    made.change(closed, result=words(kept, "kept", "lost"), closed_at=closed)
    block.add(made)


def _exit_interviews(block: Block) -> None:
    """More than half of those who leave say why, around their last day."""
    rng, people, runs = block.rng("exits"), block.people, block.stories.runs
    row = np.flatnonzero((runs.last_day < FAR) & chance(rng, 0.55, len(runs.person)))
    n = len(row)
    person = runs.person[row]
    late = np.where(runs.ending[row] == LAPSED, uniform(rng, n, -5, 25), uniform(rng, n, -8, 12))
    day = np.maximum(runs.last_day[row] + late, runs.first_day[row] + 1)
    at = moments(rng, day, 10, 20)
    offered = chance(rng, np.where(people.hidden_type[person] == BARGAIN, 0.7, 0.35), n)
    made = sheet("exit_interviews", at, {
        "exit_interview_id": people.ids(n),
        "learner_id": people.learner_id[person],
        "advisor_id": block.advisor[person],
        "reason_code": runs.reason[row],
        "offer_code": words(offered, pick(rng, n, ["discount10", "free_lessons", "teacher_change", "pause"]), None),
        "note": pick(rng, n, _EXITS),
        "interviewed_at": at,
    })  # fmt: skip
    answered = np.where(offered, at + uniform(rng, n, 3_600, 4 * DAY), FAR * DAY)
    made.change(answered, is_offer_accepted=chance(rng, 0.1, n), answered_at=answered)
    block.add(made)


def _consents(block: Block) -> None:
    """For service always, for other purposes often; some are withdrawn."""
    rng, people = block.rng("consents"), block.people
    n = len(people)
    who, at, purpose, granted = [], [], [], []
    for name, share in (("service", 1.0), ("marketing", 0.8), ("research", 0.4), ("photo", 0.5)):
        gives = np.flatnonzero(chance(rng, share, n))
        given = block.lead_at[gives] + uniform(rng, len(gives), 60, 3_600)
        ends = np.flatnonzero(chance(rng, 0.0 if name == "service" else 0.07, len(gives)))
        who += [gives, gives[ends]]
        at += [given, given[ends] + uniform(rng, len(ends), 20 * DAY, 700 * DAY)]
        purpose += [np.full(len(gives) + len(ends), name, dtype=object)]
        granted += [np.ones(len(gives), dtype=bool), np.zeros(len(ends), dtype=bool)]
    person, given_at, words, yes = (np.concatenate(x) for x in (who, at, purpose, granted))
    made = sheet("consents", given_at, {
        "consent_id": people.ids(len(person)),
        "contact_id": people.contact_id[person],
        "learner_id": np.where(block.learner_since[person] <= given_at, people.learner_id[person], NONE),
        "purpose": words,
        "is_granted": yes,
        "is_guardian": ~people.is_adult[person],
    })  # fmt: skip
    block.add(made)


def _activity_attendance(block: Block) -> None:
    """Customers and prospects at the campus's monthly events."""
    rng, people, world = block.rng("activities"), block.people, block.world
    months = np.arange(frame.activities_ahead(world))
    day = frame.activity_day(world, months)
    person = np.tile(np.arange(len(people)), len(months))
    month = np.repeat(months, len(people))
    on = day[month]
    is_customer = block.in_run(person, on)
    courted = (people.first_day[person] < on - 6) & (people.first_day[person] > on - 60) & ~is_customer
    comes = chance(rng, np.where(is_customer, 0.06, np.where(courted, 0.12, 0.0)), len(person))
    comes &= block.lead_at[person] < (on - 4) * DAY
    person, month, on, is_customer = person[comes], month[comes], on[comes], is_customer[comes]
    n = len(person)
    at = moments(rng, on - uniform(rng, n, 1, 4), 9, 21)
    known = is_customer & (block.learner_since[person] < at)
    made = sheet("activity_attendance", at, {
        "activity_attendance_id": people.ids(n),
        "activity_id": frame.activity_id(people.campus, month),
        "contact_id": people.contact_id[person],
        "lead_id": np.where(known, NONE, people.lead_id[person]),
        "learner_id": np.where(known, people.learner_id[person], NONE),
        "registered_at": at,
    })  # fmt: skip
    made.change(on * DAY + 17 * 3_600, is_attended=chance(rng, 0.75, n))
    block.add(made)
