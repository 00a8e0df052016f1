"""Rewards: one row per reward given for a referral, to either side."""

from lifecourse.quality.rules import Suite, at_least, currency, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `rewards`."""
    return table_suite(
        "rewards",
        required("reward_id", "referral_id", "beneficiary", "granted_at", "updated_at"),
        one_of("beneficiary", "referrer", "referred"),
        one_of("kind", "lessons", "cash", "voucher", "gift"),
        at_least("negative_amount", "amount"),
        currency(),
        parent("referral_id", "referrals"),
    )
