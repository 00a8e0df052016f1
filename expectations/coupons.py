"""Coupons: one row per coupon issued."""

from lifecourse.quality.rules import Suite, at_least, currency, one_of, required, table_suite


def suite() -> Suite:
    """The row rules of `coupons`."""
    return table_suite(
        "coupons",
        required("coupon_id", "kind", "value", "issued_at", "updated_at"),
        one_of("kind", "amount", "percent"),
        at_least("negative_amount", "value"),
        currency(),
    )
