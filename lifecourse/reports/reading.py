"""What the weekly report of a learner says, read from `marts` by a reader's role."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.lifecycle.history import HOW_TO_FIND_IDS
from lifecourse.warehouse.connection import Role, Warehouse

Row = TypeVar("Row")

#: Weeks of history that the page shows, that of the report included; topics look back as far, as their mastery does.
WEEKS = 8
#: A class average over fewer learners would tell of the others.
MIN_CLASSMATES = 4
#: Learners read at once.
CHUNK = 500


@dataclass(frozen=True)
class Learner:
    """Who the page is about: nothing but the number, the campus and the grade."""

    customer_id: str
    campus_name: str | None
    grade: str | None


@dataclass(frozen=True)
class Week:
    """A row of fct_learning_week."""

    customer_id: str
    week_on: date
    scheduled_seats: int
    attended_seats: int
    absent_seats: int
    leave_seats: int
    made_up_seats: int
    attended_hours: Decimal
    homework_due: int
    homework_on_time: int
    homework_late: int
    homework_missing: int
    study_days: int
    study_minutes: Decimal | None
    attendance_rate: Decimal | None
    homework_on_time_rate: Decimal | None
    attended_hours_change: Decimal | None
    homework_on_time_rate_change: Decimal | None
    study_days_change: int | None


@dataclass(frozen=True)
class InClass:
    """The learner's week in one class, and the class's; rates null where there is nothing to divide by."""

    customer_id: str
    course_name: str | None
    own_attendance_rate: Decimal | None
    own_homework_rate: Decimal | None
    own_score: Decimal | None
    learners: int
    class_attendance_rate: Decimal | None
    class_homework_rate: Decimal | None
    class_score: Decimal | None

    @property
    def is_comparable(self) -> bool:
        return self.learners >= MIN_CLASSMATES


@dataclass(frozen=True)
class Lesson:
    """A seat of the week."""

    customer_id: str
    lesson_on: date
    course_name: str | None
    outcome: str
    makes_up_lesson_on: date | None
    made_up_on: date | None


@dataclass(frozen=True)
class Homework:
    """A piece of homework due in the week."""

    customer_id: str
    due_on: date
    topic: str | None
    submission_status: str
    days_late: int | None
    score: Decimal | None


@dataclass(frozen=True)
class Topic:
    """Where the learner stands in a topic at the end of the week."""

    customer_id: str
    topic: str
    mastery_rate: Decimal
    mastery_before: Decimal | None
    is_weak: bool


@dataclass(frozen=True)
class Goal:
    """A goal of the learner, and what came of it."""

    customer_id: str
    subject: str | None
    baseline_score: Decimal | None
    expected_score: Decimal
    actual_score: Decimal | None
    due_on: date | None
    status: str


@dataclass
class Report:
    """Everything on one page."""

    learner: Learner
    week_on: date
    as_of: date
    week: Week | None = None
    earlier: list[Week] = field(default_factory=list)
    classes: list[InClass] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    homework: list[Homework] = field(default_factory=list)
    topics: list[Topic] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    @property
    def last_on(self) -> date:
        return self.week_on + timedelta(days=6)

    @property
    def is_over(self) -> bool:
        return self.last_on <= self.as_of


def monday_of(week: str) -> date:
    """The Monday of an ISO week written like 2026-W10; `LifecourseError` for anything else."""
    try:
        if re.fullmatch(r"\d{4}-W\d{2}", week):
            return date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    except ValueError:
        pass
    raise LifecourseError(f"{week!r} is no ISO week", "--week", "write it like 2026-W10")


def learners_of(
    warehouse: Warehouse, week_on: date, campus: str | None, class_id: str | None, role: Role
) -> list[str]:
    """Reportable customers of a campus or class who have a row for the week, in order."""
    with warehouse.connect(role) as connection:
        rows = connection.execute(
            """
            select week.customer_id
            from marts.fct_learning_week as week
            inner join marts.dim_customer as customer using (customer_id)
            where
                week.week_on = %(week)s
                and customer.is_reportable
                and (%(campus)s::text is null or week.campus_id = %(campus)s)
                and (%(class)s::text is null or exists (
                    select 1 from marts.fct_learning_week_class as seat
                    where seat.customer_id = week.customer_id and seat.week_on = week.week_on
                        and seat.class_id = %(class)s
                ))
            order by week.customer_id
            """,
            {"week": week_on, "campus": campus, "class": class_id},
        ).fetchall()
    return [customer for (customer,) in rows]


def read_reports(
    warehouse: Warehouse, customers: Sequence[str], week_on: date, role: Role = Role.BI_READER
) -> list[Report]:
    """The reports of some customers for the week that begins on a Monday, all from one publication.

    Raises `LifecourseError` for a customer that is not in `marts`, or a week that has not begun by the day of the
    publication.
    """
    try:
        with warehouse.connect(role) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            published = connection.execute("select as_of from marts.publication where is_current").fetchone()
            if published is None:
                raise LifecourseError("nothing is published yet", "marts", "run `lifecourse build run DAY`")
            (as_of,) = published
            if week_on > as_of:
                raise LifecourseError(
                    f"the week of {week_on} lies ahead of the published day {as_of}",
                    "--week",
                    "ask for an earlier week, or build a later day",
                )
            found: list[Report] = []
            for first in range(0, len(customers), CHUNK):
                found += _read(connection, list(customers[first : first + CHUNK]), week_on, as_of)
            return found
    except psycopg.Error as error:
        raise LifecourseError(f"marts cannot be read: {sanitised(error)}", warehouse.name_of()) from None


def _read(
    connection: psycopg.Connection[Any], customers: list[str], week_on: date, as_of: date
) -> list[Report]:
    values = {
        "customers": customers,
        "week": week_on,
        "last": week_on + timedelta(days=6),
        "first": week_on - timedelta(weeks=WEEKS - 1),
    }

    def rows(kind: type[Row], query: str) -> list[Row]:
        with connection.cursor(row_factory=class_row(kind)) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    reports = {learner.customer_id: Report(learner, week_on, as_of) for learner in rows(Learner, _LEARNERS)}
    unknown = sorted(set(customers) - set(reports))
    if unknown:
        raise LifecourseError(f"there is no customer {unknown[0]} in marts", "CUSTOMER", HOW_TO_FIND_IDS)
    for week in rows(Week, _WEEKS):
        reports[week.customer_id].earlier.append(week)
        if week.week_on == week_on:
            reports[week.customer_id].week = week
    for in_class in rows(InClass, _CLASSES):
        reports[in_class.customer_id].classes.append(in_class)
    for lesson in rows(Lesson, _LESSONS):
        reports[lesson.customer_id].lessons.append(lesson)
    for homework in rows(Homework, _HOMEWORK):
        reports[homework.customer_id].homework.append(homework)
    for topic in rows(Topic, _TOPICS):
        reports[topic.customer_id].topics.append(topic)
    for goal in rows(Goal, _GOALS):
        reports[goal.customer_id].goals.append(goal)
    return [reports[customer] for customer in dict.fromkeys(customers)]


_LEARNERS = """
select customer.customer_id, campus.campus_name, customer.grade
from marts.dim_customer as customer
left join marts.dim_campus as campus using (campus_id)
where customer.customer_id = any(%(customers)s)
"""

_WEEKS = f"""
select {", ".join(Week.__dataclass_fields__)}
from marts.fct_learning_week
where customer_id = any(%(customers)s) and week_on between %(first)s and %(week)s
order by customer_id, week_on
"""

_CLASSES = """
select
    own.customer_id,
    course.course_name,
    round(own.attended_seats::numeric / nullif(own.scheduled_seats - own.leave_seats, 0), 4) as own_attendance_rate,
    round(own.homework_on_time::numeric / nullif(own.homework_due, 0), 4) as own_homework_rate,
    round(own.homework_points / nullif(own.homework_marked, 0), 1) as own_score,
    whole.learners,
    whole.attendance_rate as class_attendance_rate,
    whole.homework_on_time_rate as class_homework_rate,
    round(whole.homework_points / nullif(whole.homework_marked, 0), 1) as class_score
