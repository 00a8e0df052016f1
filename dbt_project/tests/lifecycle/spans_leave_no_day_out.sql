-- What: a customer's spans leave a day out, overlap, or do not reach from the first contact to the day of the build.
-- Why it matters: the customer is missing from the counts of that day, or is counted twice.
-- What to do: look for two rows of int_base_stage that do not touch, and for a run that opens before the previous one
--   closed (int_active_run).
with

spans as (
    select * from {{ in_scope('fct_lifecycle_span') }} as scoped
),

firsts as (
    select * from {{ ref('int_first_fact') }}
),

in_order as (
    select
        customer_id,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by customer_id order by span_no) as next_from,
        row_number() over (partition by customer_id order by span_no) as span_place
    from spans
)

select
    firsts.customer_id,
    in_order.valid_from,
    in_order.valid_to
from firsts
left join in_order on in_order.customer_id = firsts.customer_id
where
    in_order.customer_id is null
    or in_order.valid_to is distinct from in_order.next_from
    or in_order.valid_to <= in_order.valid_from
    or in_order.valid_from > {{ as_of() }}
    or (in_order.span_place = 1 and in_order.valid_from <> firsts.first_contact_on)
