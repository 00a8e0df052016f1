-- What: a reportable customer stands in no customer type, or heads, movement and money of the types do not add up.
-- Why it matters: campus figures no longer add up to the institution, and somebody is on no list.
-- What to do: look for the customer in int_valuation (no span on the day of the build?), then for the band that lacks.
with

customers as (
    select
        count(*) as customers,
        sum(case when type_code is null then 1 else 0 end) as without_type
    from (
        select matrix.type_code
        from {{ ref('dim_customer') }} as customers
        left join {{ ref('mart_segment_matrix') }} as matrix on matrix.customer_id = customers.customer_id
        where customers.is_reportable
    ) as joined
),

counted as (
    select
        sum(customers) as customers,
        sum(
            case
                when customers <> customers_month_before + first_seen_customers + came_in_customers - went_out_customers
                    then 1
                else 0
            end
        ) as broken_rows
    from {{ ref('mart_segment_summary') }}
)

select
    customers.customers,
    customers.without_type,
    counted.customers as counted_customers,
    counted.broken_rows
from customers
cross join counted
where
    customers.customers <> coalesce(counted.customers, 0)
    or customers.without_type > 0
    or counted.broken_rows > 0
