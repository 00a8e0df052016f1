{{ config(severity='warn') }}
-- What: money of an order without a line, in another currency than its order's, or for a period without an end.
-- Why it matters: it stays deferred, since nothing says when it is earned.
-- What to do: complete the order in the payment system.
select
    lot_id,
    campus_id,
    kind
from {{ in_scope('fct_lot') }} as lots
where
    value_amount <> 0
    and (kind = 'unassigned' or (kind = 'period' and total_units is null))
