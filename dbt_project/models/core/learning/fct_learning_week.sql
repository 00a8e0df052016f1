-- One row per customer and week with a lesson, homework due, marked work or a day in the learning app.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

scope as (
    select
        customer_id,
        max(campus_id) as campus_id
    from {{ ref('int_customer_scope') }}
    group by customer_id
),

in_class as (
    select
        weeks.customer_id,
        weeks.week_on,
        count(*) as classes,
        sum(weeks.scheduled_seats) as scheduled_seats,
        sum(weeks.attended_seats) as attended_seats,
        sum(weeks.late_seats) as late_seats,
        sum(weeks.left_early_seats) as left_early_seats,
        sum(weeks.made_up_seats) as made_up_seats,
        sum(weeks.absent_seats) as absent_seats,
        sum(weeks.leave_seats) as leave_seats,
        sum(weeks.attended_hours) as attended_hours
    from scope
    inner join {{ ref('fct_learning_week_class') }} as weeks on weeks.customer_id = scope.customer_id
    group by weeks.customer_id, weeks.week_on
),

-- Of classes and of self-paced courses.
homework as (
    select
        homework.customer_id,
        {{ start_of('week', 'homework.due_on') }} as week_on,
        count(*) as homework_due,
        count(case when homework.submission_status = 'on_time' then 1 end) as homework_on_time,
        count(case when homework.submission_status = 'late' then 1 end) as homework_late,
        count(homework.score) as homework_marked,
        sum(homework.score) as homework_points
    from scope
    inner join {{ ref('fct_homework') }} as homework on homework.customer_id = scope.customer_id
    where homework.due_on <= {{ as_of() }}
    group by homework.customer_id, {{ start_of('week', 'homework.due_on') }}
),

study as (
    select
        days.customer_id,
        {{ start_of('week', 'days.learning_on') }} as week_on,
        count(*) as study_days,
        sum(days.activity_count) as activity_count,
        sum(days.duration_minutes) as study_minutes
    from scope
    inner join {{ ref('fct_learning_day') }} as days on days.customer_id = scope.customer_id
    where days.is_study_day
    group by days.customer_id, {{ start_of('week', 'days.learning_on') }}
),

topics as (
    select
        topics.customer_id,
        topics.week_on,
        count(*) as topics,
        count(case when topics.is_weak then 1 end) as weak_topics,
        {{ list_of('topics.topic', 'topics.mastery_rate, topics.topic', 'topics.is_weak') }} as weak_topic_list
    from scope
    inner join {{ ref('fct_learning_week_topic') }} as topics on topics.customer_id = scope.customer_id
    group by topics.customer_id, topics.week_on
),

weeks as (
    select
        customer_id,
        week_on
    from in_class
    union
    select
        customer_id,
        week_on
    from homework
    union
    select
        customer_id,
        week_on
    from study
    union
    select
        customer_id,
        week_on
    from topics
),

joined as (
    select
        weeks.customer_id,
        weeks.week_on,
        cast(coalesce(in_class.classes, 0) as integer) as classes,
        cast(coalesce(in_class.scheduled_seats, 0) as integer) as scheduled_seats,
        cast(coalesce(in_class.attended_seats, 0) as integer) as attended_seats,
        cast(coalesce(in_class.late_seats, 0) as integer) as late_seats,
        cast(coalesce(in_class.left_early_seats, 0) as integer) as left_early_seats,
        cast(coalesce(in_class.made_up_seats, 0) as integer) as made_up_seats,
        cast(coalesce(in_class.absent_seats, 0) as integer) as absent_seats,
        cast(coalesce(in_class.leave_seats, 0) as integer) as leave_seats,
        cast(coalesce(in_class.attended_hours, 0) as numeric(10, 2)) as attended_hours,
        cast(coalesce(homework.homework_due, 0) as integer) as homework_due,
        cast(coalesce(homework.homework_on_time, 0) as integer) as homework_on_time,
        cast(coalesce(homework.homework_late, 0) as integer) as homework_late,
        cast(coalesce(homework.homework_marked, 0) as integer) as homework_marked,
        homework.homework_points,
        cast(coalesce(study.study_days, 0) as integer) as study_days,
        cast(coalesce(study.activity_count, 0) as bigint) as activity_count,
        study.study_minutes,
        cast(coalesce(topics.topics, 0) as integer) as topics,
        cast(coalesce(topics.weak_topics, 0) as integer) as weak_topics,
        topics.weak_topic_list,
        round(
            cast(in_class.attended_seats as numeric) / nullif(in_class.scheduled_seats - in_class.leave_seats, 0), 4
        ) as attendance_rate,
        round(cast(homework.homework_on_time as numeric) / homework.homework_due, 4) as homework_on_time_rate
    from weeks
    left join in_class
        on
            in_class.customer_id = weeks.customer_id
            and in_class.week_on = weeks.week_on
    left join homework
        on
            homework.customer_id = weeks.customer_id
            and homework.week_on = weeks.week_on
    left join study
        on
            study.customer_id = weeks.customer_id
            and study.week_on = weeks.week_on
    left join topics
        on
            topics.customer_id = weeks.customer_id
            and topics.week_on = weeks.week_on
),

compared as (
    select
        joined.*,
        lag(week_on) over by_week = {{ add_days('week_on', -7) }} as follows_a_week,
        lag(attended_hours) over by_week as attended_hours_before,
        lag(attendance_rate) over by_week as attendance_rate_before,
        lag(homework_on_time_rate) over by_week as homework_on_time_rate_before,
        lag(study_days) over by_week as study_days_before
    from joined
    window
        by_week as (partition by customer_id order by week_on)
)

select
    compared.customer_id || ':' || cast(compared.week_on as {{ dbt.type_string() }}) as learning_week_id,
    compared.customer_id,
    scope.campus_id,
    compared.week_on,
    {{ iso_week('compared.week_on') }} as iso_week,
    compared.classes,
    compared.scheduled_seats,
    compared.attended_seats,
    compared.late_seats,
    compared.left_early_seats,
    compared.made_up_seats,
    compared.absent_seats,
    compared.leave_seats,
    compared.attended_hours,
    compared.homework_due,
    compared.homework_on_time,
    compared.homework_late,
    compared.homework_due - compared.homework_on_time - compared.homework_late as homework_missing,
    compared.homework_marked,
    compared.homework_points,
    compared.study_days,
    compared.activity_count,
    compared.study_minutes,
    compared.topics,
    compared.weak_topics,
    compared.weak_topic_list,
    compared.attendance_rate,
    compared.homework_on_time_rate,
    case when compared.follows_a_week then compared.attended_hours - compared.attended_hours_before end
        as attended_hours_change,
    case when compared.follows_a_week then compared.attendance_rate - compared.attendance_rate_before end
        as attendance_rate_change,
    case when compared.follows_a_week then compared.homework_on_time_rate - compared.homework_on_time_rate_before end
        as homework_on_time_rate_change,
    case when compared.follows_a_week then compared.study_days - compared.study_days_before end as study_days_change
from compared
inner join scope on scope.customer_id = compared.customer_id
