-- One row per reason that a customer gave for leaving: in an exit interview, or with a refund.
with

scope as (
    select * from {{ ref('int_customer_scope') }}
),

exit_interviews as (
    select * from {{ ref('stg_exit_interviews') }}
),

changed as (
    select * from {{ ref('changed_customer') }}
),

refunds as (
    select * from {{ ref('fct_refund') }}
)

select
    scope.customer_id,
    exit_interviews.interviewed_on as told_on,
    exit_interviews.reason_code,
    'exit_interviews' as source_table,
    exit_interviews.exit_interview_id as source_id
from scope
inner join exit_interviews on exit_interviews.learner_id = scope.learner_id
where exit_interviews.interviewed_on <= {{ as_of() }}
union all
select
    refunds.customer_id,
    refunds.requested_on as told_on,
    refunds.reason_code,
    'refunds' as source_table,
    refunds.refund_id as source_id
from changed
inner join refunds on refunds.customer_id = changed.customer_id
where refunds.reason_code is not null
