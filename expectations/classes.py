"""Classes: one row per class (a course given to a group over a term)."""

from lifecourse.quality.rules import Suite, at_least, one_of, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `classes`."""
    return table_suite(
        "classes",
        required("class_id", "course_id", "campus_id", "status", "updated_at"),
        one_of("status", "planned", "open", "finished", "cancelled"),
        at_least("negative_count", "capacity"),
        period("starts_on", "ends_on"),
        parent("course_id", "courses"),
        parent("campus_id", "campuses"),
    )
