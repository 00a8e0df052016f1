-- One row per customer drawn for the interviews of the month: a share of those active when the month began, by stratum.
with

limits as (
    select interview_share from {{ ref('int_action_limits') }}
    -- The institution's: one sample is drawn for all.
    where campus_id = ''
),

months as (
    select
        {{ start_of('month', as_of()) }} as month_on,
        {{ add_days(start_of('month', as_of()), -1) }} as frame_on,
        interview_share,
        -- Where counting begins, from 0 to 1: the same customers would be at the ends of strata every month otherwise.
        {{ unit_hash([start_of('month', as_of())]) }} as offset_share
    from limits
),

-- Who was there on the last day of the month before, as it stood then: the sample does not change during the month.
frame as (
    select
        customers.customer_id,
        coalesce(customers.campus_id, '') as campus_id,
        spans.stage_code,
        coalesce(scores.value_segment, 'unknown') as value_segment,
        months.month_on,
        months.interview_share,
        months.offset_share,
        {{ hash_of(['customers.customer_id', 'months.month_on']) }} as draw
    from months
    inner join {{ ref('fct_lifecycle_span') }} as spans
        on
            spans.valid_from <= months.frame_on
            and (spans.valid_to is null or spans.valid_to > months.frame_on)
            and spans.phase_code = 'existing'
    inner join {{ ref('dim_customer') }} as customers on customers.customer_id = spans.customer_id
    left join {{ ref('int_value_score') }} as scores
        on
            scores.customer_id = customers.customer_id
            and scores.valuation = 'month_before'
    where customers.is_reportable
),

-- Every tenth along a line on which strata lie one after the other, each in an order that the hash gives: each stratum
-- has its share, to within one customer.
lined_up as (
    select
        frame.*,
        row_number() over (order by campus_id, stage_code, value_segment, draw, customer_id) as line_no,
        count(*) over (partition by campus_id, stage_code, value_segment) as stratum_customers
    from frame
),

drawn as (
    select * from lined_up
    where
        floor(line_no * interview_share + offset_share) > floor((line_no - 1) * interview_share + offset_share)
)

select
    drawn.month_on,
    drawn.customer_id,
    nullif(drawn.campus_id, '') as campus_id,
    drawn.stage_code,
    drawn.value_segment,
    cast(drawn.stratum_customers as integer) as stratum_customers,
    cast(count(*) over (partition by drawn.campus_id, drawn.stage_code, drawn.value_segment) as integer)
        as stratum_drawn,
    owners.advisor_id,
    owners.has_guardian,
    coalesce(permissions.is_allowed, false) as is_allowed,
    coalesce(permissions.reason_code, 'never_asked') as permission_code
from drawn
left join {{ ref('dim_customer_owner') }} as owners on owners.customer_id = drawn.customer_id
left join {{ ref('int_contact_permission') }} as permissions
    on
        permissions.customer_id = drawn.customer_id
        and permissions.purpose = 'research'
