-- One row per run: the days on which growth and maturity begin in it, with reason and cause; null where they do not.
-- Days after the day of the build are those that time alone would bring. A day of study as a cause is named by the day
-- (cause_table `study`); int_study_cause knows the fact behind it.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

paid_lines as (
    select * from {{ ref('int_entitlement') }}
    where
        run_no is not null
        and not is_gift
),

ended_lines as (
    select * from {{ ref('int_entitlement') }}
    where
        run_no is not null
        and not is_gift
        and ended_by = 'itself'
        and covers_to < run_ended_on
),

study_days as (
    select * from {{ ref('int_run_study_day') }}
),

-- Several orders of one day are one purchase.
purchases as (
    select
        customer_id,
        run_no,
        campus_id,
        granted_on as purchased_on,
        case when min(order_id) is null then {{ line_table() }} else {{ purchase_table() }} end as cause_table,
        coalesce(min(order_id), min(line_id)) as cause_id,
        row_number() over (partition by customer_id, run_no order by granted_on) as purchase_no
    from paid_lines
    group by customer_id, run_no, campus_id, granted_on
),

counted_purchases as (
    select
        purchases.customer_id,
        purchases.run_no,
        min(case when purchases.purchase_no = 2 then purchases.purchased_on end) as repeat_on,
        min(case when purchases.purchase_no = 2 then purchases.cause_table end) as repeat_cause_table,
        min(case when purchases.purchase_no = 2 then purchases.cause_id end) as repeat_cause_id,
        min(case when purchases.purchase_no = rules.mature_purchase_days then purchases.purchased_on end) as enough_on,
        min(case when purchases.purchase_no = rules.mature_purchase_days then purchases.cause_table end)
            as enough_cause_table,
        min(case when purchases.purchase_no = rules.mature_purchase_days then purchases.cause_id end)
            as enough_cause_id
    from purchases
    inner join rules on rules.campus_id = purchases.campus_id
    where
        purchases.purchase_no = 2
        or purchases.purchase_no = rules.mature_purchase_days
    group by purchases.customer_id, purchases.run_no
),

completed as (
    select
        customer_id,
        run_no,
        line_id,
        {{ add_days('covers_to', 1) }} as completed_on,
        row_number() over (partition by customer_id, run_no order by covers_to, line_id) as line_place
    from ended_lines
),

-- The days of study that a rule asks for are few; the others need not be looked at.
counted_study as (
    select
        customer_id,
        run_no,
        study_no,
        study_on
    from study_days
    where
        study_no in (select onboarding_study_days from {{ ref('int_campus_rules') }})
        or study_no in (select mature_study_days from {{ ref('int_campus_rules') }})
),

run_study as (
    select
        runs.customer_id,
        runs.run_no,
        runs.started_on,
        runs.ended_on,
        runs.start_cause_table,
        runs.start_cause_id,
        rules.onboarding_days,
        rules.onboarding_study_days,
        rules.mature_days,
        rules.mature_purchase_days,
        rules.mature_study_days,
        min(case when counted_study.study_no = rules.onboarding_study_days then counted_study.study_on end)
            as onboarding_study_on,
        min(case when counted_study.study_no = rules.mature_study_days then counted_study.study_on end)
            as mature_study_on
    from runs
    inner join rules on rules.campus_id = runs.campus_id
    left join counted_study
        on
            counted_study.customer_id = runs.customer_id
            and counted_study.run_no = runs.run_no
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
),

