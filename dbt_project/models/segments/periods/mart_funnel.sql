-- One row per month of the enquiry, campus, channel and step of the sign-up funnel.
with

steps as (
    select * from {{ ref('funnel_steps') }}
),

journeys as (
    select * from {{ ref('int_lead_journey') }}
),

step_days as (
    {% for step in ['lead', 'contacted', 'trial_booked', 'trial_attended', 'purchased', 'first_lesson'] %}
        select
            person_id,
            lead_on,
            campus_id,
            channel_code,
            '{{ step }}' as step_code,
            {{ step }}_on as day_on
        from journeys
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

in_window as (
    select
        step_days.person_id,
        {{ start_of('month', 'step_days.lead_on') }} as cohort_on,
        step_days.campus_id,
        step_days.channel_code,
        steps.step_no,
        steps.step_code,
        steps.limit_days,
        steps.window_days,
        case
            when step_days.day_on <= {{ add_days('step_days.lead_on', 'steps.window_days') }} then step_days.day_on
        end as step_on
    from step_days
    inner join steps on steps.step_code = step_days.step_code
),

reached as (
    select
        in_window.*,
        -- Who came to a later step has passed the earlier ones, if only by skipping them.
        max(case when step_on is not null then step_no end) over (partition by person_id) as furthest_step_no,
        lag(step_on) over (partition by person_id order by step_no) as step_before_on
    from in_window
),

judged as (
    select
        reached.*,
        furthest_step_no >= step_no as is_reached,
        furthest_step_no >= step_no - 1 as is_before_reached,
        -- Both days are known and in order: days that the step took.
        case when step_on >= step_before_on then {{ days_between('step_before_on', 'step_on') }} end as days_taken,
        -- Late, or still waiting beyond the limit.
        coalesce(step_on, case when furthest_step_no < step_no then {{ as_of() }} end)
        > {{ add_days('step_before_on', 'limit_days') }} as is_breach
    from reached
),

counted as (
    select
        cohort_on,
        coalesce(campus_id, '') as campus_id,
        channel_code,
        step_no,
        step_code,
        max(window_days) as window_days,
        count(*) as leads,
        count(case when is_before_reached then 1 end) as reached_before,
        count(case when is_reached then 1 end) as reached,
        count(case when is_breach then 1 end) as breaches,
        count(days_taken) as timed,
        sum(days_taken) as days_taken,
        percentile_cont(0.5) within group (order by days_taken) as median_days
    from judged
    group by cohort_on, coalesce(campus_id, ''), channel_code, step_no, step_code
)

select
    cohort_on,
    campus_id,
    channel_code,
    step_no,
    step_code,
    {{ is_month_over('cohort_on', 'window_days') }} as is_mature,
    cast(leads as integer) as new_leads,
    cast(case when step_no > 1 then reached_before end as integer) as reached_before_leads,
    cast(reached as integer) as reached_leads,
    {{ rate('reached', 'reached_before', 'step_no > 1 and ' ~ is_month_over('cohort_on', 'window_days')) }}
        as step_rate,
    {{ rate('reached', 'leads', is_month_over('cohort_on', 'window_days')) }} as reached_rate,
    cast(timed as integer) as timed_leads,
    cast(coalesce(days_taken, 0) as integer) as days_taken,
    cast(median_days as numeric(9, 2)) as median_days,
    cast(breaches as integer) as breach_leads
from counted
