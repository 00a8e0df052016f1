"""Attendance: one row per learner and lesson, with the outcome."""

from lifecourse.quality.rules import Suite, across, at_least, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `attendance`."""
    return table_suite(
        "attendance",
        required(
            "attendance_id",
            "lesson_id",
            "learner_id",
            "enrolment_id",
            "outcome",
            "hours",
            "marked_at",
            "updated_at",
        ),
        one_of("outcome", "attended", "late", "left_early", "made_up", "absent", "leave"),
        one_of("leave_reason", "illness", "exam", "travel", "school", "other"),
        at_least("negative_hours", "hours"),
        parent("lesson_id", "lessons"),
        parent("learner_id", "learners"),
        parent("enrolment_id", "enrolments"),
        across(
            "lesson_before_enrolment",
            """
            select marked._row
            from {landing} as marked
            inner join {parent[lessons]} as lesson
                on marked.lesson_id = lesson.lesson_id and lesson._deleted_at is null
            inner join {parent[enrolments]} as enrolment
                on marked.enrolment_id = enrolment.enrolment_id and enrolment._deleted_at is null
            where (lesson.starts_at at time zone '{timezone}')::date < enrolment.enrolled_on
            """,
            columns=["lesson_id", "enrolment_id"],
            parents=["lessons", "enrolments"],
        ),
    )
