"""Staff: one row per member of staff in teaching and service."""

from lifecourse.quality.rules import Suite, one_of, period, required, table_suite


def suite() -> Suite:
    """The row rules of `staff`."""
    return table_suite(
        "staff",
        required("staff_id", "role", "updated_at"),
        one_of("role", "teacher", "head", "service", "admin"),
        period("hired_on", "left_on"),
    )
