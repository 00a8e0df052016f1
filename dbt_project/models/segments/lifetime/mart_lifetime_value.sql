-- One row per reportable customer with a purchase: revenue so far, and what the next 12 months are expected to bring.
with recursive

history as (
    select * from {{ ref('int_purchase_history') }}
),

parameters as (
    select * from {{ ref('int_model_parameter') }}
),

revenue as (
    select
        customer_id,
        sum(revenue_amount) as revenue_amount
    from {{ ref('int_customer_revenue_month') }}
    group by customer_id
),

costs as (
    select
        customer_id,
        sum(direct_amount) as direct_amount
    from {{ ref('fct_cost_to_serve_month') }}
    where currency = {{ reporting_currency() }}
    group by customer_id
),

used as (
    select
        lot_id,
        sum(hours) as hours
    from {{ ref('fct_lesson_consumption') }}
    where coverage = 'package'
    group by lot_id
),

-- Of a package given up with a refund, the hours used were bought and no more.
hours as (
    select
        lots.customer_id,
        sum(case when lots.settled_on is null then lots.total_units else coalesce(used.hours, 0) end) as bought,
        sum(coalesce(used.hours, 0)) as consumed
    from {{ ref('fct_lot') }} as lots
    left join used on used.lot_id = lots.lot_id
    where
        lots.kind = 'package'
        and lots.granted_on is not null
    group by lots.customer_id
),

rules as (
    select cast(max(case when rule = 'renewal_days_after' then value end) as integer) as renewal_days_after
    from {{ ref('value_rules') }}
    where coalesce(campus_id, '') = ''
),

-- BG/NBD, repeat purchases: time in weeks, the next 12 months are 365 / 7 of them.
buyers as (
    select
        history.customer_id,
        history.purchases,
        cast(history.net_amount / history.purchases as double precision) as mean_amount,
        history.purchases - 1 as x,
        history.age_days,
        cast(history.recency_of_last_days as double precision) / 7 as t_x,
        cast(history.age_days as double precision) / 7 as t,
        parameters.bg_nbd_r as r,
        parameters.bg_nbd_alpha as alpha,
        parameters.bg_nbd_a as a,
        parameters.bg_nbd_b as b,
        parameters.gamma_gamma_p as p,
        parameters.gamma_gamma_q as q,
        parameters.gamma_gamma_v as v
    from history
    cross join parameters
    where
        history.basis = 'repeat_purchase'
        and parameters.bg_nbd_r is not null
),

ages as (
    select
        x,
        age_days,
        min(a) as a,
        (365.0 / 7) / (min(alpha) + min(t) + 365.0 / 7) as z
    from buyers
    group by x, age_days
),

-- The hypergeometric function of the model after Euler's transformation, as a power series in z: its coefficients
-- depend on x alone, and fall fast.
coefficients as (
    select
        x,
        0 as k,
        cast(1 as double precision) as coefficient,
        min(a + b - 1 - r) as upper_1,
        min(a - 1) as upper_2,
        min(a + b + x - 1) as lower_1
    from buyers
    group by x
    union all
    select
        x,
        k + 1 as k,
        coefficient * (upper_1 + k) * (upper_2 + k) / ((lower_1 + k) * (k + 1)) as coefficient,
        upper_1,
        upper_2,
        lower_1
    from coefficients
    where k < 200
),

series as (
    select
        ages.x,
        ages.age_days,
        exp((min(ages.a) - 1) * ln(1 - min(ages.z))) * sum(coefficients.coefficient * exp(coefficients.k * ln(ages.z)))
            as kept
    from ages
    inner join coefficients on coefficients.x = ages.x
    -- Beyond, terms are nothing, and would be too small for a number.
    where coefficients.k * ln(ages.z) > -300
    group by ages.x, ages.age_days
),

bought as (
    select
        buyers.customer_id,
        -- The exponent is bounded: who has been gone for so long is gone.
        1 / (
            1 + case
                when buyers.x > 0
                    then
                        buyers.a / (buyers.b + buyers.x - 1)
                        * exp(
                            least(
                                (buyers.r + buyers.x) * ln((buyers.alpha + buyers.t) / (buyers.alpha + buyers.t_x)), 600
                            )
                        )
                else 0
            end
        ) as alive_probability,
        (buyers.a + buyers.b + buyers.x - 1) / (buyers.a - 1) * (1 - series.kept) as purchases_if_alive,
        buyers.p * (buyers.v + buyers.purchases * greatest(buyers.mean_amount, 0))
        / (buyers.p * buyers.purchases + buyers.q - 1) as amount_per_purchase
    from buyers
    inner join series
        on
            series.x = buyers.x
            and series.age_days = buyers.age_days
),

