"""Enrolments: one row per learner and class or course taken."""

from lifecourse.quality.rules import EXIT_REASONS, Suite, one_of, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `enrolments`."""
    return table_suite(
        "enrolments",
        required(
            "enrolment_id",
            "learner_id",
            "course_id",
            "campus_id",
            "delivery",
            "status",
            "enrolled_on",
            "updated_at",
        ),
        one_of("delivery", "scheduled", "self_paced"),
        one_of("status", "active", "completed", "withdrawn"),
        one_of("result", "pass", "distinction", "fail", "withdrawn"),
        one_of("withdrawal_reason", *EXIT_REASONS),
        # A withdrawal may come before the first day, or before the noted day of enrolment: it is no period.
        period("starts_on", "ends_on"),
        parent("learner_id", "learners"),
        parent("course_id", "courses"),
        parent("class_id", "classes"),
        parent("campus_id", "campuses"),
    )
