"""Contacts: one row per contact person of a household or company."""

from lifecourse.quality.rules import Suite, one_of, required, table_suite


def suite() -> Suite:
    """The row rules of `contacts`."""
    return table_suite(
        "contacts",
        required("contact_id", "created_at", "updated_at"),
        one_of("relation", "mother", "father", "grandparent", "self", "employer", "other"),
        one_of("income_band", "low", "middle", "upper", "high"),
    )
