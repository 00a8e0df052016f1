"""Activities: one row per event the institution holds."""

from lifecourse.quality.rules import Suite, at_least, one_of, required, table_suite


def suite() -> Suite:
    """The row rules of `activities`."""
    return table_suite(
        "activities",
        required("activity_id", "kind", "starts_at", "updated_at"),
        one_of("kind", "open_day", "lecture", "parents_evening", "study_group", "community"),
        at_least("negative_count", "capacity"),
    )