-- sBG, terms: renewals that can still come in the next 12 months, each if all before it came. A term that ended is
-- waited for as long as its renewal window is open; after that it lapsed, and nothing follows from it.
renewals as (
    select
        history.customer_id,
        1 as renewal_no,
        history.term_no,
        history.term_ends_on as due_on,
        greatest(cast(history.term_days as integer), 28) as term_days,
        parameters.sbg_alpha,
        parameters.sbg_beta,
        (parameters.sbg_beta + history.term_no - 1) / (parameters.sbg_alpha + parameters.sbg_beta + history.term_no - 1)
            as probability
    from history
    cross join parameters
    cross join rules
    where
        history.basis = 'terms'
        and history.current_phase = 'existing'
        and {{ add_days('history.term_ends_on', 'rules.renewal_days_after') }} > {{ as_of() }}
        and parameters.sbg_alpha is not null
    union all
    select
        customer_id,
        renewal_no + 1 as renewal_no,
        term_no,
        {{ add_days('due_on', 'term_days') }} as due_on,
        term_days,
        sbg_alpha,
        sbg_beta,
        probability
        * (sbg_beta + term_no + renewal_no - 1) / (sbg_alpha + sbg_beta + term_no + renewal_no - 1) as probability
    from renewals
    where {{ add_days('due_on', 'term_days') }} <= {{ add_days(as_of(), 365) }}
),

renewed as (
    select
        customer_id,
        sum(probability) as renewals,
        max(case when renewal_no = 1 then probability end) as next_probability
    from renewals
    where due_on <= {{ add_days(as_of(), 365) }}
    group by customer_id
)

select
    history.customer_id,
    history.campus_id,
    history.basis as prediction_basis,
    cast(coalesce(revenue.revenue_amount, 0) as numeric(18, 2)) as revenue_to_date_amount,
    cast(coalesce(costs.direct_amount, 0) as numeric(18, 2)) as direct_cost_to_date_amount,
    cast(coalesce(revenue.revenue_amount, 0) - coalesce(costs.direct_amount, 0) as numeric(18, 2))
        as ltv_historic_amount,
    cast(coalesce(hours.bought, 0) as numeric(12, 2)) as net_bought_hours,
    cast(coalesce(hours.consumed, 0) as numeric(12, 2)) as consumed_hours,
    {{ rate('hours.consumed', 'hours.bought') }} as hours_utilisation_rate,
    history.net_amount as net_paid_to_date_amount,
    case when history.basis = 'terms' then parameters.sbg_fitted_as_of else parameters.bg_nbd_fitted_as_of end
        as fitted_as_of,
    cast(
        case
            when history.basis = 'repeat_purchase' then bought.alive_probability
            when parameters.sbg_alpha is not null then coalesce(renewed.next_probability, 0)
        end as numeric(9, 6)
    ) as stay_probability,
    cast(
        case
            when history.basis = 'repeat_purchase' then bought.alive_probability * bought.purchases_if_alive
            when parameters.sbg_alpha is not null then coalesce(renewed.renewals, 0)
        end as numeric(12, 4)
    ) as expected_purchases_12m,
    cast(
        case when history.basis = 'repeat_purchase' then bought.amount_per_purchase else history.term_amount end
        as numeric(18, 2)
    ) as expected_amount_per_purchase,
    cast(
        case
            when history.basis = 'repeat_purchase'
                then bought.alive_probability * bought.purchases_if_alive * bought.amount_per_purchase
            when parameters.sbg_alpha is not null
                then coalesce(renewed.renewals, 0) * cast(history.term_amount as double precision)
        end as numeric(18, 2)
    ) as predicted_12m_amount
from history
cross join parameters
left join revenue on revenue.customer_id = history.customer_id
left join costs on costs.customer_id = history.customer_id
left join hours on hours.customer_id = history.customer_id
left join bought on bought.customer_id = history.customer_id
left join renewed on renewed.customer_id = history.customer_id
