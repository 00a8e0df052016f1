-- One row per dimension and value that a customer of today has: how much more frequent it is among core customers.
with

traits as (
    select * from {{ ref('int_core_trait') }}
    where phase_code = 'existing'
),

rules as (
    select max(case when rule = 'core_least_support' then value end) as least_support
    from {{ ref('value_rules') }}
    where coalesce(campus_id, '') = ''
),

-- Those of whom the dimension is known at all: who was not asked is neither.
known as (
    select
        dimension,
        count(distinct case when is_core then person_id end) as core_known,
        count(distinct case when not is_core then person_id end) as other_known
    from traits
    group by dimension
),

counted as (
    select
        dimension,
        trait,
        count(case when is_core then 1 end) as core_customers,
        count(case when not is_core then 1 end) as other_customers
    from traits
    group by dimension, trait
),

shares as (
    select
        counted.dimension,
        counted.trait,
        counted.core_customers,
        known.core_known,
        counted.other_customers,
        known.other_known,
        cast(counted.core_customers as double precision) / nullif(known.core_known, 0) as core_share,
        cast(counted.other_customers as double precision) / nullif(known.other_known, 0) as other_share,
        counted.core_customers >= rules.least_support and counted.other_customers >= rules.least_support
            as is_supported,
        -- Half a customer more in every field, so that a value nobody else has is no certainty.
        ln(
            (counted.core_customers + 0.5) / (known.core_known + 1)
            / ((counted.other_customers + 0.5) / (known.other_known + 1))
        ) as log_lift
    from counted
    inner join known on known.dimension = counted.dimension
    cross join rules
),

-- The interval of a ratio of two shares, by its logarithm.
judged as (
    select
        shares.*,
        case when is_supported then core_share / other_share end as lift,
        case
            when is_supported
                then
                    sqrt(
                        1.0 / core_customers - 1.0 / core_known + 1.0 / other_customers - 1.0 / other_known
                    )
        end as log_error
    from shares
)

select
    dimension,
    trait,
    -- The score of value is made of it, so that it tells what was put in.
    dimension in ('grade', 'subject') as is_in_the_score,
    cast(core_customers as integer) as core_customers,
    cast(core_known as integer) as core_known_customers,
    cast(core_share as numeric(9, 6)) as core_share,
    cast(other_customers as integer) as other_customers,
    cast(other_known as integer) as other_known_customers,
    cast(other_share as numeric(9, 6)) as other_share,
    is_supported,
    cast(lift as numeric(12, 4)) as lift,
    cast(lift * exp(-1.959964 * log_error) as numeric(12, 4)) as lift_low,
    cast(lift * exp(1.959964 * log_error) as numeric(12, 4)) as lift_high,
    coalesce(lift * exp(-1.959964 * log_error) > 1, false) as is_in_common,
    case when is_supported then cast(log_lift as numeric(12, 6)) end as log_lift
from judged
