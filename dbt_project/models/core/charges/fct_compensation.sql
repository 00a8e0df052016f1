-- One row per compensation granted to a customer: what for, and what it is worth.
with

compensations as (
    select * from {{ ref('stg_compensations') }}
),

complaints as (
    select * from {{ ref('stg_complaints') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

lots as (
    select * from {{ ref('fct_lot') }}
),

granted as (
    select
        compensations.compensation_id,
        scope.customer_id,
        scope.campus_id,
        compensations.complaint_id,
        compensations.kind,
        compensations.amount,
        compensations.hours,
        compensations.currency,
        compensations.granted_on,
        compensations.granted_at
    from scope
    inner join compensations on compensations.learner_id = scope.learner_id
    where compensations.granted_on <= {{ as_of() }}
),

-- Lessons given are worth what the customer's latest package with a price asks for them.
priced as (
    select
        granted.compensation_id,
        lots.value_amount,
        lots.total_units,
        lots.currency,
        row_number() over (partition by granted.compensation_id order by lots.granted_on desc, lots.lot_id desc)
            as lot_no
    from granted
    inner join lots
        on
            lots.customer_id = granted.customer_id
            and lots.granted_on <= granted.granted_on
    where
        granted.hours > 0
        and granted.amount is null
        and lots.kind = 'package'
        and lots.value_amount > 0
        and lots.total_units > 0
)

select
    granted.compensation_id,
    granted.customer_id,
    coalesce(complaints.campus_id, granted.campus_id) as campus_id,
    granted.complaint_id,
    complaints.category as cause,
    granted.kind,
    granted.amount,
    granted.hours,
    cast(coalesce(granted.amount, round(granted.hours * priced.value_amount / priced.total_units, 2)) as numeric(18, 2))
        as cost_amount,
    case when granted.amount is null then coalesce(priced.currency, granted.currency) else granted.currency end
        as currency,
    granted.granted_on,
    granted.granted_at
from granted
left join complaints on complaints.complaint_id = granted.complaint_id
left join priced
    on
        priced.compensation_id = granted.compensation_id
        and priced.lot_no = 1
