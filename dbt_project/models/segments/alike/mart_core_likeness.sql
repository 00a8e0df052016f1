-- One row per customer of today who is no core customer, and per prospect: how much like core customers, and why.
with

traits as (
    select * from {{ ref('int_core_trait') }}
    where
        not is_core
        and phase_code in ('existing', 'prospective')
),

profile as (
    select * from {{ ref('mart_core_customer_profile') }}
    where
        is_supported
        -- What a score of value is made of would find those who are in it already.
        and not is_in_the_score
),

rules as (
    select max(case when rule = 'core_likeness_high' then value end) as high_likeness
    from {{ ref('value_rules') }}
    where coalesce(campus_id, '') = ''
),

weighed as (
    select
        traits.person_id,
        traits.customer_id,
        traits.campus_id,
        traits.phase_code,
        traits.stage_code,
        profile.dimension,
        profile.trait,
        profile.lift,
        profile.log_lift,
        row_number() over (
            partition by traits.person_id order by abs(profile.log_lift) desc nulls last, traits.dimension, traits.trait
        ) as reason_no
    from traits
    left join profile
        on
            profile.dimension = traits.dimension
            and profile.trait = traits.trait
),

summed as (
    select
        person_id,
        max(customer_id) as customer_id,
        max(campus_id) as campus_id,
        max(phase_code) as phase_code,
        max(stage_code) as stage_code,
        count(log_lift) as traits_known,
        exp(cast(coalesce(sum(log_lift), 0) as double precision)) as likeness,
    {% for number in [1, 2, 3] %}
        max(
            case
                when reason_no = {{ number }} and lift is not null
                    then
                        dimension || ' ' || trait || ': '
                        || cast(round(lift, 2) as {{ dbt.type_string() }}) || ' times'
            end
        ) as reason_{{ number }}{{ ',' if not loop.last }}
    {% endfor %}
    from weighed
    group by person_id
)

select
    summed.person_id,
    summed.customer_id,
    summed.campus_id,
    summed.phase_code,
    summed.stage_code,
    cast(summed.traits_known as integer) as traits_known,
    cast(summed.likeness as numeric(12, 4)) as likeness,
    case
        when summed.traits_known = 0 then 'unknown'
        when summed.likeness >= rules.high_likeness then 'alike'
        when summed.likeness > 1 then 'rather_alike'
        else 'not_alike'
    end as likeness_band,
    summed.stage_code = 'growth' and summed.traits_known > 0 and summed.likeness >= rules.high_likeness
        as is_future_core,
    summed.reason_1,
    summed.reason_2,
    summed.reason_3
from summed
cross join rules
