-- What: a span in danger begins on a day without an open signal, or a signal opens outside danger.
-- Why it matters: nobody can say why a customer is in danger, or a customer in danger is missed.
-- What to do: compare int_signal_stretch and int_danger for the customer.
with

spans as (
    select * from {{ in_scope('fct_lifecycle_span') }} as scoped
),

signals as (
    select * from {{ in_scope('fct_risk_signal') }} as scoped
)

select
    spans.customer_id,
    spans.valid_from as day_on
from spans
left join signals
    on
        signals.customer_id = spans.customer_id
        and signals.opened_on <= spans.valid_from
        and (signals.closed_on is null or signals.closed_on > spans.valid_from)
where
    spans.stage_code = 'danger'
    and signals.customer_id is null
union all
select
    signals.customer_id,
    signals.opened_on as day_on
from signals
left join spans
    on
        spans.customer_id = signals.customer_id
        and spans.stage_code = 'danger'
        and spans.valid_from <= signals.opened_on
        and (spans.valid_to is null or spans.valid_to > signals.opened_on)
where spans.customer_id is null
