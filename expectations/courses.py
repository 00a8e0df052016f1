"""Courses: one row per course on offer."""

from lifecourse.quality.rules import Suite, at_least, currency, one_of, required, table_suite


def suite() -> Suite:
    """The row rules of `courses`."""
    return table_suite(
        "courses",
        required("course_id", "name", "product_line", "delivery", "updated_at"),
        one_of("level", "beginner", "intermediate", "advanced"),
        one_of("school_level", "preschool", "primary", "junior", "senior", "university", "adult"),
        one_of("delivery", "scheduled", "self_paced"),
        at_least("negative_count", "total_lessons"),
        at_least("negative_hours", "lesson_hours"),
        at_least("negative_amount", "list_price_amount"),
        currency(),
    )
