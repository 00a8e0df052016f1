"""Activity attendance: one row per person registered for an activity."""

from lifecourse.quality.rules import Suite, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `activity_attendance`."""
    return table_suite(
        "activity_attendance",
        required("activity_attendance_id", "activity_id", "registered_at", "updated_at"),
        parent("activity_id", "activities"),
        parent("contact_id", "contacts"),
        parent("lead_id", "leads"),
    )
