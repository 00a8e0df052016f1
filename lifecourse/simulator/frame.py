"""What belongs to the institution as a whole: campuses, staff, courses, campaigns, costs, events."""

from __future__ import annotations

from datetime import date

import numpy as np

from lifecourse.simulator import catalogue, names
from lifecourse.simulator.almanac import World, as_date, day_number, terms
from lifecourse.simulator.draw import Rng, chance, generator, pick, uniform
from lifecourse.simulator.sheets import DAY, FAR, NONE, Ints, Sheet, sheet

TEACHERS_PER_SUBJECT = 3
ADVISORS_PER_CAMPUS = 5
_SUBJECTS = len(catalogue.SUBJECTS) + 1  # the last teaches self-study courses online
_TEACHERS = _SUBJECTS * TEACHERS_PER_SUBJECT
CHANNELS = ("wechat", "douyin", "search", "ground", "partner")
_ONLINE = ("wechat", "douyin", "search")


def campus_id(campus: object) -> Ints:
    return np.asarray(campus, dtype=np.int64) + 1


def teacher_id(campus: object, subject: object, number: object) -> Ints:
    """Id of the campus's n-th teacher of a subject (number of the subject in the catalogue)."""
    place = np.asarray(subject) * TEACHERS_PER_SUBJECT + np.asarray(number)
    return np.asarray(campus_id(campus) * 1_000 + place + 1, dtype=np.int64)


def advisor_id(campus: object, number: object) -> Ints:
    return np.asarray(campus_id(campus) * 100 + np.asarray(number) + 1, dtype=np.int64)


def campaign_id(channel: int, quarter: object) -> Ints:
    return np.asarray(1_000 * (channel + 1) + np.asarray(quarter) + 1, dtype=np.int64)


def quarter_of(world: World, day: Ints) -> Ints:
    """Quarters of ninety days since the opening, in which campaigns run."""
    return (day - world.first_day) // 90


def activity_id(campus: object, month: object) -> Ints:
    return np.asarray(campus_id(campus) * 1_000 + np.asarray(month) + 1, dtype=np.int64)


def activity_day(world: World, month: object) -> Ints:
    """Day of a campus's monthly event."""
    return np.asarray(world.first_day + 20 + 30 * np.asarray(month), dtype=np.int64)


def activities_ahead(world: World) -> int:
    """Number of monthly events until the last day."""
    return (world.last_day - world.first_day - 20) // 30


def sheets(world: World) -> list[Sheet]:
    """Every table that no single customer brings about."""
    rng = generator(world.seed, -1, "frame")
    return [
        _campuses(world),
        *_staff(rng, world),
        _courses(world),
        _advisors(rng, world),
        _campaigns(rng, world),
        _channel_costs(rng, world),
        _operating_costs(rng, world),
        _activities(rng, world),
        _closed_days(world),
        _exam_calendar(world),
    ]


def _opening(world: World, rows: int) -> Ints:
    """Early on the first day: rows that were there from the start."""
    return np.full(rows, world.first_day * DAY + 3_600)


