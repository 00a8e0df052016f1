-- One row per charge and order line: a successful payment, the part of the line that it pays for, and the cap on that.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

payments as (
    select fct_payment.*
    from changed
    inner join {{ ref('fct_payment') }} as fct_payment on fct_payment.customer_id = changed.customer_id
    where
        fct_payment.status = 'succeeded'
        and fct_payment.amount > 0
),

orders as (
    select * from {{ ref('fct_order') }}
),

order_lines as (
    select * from {{ ref('fct_order_line') }}
),

rules as (
    select
        nullif(campus_id, '') as campus_id,
        rule,
        value
    from {{ ref('money_rules') }}
),

defaults as (
    select
        max(case when rule = 'prepaid_hours_cap' then value end) as hours_cap,
        max(case when rule = 'prepaid_days_cap' then value end) as days_cap
    from rules
    where campus_id is null
),

of_campuses as (
    select
        campus_id,
        max(case when rule = 'prepaid_hours_cap' then value end) as hours_cap,
        max(case when rule = 'prepaid_days_cap' then value end) as days_cap
    from rules
    where campus_id is not null
    group by campus_id
),

-- A payment pays for the same part of every line: its amount by what the order costs.
charges as (
    select
        payments.payment_id,
        payments.customer_id,
        payments.campus_id,
        payments.order_id,
        payments.currency,
        payments.amount,
        payments.paid_on,
        order_lines.order_line_id,
        order_lines.product_line,
        order_lines.kind,
        orders.payable_amount,
        case when order_lines.kind = 'package' then order_lines.paid_hours end as line_hours,
        case
            when order_lines.kind = 'period'
                then
                    greatest({{ days_between(
                        'coalesce(order_lines.starts_on, order_lines.granted_on)', 'order_lines.ends_on'
                    ) }}, 0) + 1
        end as line_days,
        order_lines.product_line in (
            {% for line in var('k12_product_lines') %}
                '{{ line }}'{{ ', ' if not loop.last }}
            {% endfor %}
        ) as is_k12,
        coalesce(of_campuses.hours_cap, defaults.hours_cap) as hours_cap,
        coalesce(of_campuses.days_cap, defaults.days_cap) as days_cap
    from payments
    inner join orders
        on
            orders.order_id = payments.order_id
            and orders.currency = payments.currency
    inner join order_lines on order_lines.order_id = payments.order_id
    cross join defaults
    left join of_campuses on of_campuses.campus_id = payments.campus_id
    where
        orders.payable_amount > 0
        and order_lines.net_amount > 0
),

-- The cap is on the charge: hours of its packages count together, of periods that run side by side the longest.
judged as (
    select
        charges.*,
        sum(line_hours) over (partition by payment_id, is_k12) as charge_hours,
        max(line_days) over (partition by payment_id, is_k12) as charge_days
    from charges
)

select
    payment_id || ':' || order_line_id as prepayment_check_id,
    customer_id,
    campus_id,
    payment_id,
    order_id,
    order_line_id,
    product_line,
    is_k12,
    kind,
    amount as charged_amount,
    currency,
    paid_on,
    cast(round(line_hours * least(amount / payable_amount, 1), 2) as numeric(10, 2)) as covers_hours,
    cast(round(line_days * least(amount / payable_amount, 1), 2) as numeric(10, 2)) as covers_days,
    cast(case when kind = 'package' then hours_cap end as numeric(10, 2)) as cap_hours,
    cast(case when kind = 'period' then days_cap end as numeric(10, 2)) as cap_days,
    -- Multiplied out: a charge for exactly the cap is within it, whatever the rounding.
    case kind
        when 'package' then charge_hours * least(amount, payable_amount) <= hours_cap * payable_amount
        else charge_days * least(amount, payable_amount) <= days_cap * payable_amount
    end as is_within_cap
from judged
