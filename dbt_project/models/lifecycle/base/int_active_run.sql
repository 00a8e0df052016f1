-- One row per customer and run: from the first purchase in a maximal stretch of served days to its last served day
-- (LIFECYCLE.md, "Active runs"), which may lie after the day of the build.
with

rules as (
    select * from {{ ref('int_campus_rules') }}
),

lines as (
    select
        int_entitlement.*,
        -- The run ends as the line that covered its last day; a withdrawal goes before a refund, both before grace.
        row_number() over (
            partition by customer_id, run_no
            order by
                served_to desc,
                case ended_by when 'withdrew' then 1 when 'refunded' then 2 else 3 end,
                line_id
        ) as last_place
    from {{ ref('int_entitlement') }} as int_entitlement
    where run_no is not null
),

runs as (
    select
        customer_id,
        run_no,
        campus_id,
        run_started_on as started_on,
        run_ended_on as ended_on,
        min(case when granted_on = run_started_on and not is_gift then order_id end) as order_id,
        min(case when granted_on = run_started_on and not is_gift then line_id end) as line_id,
        max(case when last_place = 1 then ended_by end) as ended_by,
        max(case when last_place = 1 then line_id end) as last_line_id,
        max(case when last_place = 1 then cut_cause_table end) as cut_cause_table,
        max(case when last_place = 1 then cut_cause_id end) as cut_cause_id
    from lines
    group by customer_id, run_no, campus_id, run_started_on, run_ended_on
)

select
    runs.customer_id,
    runs.run_no,
    runs.campus_id,
    runs.started_on,
    runs.ended_on,
    case when runs.order_id is null then {{ line_table() }} else {{ purchase_table() }} end as start_cause_table,
    coalesce(runs.order_id, runs.line_id) as start_cause_id,
    case when runs.ended_by = 'itself' then 'lapsed' else runs.ended_by end as end_reason,
    case when runs.ended_by = 'itself' then {{ line_table() }} else runs.cut_cause_table end as end_cause_table,
    case when runs.ended_by = 'itself' then runs.last_line_id else runs.cut_cause_id end as end_cause_id,
    rules.rule_version
from runs
inner join rules on rules.campus_id = runs.campus_id
