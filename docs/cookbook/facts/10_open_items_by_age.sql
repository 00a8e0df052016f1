-- Question: What do the payment channels' bills and our payments not agree on, and for how long?
-- Returns: one row per channel, kind of disagreement and age: items, and the money by which the two sides differ.
-- Caveat: in_transit is no disagreement yet, the bill may still come. Of a row that only one side has, all of it is the
--   difference: positive is missing on the bill, negative missing in the orders. Fees differ by what is told apart.
select
    channel,
    reconciliation_status,
    age_bucket,
    coalesce(currency, bill_currency) as currency,
    count(*) as items,
    sum(difference_amount) as difference_amount,
    coalesce(sum(bill_fee_amount - fee_amount) filter (where reconciliation_status = 'fee_differs'), 0)
        as fee_difference_amount,
    max(open_days) as oldest_days
from marts.fct_payment_reconciliation
where reconciliation_status <> 'matched'
group by channel, reconciliation_status, age_bucket, coalesce(currency, bill_currency)
order by channel, reconciliation_status, min(open_days);