-- Where a rule asks for nothing, age alone decides.
conditions as (
    select
        run_study.customer_id,
        run_study.run_no,
        run_study.started_on,
        run_study.ended_on,
        run_study.start_cause_table,
        run_study.start_cause_id,
        counted_purchases.repeat_on,
        counted_purchases.repeat_cause_table,
        counted_purchases.repeat_cause_id,
        completed.completed_on,
        completed.line_id as completed_line_id,
        run_study.onboarding_study_on,
        case
            when run_study.onboarding_study_days <= 0 or run_study.onboarding_study_on is not null
                then greatest(
                        {{ add_days('run_study.started_on', 'run_study.onboarding_days') }},
                        coalesce(run_study.onboarding_study_on, run_study.started_on)
                    )
        end as continued_use_on,
        {{ add_days('run_study.started_on', 'run_study.mature_days') }} as of_age_on,
        case
            when run_study.mature_purchase_days <= 0 then run_study.started_on
            else counted_purchases.enough_on
        end as enough_purchases_on,
        counted_purchases.enough_cause_table,
        counted_purchases.enough_cause_id,
        case
            when run_study.mature_study_days <= 0 then run_study.started_on
            else run_study.mature_study_on
        end as enough_study_on
    from run_study
    left join counted_purchases
        on
            counted_purchases.customer_id = run_study.customer_id
            and counted_purchases.run_no = run_study.run_no
    left join completed
        on
            completed.customer_id = run_study.customer_id
            and completed.run_no = run_study.run_no
            and completed.line_place = 1
),

growth_days as (
    select
        conditions.*,
        -- A later run begins in growth.
        case
            when run_no > 1 then started_on
            else nullif(
                    least(
                        coalesce(repeat_on, {{ far_day() }}),
                        coalesce(completed_on, {{ far_day() }}),
                        coalesce(continued_use_on, {{ far_day() }})
                    ),
                    {{ far_day() }}
                )
        end as growth_on,
        nullif(
            least(
                coalesce(enough_purchases_on, {{ far_day() }}),
                coalesce(enough_study_on, {{ far_day() }})
            ),
            {{ far_day() }}
        ) as enough_on,
        -- The plainer model: returning from the second purchase day, in any run, or from continued use in the first.
        case
            when run_no > 1 then started_on
            else nullif(
                    least(
                        coalesce(repeat_on, {{ far_day() }}),
                        coalesce(continued_use_on, {{ far_day() }})
                    ),
                    {{ far_day() }}
                )
        end as returning_on
    from conditions
),

-- On one day, the first of the reasons in this order.
growth_reasons as (
    select
        growth_days.*,
        case
            when run_no > 1 then 'won_back'
            when growth_on = repeat_on then 'repeat_purchase'
            when growth_on = completed_on then 'first_course_completed'
            else 'continued_use'
        end as growth_reason,
        case
            when growth_on is not null and enough_on is not null then greatest(growth_on, of_age_on, enough_on)
        end as mature_on
    from growth_days
),

-- The fact that completed the condition, or the run's first order where the age did.
causes as (
    select
        growth_reasons.*,
        case growth_reason
            when 'repeat_purchase' then repeat_cause_table
            when 'first_course_completed' then {{ line_table() }}
            when 'continued_use' then case when growth_on = onboarding_study_on then 'study' else start_cause_table end
            else start_cause_table
        end as growth_cause_table,
        case growth_reason
            when 'repeat_purchase' then repeat_cause_id
            when 'first_course_completed' then completed_line_id
            when 'continued_use' then case when growth_on = onboarding_study_on then null else start_cause_id end
            else start_cause_id
        end as growth_cause_id
    from growth_reasons
)

select
    customer_id,
    run_no,
    case when growth_on <= ended_on then growth_on end as growth_on,
    case when growth_on <= ended_on then growth_reason end as growth_reason,
    case when growth_on <= ended_on then growth_cause_table end as growth_cause_table,
    case when growth_on <= ended_on then growth_cause_id end as growth_cause_id,
    case when mature_on <= ended_on then mature_on end as mature_on,
    case
        when mature_on > ended_on then null
        when mature_on = enough_purchases_on then coalesce(enough_cause_table, start_cause_table)
        when mature_on = enough_study_on then 'study'
        when mature_on = of_age_on then start_cause_table
        when mature_on = growth_on then growth_cause_table
    end as mature_cause_table,
    case
        when mature_on > ended_on then null
        when mature_on = enough_purchases_on then coalesce(enough_cause_id, start_cause_id)
        when mature_on = enough_study_on then null
        when mature_on = of_age_on then start_cause_id
        when mature_on = growth_on then growth_cause_id
    end as mature_cause_id,
    case when returning_on <= ended_on then returning_on end as returning_on
from causes
