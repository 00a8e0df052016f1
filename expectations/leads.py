"""Leads: one row per enquiry as recorded (one person may be recorded more than once)."""

from lifecourse.quality.rules import Suite, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `leads`."""
    return table_suite(
        "leads",
        required("lead_id", "campus_id", "channel_code", "status", "created_at", "updated_at"),
        one_of(
            "channel_code",
            "referral",
            "wechat",
            "douyin",
            "search",
            "ground",
            "walk_in",
            "partner",
            "other",
        ),
        one_of("intent", "high", "medium", "low"),
        one_of("status", "new", "contacted", "trial_booked", "trialled", "converted", "lost", "invalid"),
        parent("contact_id", "contacts"),
    )
