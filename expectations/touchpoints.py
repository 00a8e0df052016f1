"""Touchpoints: one row per contact between the institution and a prospect or family."""

from lifecourse.quality.rules import Suite, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `touchpoints`."""
    return table_suite(
        "touchpoints",
        required("touchpoint_id", "channel", "direction", "occurred_at", "updated_at"),
        one_of("channel", "call", "wechat", "sms", "email", "visit", "web", "live"),
        one_of("direction", "in", "out"),
        one_of("outcome", "reached", "no_answer", "replied", "booked", "refused", "opened"),
        one_of("sentiment", "positive", "neutral", "negative"),
        parent("lead_id", "leads"),
        parent("contact_id", "contacts"),
    )
