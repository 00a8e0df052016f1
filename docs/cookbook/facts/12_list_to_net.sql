-- Question: How much is given away between list price and what customers are asked for, and how much of it by coupons?
-- Returns: one row per quarter of the last two years: orders, list price, coupons, other discounts, net, and shares.
-- Caveat: orders with something to pay, by the day they were placed, paid or not. An order tells its discounts in one
--   sum; a coupon's part is its own worth, at most that sum.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

coupons as (
    select
        order_id,
        coupon_amount
    from marts.fct_coupon
    where order_id is not null
)

select
    cast(date_trunc('quarter', orders.placed_on) as date) as quarter_on,
    count(*) as orders,
    count(coupons.order_id) as orders_with_coupon,
    sum(orders.list_amount) as list_amount,
    coalesce(sum(coupons.coupon_amount), 0) as coupon_amount,
    sum(orders.discount_amount) - coalesce(sum(coupons.coupon_amount), 0) as other_discount_amount,
    sum(orders.payable_amount) as net_amount,
    round(sum(orders.discount_amount) / nullif(sum(orders.list_amount), 0), 4) as discount_rate,
    round(coalesce(sum(coupons.coupon_amount), 0) / nullif(sum(orders.list_amount), 0), 4) as coupon_rate
from marts.fct_order as orders
cross join as_of
left join coupons on coupons.order_id = orders.order_id
where
    orders.is_reportable
    and orders.currency = 'CNY'
    and orders.placed_on >= date_trunc('quarter', as_of.day_on) - interval '21 months'
group by cast(date_trunc('quarter', orders.placed_on) as date)
order by quarter_on;
