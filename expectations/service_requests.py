"""Service requests: one row per request for service."""

from lifecourse.quality.rules import Suite, one_of, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `service_requests`."""
    return table_suite(
        "service_requests",
        required("service_request_id", "learner_id", "opened_at", "updated_at"),
        one_of("kind", "schedule", "materials", "billing", "teaching", "technical", "other"),
        period("opened_at", "first_reply_at"),
        period("opened_at", "closed_at"),
        parent("contact_id", "contacts"),
    )
