-- What: a day's deferred revenue does not follow from its movements, does not open with what the day before closed
-- with, is negative, or a day is missing.
-- Why it matters: the balance shown is not the sum of what is shown to have changed it; an auditor stops here.
-- What to do: fct_deferred_revenue_day is rebuilt whole from fct_revenue_movement and fct_period_revenue; look at the
-- lots with a movement on that day.
with

days as (
    select
        fct_deferred_revenue_day.*,
        lag(closing) over (partition by campus_id, product_line, currency order by day_on) as closed_before,
        lag(day_on) over (partition by campus_id, product_line, currency order by day_on) as day_before,
        max(day_on) over (partition by campus_id, product_line, currency) as last_on
    from {{ ref('fct_deferred_revenue_day') }} as fct_deferred_revenue_day
)

select
    day_on,
    campus_id,
    product_line,
    currency
from days
where
    opening + billings - refunds - recognised - expired <> closing
    or opening <> coalesce(closed_before, 0)
    or closing < 0
    or day_before <> {{ add_days('day_on', -1) }}
    or last_on <> {{ as_of() }}
