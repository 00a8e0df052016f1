"""Exam calendar: one row per public or school exam."""

from lifecourse.quality.rules import Suite, required, table_suite


def suite() -> Suite:
    """The row rules of `exam_calendar`."""
    return table_suite(
        "exam_calendar",
        required("exam_id", "name", "exam_on", "updated_at"),
    )
