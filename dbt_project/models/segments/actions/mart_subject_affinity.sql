-- One row per pair of subjects, from one to the other: how much more often who takes the one takes the other as well.
with

limits as (
    select * from {{ ref('int_action_limits') }}
    -- The institution's: a pair of subjects has no campus.
    where campus_id = ''
),

customers as (
    select customer_id from {{ ref('int_customer_home') }}
    where is_reportable
),

taken as (
    select
        enrolments.customer_id,
        courses.subject
    from {{ ref('fct_enrolment') }} as enrolments
    inner join customers on customers.customer_id = enrolments.customer_id
    inner join {{ ref('dim_course') }} as courses on courses.course_id = enrolments.course_id
    where courses.subject is not null
    -- A subject is taken term after term.
    group by enrolments.customer_id, courses.subject
),

everybody as (
    select cast(count(distinct customer_id) as numeric) as customers
    from taken
),

by_subject as (
    select
        subject,
        cast(count(*) as numeric) as customers
    from taken
    group by subject
),

pairs as (
    select
        one.subject,
        other.subject as other_subject,
        cast(count(*) as numeric) as customers
    from taken as one
    inner join taken as other
        on
            other.customer_id = one.customer_id
            and other.subject <> one.subject
    group by one.subject, other.subject
),

measured as (
    select
        pairs.subject,
        pairs.other_subject,
        pairs.customers as both_customers,
        one.customers as subject_customers,
        other.customers as other_customers,
        everybody.customers as all_customers,
        pairs.customers / everybody.customers as support,
        pairs.customers / one.customers as confidence,
        pairs.customers * everybody.customers / (one.customers * other.customers) as lift,
        -- Variance of the logarithm of the lift (delta method on the four counts). It is 0 where everybody takes both.
        greatest(
            1 / pairs.customers - 1 / one.customers - 1 / other.customers - 1 / everybody.customers
            + 2 * pairs.customers / (one.customers * other.customers), 0
        ) as log_variance
    from pairs
    inner join by_subject as one on one.subject = pairs.subject
    inner join by_subject as other on other.subject = pairs.other_subject
    cross join everybody
)

select
    measured.subject || ':' || measured.other_subject as pair_id,
    measured.subject,
    measured.other_subject,
    cast(measured.both_customers as integer) as both_customers,
    cast(measured.subject_customers as integer) as subject_customers,
    cast(measured.other_customers as integer) as other_customers,
    cast(measured.all_customers as integer) as all_customers,
    cast(measured.support as numeric(9, 6)) as support,
    cast(measured.confidence as numeric(9, 6)) as confidence,
    cast(measured.lift as numeric(12, 4)) as lift,
    -- 95 %: 1.96 standard errors on the logarithm.
    cast(measured.lift * exp(-1.96 * sqrt(measured.log_variance)) as numeric(12, 4)) as lift_low,
    cast(measured.lift * exp(1.96 * sqrt(measured.log_variance)) as numeric(12, 4)) as lift_high
from measured
cross join limits
where
    -- All branches read it whole: fewer than five would tell of single people, whatever the limit says.
    measured.both_customers >= greatest(limits.affinity_least_customers, 5)
    and measured.support >= limits.affinity_least_support
