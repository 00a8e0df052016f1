"""Teachers: one row per teacher and subject taught."""

from lifecourse.quality.rules import Suite, required, table_suite


def suite() -> Suite:
    """The row rules of `teachers`."""
    return table_suite(
        "teachers",
        required("teacher_id", "updated_at"),
    )
