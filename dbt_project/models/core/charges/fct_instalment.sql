-- One row per instalment agreed: when due, when paid, for how long overdue on the day of the build.
with

orders as (
    select * from {{ ref('fct_order') }}
),

payments as (
    select * from {{ ref('fct_payment') }}
),

-- Running totals: an instalment is paid on the day on which all of it is there.
paid as (
    select
        payments.instalment_id,
        payments.currency,
        payments.paid_on,
        sum(payments.amount) over (
            partition by payments.instalment_id, payments.currency order by payments.paid_at, payments.payment_id
        ) as paid_so_far
    from payments
    where
        payments.instalment_id is not null
        and payments.status = 'succeeded'
),

judged as (
    select
        instalments.instalment_id,
        max(paid.paid_so_far) as paid_amount,
        min(case when paid.paid_so_far >= instalments.amount then paid.paid_on end) as paid_on
    from {{ ref('stg_instalments') }} as instalments
    inner join paid
        on
            paid.instalment_id = instalments.instalment_id
            and paid.currency = instalments.currency
    group by instalments.instalment_id
),

stated as (
    select
        instalments.*,
        orders.customer_id,
        orders.campus_id,
        judged.paid_on,
        coalesce(judged.paid_amount, 0) as paid_amount,
        case
            when judged.paid_on is not null then 'paid'
            when instalments.status = 'cancelled' and {{ day_of('instalments.updated_at') }} <= {{ as_of() }}
                then 'cancelled'
            when instalments.due_on < {{ as_of() }} then 'overdue'
            else 'due'
        end as instalment_status
    from {{ ref('stg_instalments') }} as instalments
    inner join orders on orders.order_id = instalments.order_id
    left join judged on judged.instalment_id = instalments.instalment_id
)

select
    instalment_id,
    customer_id,
    campus_id,
    order_id,
    instalment_no,
    instalment_status,
    amount,
    cast(paid_amount as numeric(18, 2)) as paid_amount,
    cast(case when instalment_status = 'cancelled' then 0 else greatest(amount - paid_amount, 0) end as numeric(18, 2))
        as open_amount,
    currency,
    due_on,
    paid_on,
    case instalment_status
        when 'paid' then greatest({{ days_between('due_on', 'paid_on') }}, 0)
        when 'overdue' then {{ days_between('due_on', as_of()) }}
        else 0
    end as overdue_days
from stated
