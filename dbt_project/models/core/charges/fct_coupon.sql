-- One row per coupon issued to a customer or used by one: what it took off which order. Computed whole: a coupon of no
-- learner is of whoever used it first, which no single customer can tell.
with

registry as (
    select * from {{ ref('customer_registry') }}
),

customers as (
    select * from {{ ref('int_customer_home') }}
),

-- A coupon is used once; were two orders to name it, it would be the first one's.
orders as (
    select
        fct_order.*,
        row_number() over (partition by fct_order.coupon_id order by fct_order.placed_at, fct_order.order_id)
            as use_no
    from {{ ref('fct_order') }} as fct_order
    where fct_order.coupon_id is not null
),

of_customers as (
    select
        issued.coupon_id,
        customers.customer_id,
        customers.campus_id
    from {{ ref('stg_coupons') }} as issued
    inner join registry on registry.learner_id = issued.learner_id
    inner join customers on customers.customer_id = registry.customer_id
    union all
    -- One that names no learner is the customer's who used it.
    select
        used.coupon_id,
        orders.customer_id,
        orders.campus_id
    from orders
    inner join {{ ref('stg_coupons') }} as used on used.coupon_id = orders.coupon_id
    where
        used.learner_id is null
        and orders.use_no = 1
)

select
    coupons.coupon_id,
    of_customers.customer_id,
    of_customers.campus_id,
    coupons.campaign_id,
    coupons.kind,
    coupons.value as coupon_value,
    orders.order_id,
    orders.list_amount,
    orders.discount_amount,
    -- An order tells all discounts in one sum: the coupon's part is its own worth, at most that sum.
    cast(
        case
            when orders.order_id is null then 0
            when coupons.kind = 'percent'
                then least(round(orders.list_amount * coupons.value / 100, 2), orders.discount_amount)
            when coupons.currency <> orders.currency then 0
            else least(coupons.value, orders.discount_amount)
        end as numeric(18, 2)
    ) as coupon_amount,
    orders.payable_amount as net_amount,
    coalesce(orders.currency, coupons.currency) as currency,
    coupons.issued_on,
    coupons.issued_at,
    coupons.expires_on,
    orders.placed_on as used_on
from of_customers
inner join {{ ref('stg_coupons') }} as coupons on coupons.coupon_id = of_customers.coupon_id
left join orders
    on
        orders.coupon_id = coupons.coupon_id
        and orders.customer_id = of_customers.customer_id
        and orders.use_no = 1
where coupons.issued_on <= {{ as_of() }}
