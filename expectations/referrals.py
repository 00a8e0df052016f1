"""Referrals: one row per referral of a new lead by an existing family."""

from lifecourse.quality.rules import Suite, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `referrals`."""
    return table_suite(
        "referrals",
        required("referral_id", "referrer_learner_id", "referred_at", "updated_at"),
        one_of("source_type", "classmate", "neighbour", "colleague", "online", "other"),
        parent("referrer_contact_id", "contacts", "contact_id"),
        parent("referred_lead_id", "leads", "lead_id"),
    )
