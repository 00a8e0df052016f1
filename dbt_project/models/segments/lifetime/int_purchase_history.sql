-- One row per reportable customer with a purchase: frequency, recency and amounts, and whether the last one was a term.
with

customers as (
    select * from {{ ref('dim_customer') }}
    where is_reportable
),

-- Several orders of one day are one purchase.
purchases as (
    select
        customer_id,
        purchased_on,
        sum(paid_amount - refunded_amount) as net_amount
    from {{ ref('fct_order') }}
    where
        purchased_on is not null
        and currency = {{ reporting_currency() }}
    group by customer_id, purchased_on
),

summed as (
    select
        customer_id,
        min(purchased_on) as first_on,
        max(purchased_on) as last_on,
        count(*) as purchases,
        sum(net_amount) as net_amount
    from purchases
    group by customer_id
),

lines as (
    select
        customer_id,
        kind,
        product_line,
        row_number() over (partition by customer_id order by granted_on desc, order_line_id desc) as line_no
    from {{ ref('fct_order_line') }}
    where
        not is_gift
        and granted_on is not null
),

terms as (
    select
        customer_id,
        product_line,
        max(term_no) as term_no,
        max(ends_on) as ends_on,
        avg(term_days) as term_days,
        avg(net_amount) as term_amount
    from {{ ref('int_term') }}
    group by customer_id, product_line
)

select
    summed.customer_id,
    customers.campus_id,
    customers.current_phase,
    summed.first_on,
    summed.last_on,
    cast(summed.purchases as integer) as purchases,
    cast(summed.net_amount as numeric(18, 2)) as net_amount,
    {{ days_between('summed.first_on', 'summed.last_on') }} as recency_of_last_days,
    {{ days_between('summed.first_on', as_of()) }} as age_days,
    case when terms.customer_id is null then 'repeat_purchase' else 'terms' end as basis,
    terms.term_no,
    terms.ends_on as term_ends_on,
    cast(terms.term_days as numeric(9, 2)) as term_days,
    cast(terms.term_amount as numeric(18, 2)) as term_amount
from summed
inner join customers on customers.customer_id = summed.customer_id
left join lines
    on
        lines.customer_id = summed.customer_id
        and lines.line_no = 1
        and lines.kind = 'period'
left join terms
    on
        terms.customer_id = lines.customer_id
        and terms.product_line = lines.product_line
