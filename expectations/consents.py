"""Consents: one row per consent given or withdrawn."""

from lifecourse.quality.rules import Suite, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `consents`."""
    return table_suite(
        "consents",
        required("consent_id", "purpose", "is_granted", "given_at"),
        one_of("purpose", "service", "marketing", "research", "photo"),
        parent("contact_id", "contacts"),
    )
