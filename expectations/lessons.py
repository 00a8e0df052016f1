"""Lessons: one row per lesson of a class."""

from lifecourse.quality.rules import Suite, at_least, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `lessons`."""
    return table_suite(
        "lessons",
        required("lesson_id", "class_id", "campus_id", "starts_at", "hours", "status", "updated_at"),
        one_of("status", "scheduled", "held", "cancelled"),
        at_least("negative_hours", "hours"),
        parent("class_id", "classes"),
        parent("campus_id", "campuses"),
    )
