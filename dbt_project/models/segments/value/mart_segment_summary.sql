-- One row per campus and customer type: heads, money, and movement since the end of the month before.
with

customers as (
    select
        coalesce(campus_id, '') as campus_id,
        type_code,
        type_code_month_before,
        net_paid_12m_amount
    from {{ ref('mart_segment_matrix') }}
),

campuses as (
    select campus_id
    from customers
    group by campus_id
),

types as (
    select * from {{ ref('segment_strategy') }}
),

now_in as (
    select
        campus_id,
        type_code,
        count(*) as customers,
        sum(net_paid_12m_amount) as net_paid_12m_amount,
        count(case when type_code_month_before is null then 1 end) as first_seen,
        count(case when type_code_month_before <> type_code then 1 end) as came_in
    from customers
    group by campus_id, type_code
),

was_in as (
    select
        campus_id,
        type_code_month_before as type_code,
        count(*) as customers,
        count(case when type_code_month_before <> type_code then 1 end) as went_out
    from customers
    where type_code_month_before is not null
    group by campus_id, type_code_month_before
)

select
    campuses.campus_id,
    types.type_code,
    types.phase_code,
    types.value_segment,
    types.name_en as type_name_en,
    types.name_zh as type_name_zh,
    cast(coalesce(was_in.customers, 0) as integer) as customers_month_before,
    cast(coalesce(now_in.first_seen, 0) as integer) as first_seen_customers,
    cast(coalesce(now_in.came_in, 0) as integer) as came_in_customers,
    cast(coalesce(was_in.went_out, 0) as integer) as went_out_customers,
    cast(coalesce(now_in.customers, 0) as integer) as customers,
    cast(coalesce(now_in.net_paid_12m_amount, 0) as numeric(18, 2)) as net_paid_12m_amount
from campuses
cross join types
left join now_in
    on
        now_in.campus_id = campuses.campus_id
        and now_in.type_code = types.type_code
left join was_in
    on
        was_in.campus_id = campuses.campus_id
        and was_in.type_code = types.type_code