def _campuses(world: World) -> Sheet:
    number = np.arange(world.campuses)
    city = [names.CITIES[c % len(names.CITIES)] for c in number]
    district = [
        districts[(c // len(names.CITIES)) % len(districts)]
        for c, (_, districts) in zip(number, city, strict=True)
    ]
    return sheet("campuses", _opening(world, len(number)), {
        "campus_id": campus_id(number),
        "name": [f"{c}{d}{n // 16 + 1}校区" for n, (c, _), d in zip(number, city, district, strict=True)],
        "city": [c for c, _ in city],
        "district": district,
        "opened_on": world.first_day,
    })  # fmt: skip


def _staff(rng: Rng, world: World) -> list[Sheet]:
    campus = np.repeat(np.arange(world.campuses), _TEACHERS)
    place = np.tile(np.arange(_TEACHERS), world.campuses)
    subject, number = place // TEACHERS_PER_SUBJECT, place % TEACHERS_PER_SUBJECT
    key = teacher_id(campus, subject, number)
    words = [*(s.name for s in catalogue.SUBJECTS), "在线课程"]
    teachers = sheet("teachers", _opening(world, len(key)), {
        "teacher_id": key,
        "staff_id": key,
        "campus_id": campus_id(campus),
        "subject": np.array(words, dtype=object)[subject],
        "level": pick(rng, len(key), ["junior", "senior", "lead"], [0.5, 0.35, 0.15]),
    })  # fmt: skip
    other = np.repeat(np.arange(world.campuses), 3)
    role = np.tile(np.array(["head", "service", "admin"], dtype=object), world.campuses)
    staff_id = np.concatenate([key, campus_id(other) * 1_000 + 901 + np.arange(len(other)) % 3])
    rows = len(staff_id)
    who = [a + b for a, b in zip(names.surnames(rng, rows), names.grown_names(rng, rows), strict=True)]
    leaves = chance(rng, 0.1, rows) & (np.arange(rows) < len(key))
    left = np.where(leaves, uniform(rng, rows, world.first_day + 200, world.last_day), FAR)
    staff = sheet("staff", _opening(world, rows), {
        "staff_id": staff_id,
        "campus_id": campus_id(np.concatenate([campus, other])),
        "name": who,
        "role": np.concatenate([np.full(len(key), "teacher", dtype=object), role]),
        "hired_on": world.first_day - uniform(rng, rows, 0, 2_000),
    }).change(left * DAY + 18 * 3_600, left_on=left)  # fmt: skip
    return [staff, teachers]


def _courses(world: World) -> Sheet:
    known = catalogue.courses()
    number = np.arange(len(known.name))
    after = known.next_course
    raised = np.where(known.delivery == "scheduled", (world.first_day + 550) * DAY + 9 * 3_600, FAR * DAY)
    return sheet("courses", _opening(world, len(number)), {
        "course_id": catalogue.course_id(number),
        "name": known.name,
        "subject": known.subject,
        "level": known.level,
        "school_level": known.school_level,
        "product_line": known.product_line,
        "delivery": known.delivery,
        "total_lessons": np.where(known.delivery == "scheduled", 48, NONE),
        "lesson_hours": np.where(known.delivery == "scheduled", known.lesson_hours, np.nan),
        "list_price_amount": known.price,
        "currency": "CNY",
        "is_terminal": known.is_terminal,
        "next_course_id": np.where(after >= 0, catalogue.course_id(after), NONE),
    }).change(raised, list_price_amount=known.price + 500)  # fmt: skip


def _advisors(rng: Rng, world: World) -> Sheet:
    campus = np.repeat(np.arange(world.campuses), ADVISORS_PER_CAMPUS)
    number = np.tile(np.arange(ADVISORS_PER_CAMPUS), world.campuses)
    rows = len(campus)
    left = np.where(chance(rng, 0.15, rows), uniform(rng, rows, world.first_day + 300, world.last_day), FAR)
    return sheet("advisors", _opening(world, rows), {
        "advisor_id": advisor_id(campus, number),
        "campus_id": campus_id(campus),
        "name": [a + b for a, b in zip(names.surnames(rng, rows), names.grown_names(rng, rows), strict=True)],
        "team": np.array(["一组", "二组"], dtype=object)[number % 2],
        "specialty": pick(rng, rows, [s.name for s in catalogue.SUBJECTS]),
        "hired_on": world.first_day - uniform(rng, rows, 0, 900),
    }).change(left * DAY + 18 * 3_600, left_on=left)  # fmt: skip


def _campaigns(rng: Rng, world: World) -> Sheet:
    quarters = (world.last_day - world.first_day) // 90 + 1
    channel = np.repeat(np.arange(len(CHANNELS)), quarters)
    quarter = np.tile(np.arange(quarters), len(CHANNELS))
    starts = world.first_day + quarter * 90
    created = np.maximum(starts - 14, world.first_day) * DAY + 10 * 3_600
    return sheet("campaigns", np.where(quarter == 0, world.first_day * DAY + 3_600, created), {
        "campaign_id": campaign_id(0, quarter) + 1_000 * channel,
        "name": [f"{as_date(s):%Y%m}{CHANNELS[c]}招生" for s, c in zip(starts, channel, strict=True)],
        "channel_code": np.array(CHANNELS, dtype=object)[channel],
        "starts_on": starts,
        "ends_on": starts + 89,
        "budget_amount": uniform(rng, len(channel), 20, 200) * 100_000,
        "currency": "CNY",
    })  # fmt: skip


def _channel_costs(rng: Rng, world: World) -> Sheet:
    """Online channels are charged daily to the institution, the others weekly to a campus."""
    days = np.arange(world.first_day, world.last_day + 1)
    weeks = days[(days + 3) % 7 == 0]
    parts = []
    for number, name in enumerate(CHANNELS):
        if name in _ONLINE:
            parts.append((days, np.full(len(days), number), np.full(len(days), NONE)))
        else:
            parts += [
                (weeks, np.full(len(weeks), number), np.full(len(weeks), campus_id(c)))
                for c in range(world.campuses)
            ]
    on, by, at = (np.concatenate(x) for x in zip(*parts, strict=True))
    order = np.lexsort((at, by, on))
    on, by, at = on[order], by[order], at[order]
    # Spend follows the number of customers won; a seventh of it varies from day to day.
    scale = world.customers * np.where(at == NONE, 14.0, 6.0 * 7 / world.campuses)
    cents = (scale * (0.5 + rng.random(len(on)) / 7)).astype(np.int64)
    return sheet("channel_costs", (on + 1) * DAY + 8 * 3_600, {
        "channel_cost_id": 1 + np.arange(len(on)),
        "cost_on": on,
        "channel_code": np.array(CHANNELS, dtype=object)[by],
        "campus_id": at,
        "campaign_id": 1_000 * (by + 1) + quarter_of(world, on) + 1,
        "cost_amount": cents,
        "currency": "CNY",
    })  # fmt: skip


def _operating_costs(rng: Rng, world: World) -> Sheet:
    first, last = world.opened_on, as_date(world.last_day)
    months = [
        date(m // 12, m % 12 + 1, 1)
        for m in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    ]
    kinds = ["rent", "teaching", "sales", "service", "materials", "other"]
    share = np.array([3.0, 7.0, 2.5, 1.0, 0.6, 0.5])
    month = np.repeat([day_number(m) for m in months], len(kinds) * world.campuses)
    campus = np.tile(np.repeat(np.arange(world.campuses), len(kinds)), len(months))
    kind = np.tile(np.arange(len(kinds)), len(months) * world.campuses)
    rows = len(month)
    cents = (share[kind] * world.customers / world.campuses * 900 * (0.9 + 0.2 * rng.random(rows))).astype(
        np.int64
    )
    booked = np.array([day_number(date(m.year + m.month // 12, m.month % 12 + 1, 5)) for m in months])
    return sheet("operating_costs", np.repeat(booked, len(kinds) * world.campuses) * DAY + 10 * 3_600, {
        "operating_cost_id": 1 + np.arange(rows),
        "campus_id": campus_id(campus),
        "month_on": month,
        "kind": np.array(kinds, dtype=object)[kind],
        "amount": cents,
        "currency": "CNY",
    })  # fmt: skip


def _activities(rng: Rng, world: World) -> Sheet:
    months = activities_ahead(world)
    campus = np.repeat(np.arange(world.campuses), months)
    month = np.tile(np.arange(months), world.campuses)
    day = activity_day(world, month)
    kinds = np.array(["open_day", "lecture", "parents_evening", "study_group", "community"], dtype=object)
    titles = np.array(["校园开放日", "学习方法讲座", "家长会", "读书小组", "社区活动"], dtype=object)
    kind = (month + campus) % len(kinds)
    return sheet("activities", np.maximum(day - 21, world.first_day) * DAY + 11 * 3_600, {
        "activity_id": activity_id(campus, month),
        "campus_id": campus_id(campus),
        "kind": kinds[kind],
        "title": titles[kind],
        "starts_at": day * DAY + 14 * 3_600,
        "capacity": np.asarray(pick(rng, len(day), [30, 60, 100])),
    })  # fmt: skip


def _closed_days(world: World) -> Sheet:
    common = world.holidays()
    rows = [(NONE, d, r) for d, r in common.items()]
    for campus in range(world.campuses):
        rows += [(int(campus_id(campus)), d, r) for d, r in world.own_closed_days(campus).items()]
    of, on, reason = zip(*rows, strict=True)
    days = np.array(on, dtype=np.int64)
    told = np.maximum(days - np.where(np.array(of) == NONE, 60, 10), world.first_day)
    return sheet("closed_days", told * DAY + 3_600, {
        "closed_day_id": 1 + np.arange(len(rows)),
        "campus_id": np.array(of, dtype=np.int64),
        "closed_on": days,
        "reason": np.array(reason, dtype=object),
    })  # fmt: skip


def _exam_calendar(world: World) -> Sheet:
    rows: list[tuple[str, None, str, str | None, int]] = []
    for term in terms(world.opened_on, as_date(world.last_day)):
        for exam, share in (("期中考试", 0.45), ("期末考试", 0.8)):
            day = int(term.first_day + share * (term.last_day - term.first_day))
            rows += [(exam, None, f"G{g}", None, day) for g in range(3, 13)]
    for year in range(world.opened_on.year, as_date(world.last_day).year + 1):
        rows += [("中考", None, "G9", city, day_number(date(year, 6, 16))) for city, _ in names.CITIES]
        rows.append(("高考", None, "G12", None, day_number(date(year, 6, 7))))
    name, subject, grade, region, on = zip(*rows, strict=True)
    days = np.array(on, dtype=np.int64)
    return sheet("exam_calendar", np.maximum(days - 120, world.first_day) * DAY + 3_600, {
        "exam_id": 1 + np.arange(len(rows)),
        "name": np.array(name, dtype=object),
        "subject": np.array(subject, dtype=object),
        "grade": np.array(grade, dtype=object),
        "region": np.array(region, dtype=object),
        "exam_on": days,
    })  # fmt: skip