from marts.fct_learning_week_class as own
inner join marts.fct_class_week as whole on whole.class_id = own.class_id and whole.week_on = own.week_on
left join marts.dim_class as class on class.class_id = own.class_id
left join marts.dim_course as course on course.course_id = class.course_id
where own.customer_id = any(%(customers)s) and own.week_on = %(week)s
order by own.customer_id, course.course_name, own.class_id
"""

_LESSONS = """
select
    seat.customer_id, seat.lesson_on, course.course_name, seat.outcome, seat.makes_up_lesson_on, seat.made_up_on
from marts.fct_attendance as seat
left join marts.dim_course as course on course.course_id = seat.course_id
where seat.customer_id = any(%(customers)s) and seat.lesson_on between %(week)s and %(last)s
order by seat.customer_id, seat.lesson_at, seat.attendance_id
"""

_HOMEWORK = """
select
    work.customer_id, work.due_on, work.topic, work.submission_status, work.days_late, work.score
from marts.fct_homework as work
cross join marts.publication as published
where
    work.customer_id = any(%(customers)s) and work.due_on between %(week)s and %(last)s
    and published.is_current and work.due_on <= published.as_of
order by work.customer_id, work.due_on, work.homework_id
"""

# The last word on each topic within the weeks that its mastery looks back over, and the word before it.
_TOPICS = """
select customer_id, topic, mastery_rate, mastery_before, is_weak
from (
    select
        customer_id, topic, mastery_rate, is_weak,
        lag(mastery_rate) over by_week as mastery_before,
        row_number() over (partition by customer_id, topic order by week_on desc) as place
    from marts.fct_learning_week_topic
    where customer_id = any(%(customers)s) and week_on between %(first)s and %(week)s
    window by_week as (partition by customer_id, topic order by week_on)
) as words
where place = 1
order by customer_id, mastery_rate, topic
"""

_GOALS = """
select customer_id, subject, baseline_score, expected_score, actual_score, due_on, status
from marts.fct_goal
where
    customer_id = any(%(customers)s)
    and set_on <= %(last)s
    and (measured_on is null or measured_on >= %(week)s)
order by customer_id, due_on, goal_id
"""
