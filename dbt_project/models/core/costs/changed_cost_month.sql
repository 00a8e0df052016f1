-- One row per month of which this build shares the costs out anew.
{% set before = previous('fct_cost_to_serve_month') %}
{% set earlier = previous('changed_cost_month') %}
with

pools as (
    select * from {{ ref('int_cost_pool') }}
),

{% if is_incremental_build() and before %}

    shared as (
        select
            campus_id,
            month_on,
            currency,
            sum(direct_amount) as direct_amount,
            sum(overhead_amount) as overhead_amount,
            sum(common_amount) as common_amount
        from {{ before }}
        group by campus_id, month_on, currency
    ),

    pools_of_all as (
        select
            month_on,
            currency,
            max(common_amount) as common_amount
        from pools
        group by month_on, currency
    ),

    shared_of_all as (
        select
            month_on,
            currency,
            sum(common_amount) as common_amount
        from shared
        group by month_on, currency
    ),

    changed as (
        select * from {{ ref('changed_customer') }}
    ),

    hours_now as (
        select
            hours.customer_id,
            hours.campus_id,
            hours.month_on,
            hours.hours
        from changed
        inner join {{ ref('int_taught_hours_month') }} as hours on hours.customer_id = changed.customer_id
        where
            exists (
                select 1
                from pools
                where
                    pools.campus_id = hours.campus_id
                    and pools.month_on = hours.month_on
            )
    ),

    hours_before as (
        select
            before.customer_id,
            before.campus_id,
            before.month_on,
            -- The same in every currency of cost.
            min(before.hours_taught) as hours
        from changed
        inner join {{ before }} as before on before.customer_id = changed.customer_id
        group by before.customer_id, before.campus_id, before.month_on
    ),

    months as (
        -- Another amount is shared out than was: a cost was booked or corrected, or a campus has begun or ceased to
        -- teach.
        select coalesce(pools.month_on, shared.month_on) as month_on
        from pools
        full join shared
            on
                shared.campus_id = pools.campus_id
                and shared.month_on = pools.month_on
                and shared.currency = pools.currency
        where
            coalesce(pools.direct_amount <> shared.direct_amount, true)
            or coalesce(pools.overhead_amount <> shared.overhead_amount, true)
        union
        -- What no campus booked stands in the pool of each that taught, and is shared out once.
        select pools_of_all.month_on
        from pools_of_all
        inner join shared_of_all
            on
                shared_of_all.month_on = pools_of_all.month_on
                and shared_of_all.currency = pools_of_all.currency
        where pools_of_all.common_amount <> shared_of_all.common_amount
        union
        -- A change in one customer's hours moves the shares of all.
        select coalesce(hours_now.month_on, hours_before.month_on) as month_on
        from hours_now
        full join hours_before
            on
                hours_before.customer_id = hours_now.customer_id
                and hours_before.campus_id = hours_now.campus_id
                and hours_before.month_on = hours_now.month_on
        where coalesce(hours_before.hours <> hours_now.hours, true)
        {% if earlier %}
            union
            -- What an unpublished build changed is in core and not in marts.
            select month_on from {{ earlier }}
            where {{ is_unpublished('build_id') }}
        {% endif %}
    )

{% else %}

    months as (
        select month_on
        from pools
        group by month_on
    )

{% endif %}

select
    month_on,
    '{{ var("build_id") }}' as build_id
from months
