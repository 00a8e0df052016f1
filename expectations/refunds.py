"""Refunds: one row per refund request."""

from lifecourse.quality.rules import (
    EXIT_REASONS,
    Suite,
    across,
    at_least,
    currency,
    one_of,
    parent,
    period,
    required,
    table_suite,
)


def suite() -> Suite:
    """The row rules of `refunds`."""
    return table_suite(
        "refunds",
        required(
            "refund_id",
            "order_id",
            "payment_id",
            "amount",
            "currency",
            "is_whole_line",
            "requested_at",
            "updated_at",
        ),
        one_of("reason_code", *EXIT_REASONS),
        one_of("resolution", "paid", "rejected", "withdrawn"),
        at_least("negative_amount", "amount"),
        currency(),
        period("requested_at", "resolved_at"),
        parent("order_id", "orders"),
        parent("order_line_id", "order_lines"),
        parent("payment_id", "payments"),
        # A refund larger than its payment is wrong by itself. Of a payment's paid refunds the merged stand;
        # the landed ones are taken in the order in which they were asked for, and one that no longer fits is
        # wrong. Of several versions of a refund in one batch the last counts.
        across(
            "refund_exceeds_payment",
            """
            with recursive

            landed as (
                select distinct on (refund_id)
                    _row,
                    refund_id,
                    payment_id,
                    amount,
                    requested_at,
                    resolution
                from {landing}
                order by refund_id asc, updated_at desc, _row desc
            ),

            payment as (
                select
                    payment_id,
                    amount
                from {parent[payments]}
                where _deleted_at is null
            ),

            merged as (
                select
                    payment_id,
                    sum(amount) as amount
                from {parent[refunds]} as refund
                where
                    _deleted_at is null
                    and resolution = 'paid'
                    and payment_id in (select landed.payment_id from landed)
                    and not exists (select from landed where landed.refund_id = refund.refund_id)
                group by payment_id
            ),

            waiting as (
                select
                    landed._row,
                    landed.payment_id,
                    landed.amount,
                    payment.amount - coalesce(merged.amount, 0) as room,
                    row_number() over (
                        partition by landed.payment_id
                        order by landed.requested_at, landed.refund_id
                    ) as place,
                    sum(landed.amount) over (partition by landed.payment_id) as wanted
                from landed
                inner join payment on landed.payment_id = payment.payment_id
                left join merged on landed.payment_id = merged.payment_id
                where landed.resolution = 'paid' and landed.amount <= payment.amount
            ),

            walk as (
                select
                    payment_id,
                    place,
                    _row,
                    amount <= room as fits,
                    room - case when amount <= room then amount else 0 end as room
                from waiting
                where place = 1 and wanted > room
                union all
                select
                    waiting.payment_id,
                    waiting.place,
                    waiting._row,
                    waiting.amount <= walk.room,
                    walk.room - case when waiting.amount <= walk.room then waiting.amount else 0 end
                from walk
                inner join waiting on walk.payment_id = waiting.payment_id and waiting.place = walk.place + 1
            )

            select _row
            from walk
            where not fits
            union
            select landed._row
            from {landing} as landed
            inner join payment on landed.payment_id = payment.payment_id
            where landed.amount > payment.amount
            """,
            columns=["refund_id", "payment_id", "amount", "resolution", "requested_at", "updated_at"],
            parents=["payments", "refunds"],
        ),
        # A channel pays back in the currency of the payment: amounts of two currencies cannot be compared.
        across(
            "refund_in_other_currency",
            """
            select landed._row
            from {landing} as landed
            inner join {parent[payments]} as payment on landed.payment_id = payment.payment_id
            where
                payment._deleted_at is null
                and landed.currency <> payment.currency
            """,
            columns=["payment_id", "currency"],
            parents=["payments"],
        ),
    )
