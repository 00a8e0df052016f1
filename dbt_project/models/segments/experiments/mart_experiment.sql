-- One row per experiment: the two arms, whether they are what was drawn, and the difference once the size is reached.
with

experiments as (
    select * from {{ ref('stg_experiments') }}
    where starts_on <= {{ as_of() }}
),

assignments as (
    select * from {{ ref('fct_experiment_assignment') }}
    where is_reportable
),

-- A person counts once, by the first assignment; who was in both arms belongs to neither.
persons as (
    select
        assignments.*,
        min(arm) over (partition by experiment_id, person_id)
        <> max(arm) over (partition by experiment_id, person_id) as is_crossed,
        row_number() over (
            partition by experiment_id, person_id order by assigned_at, experiment_assignment_id
        ) as assignment_no
    from assignments
),

in_order as (
    select
        persons.*,
        matures_on <= {{ as_of() }} as is_mature,
        row_number() over (
            partition by experiment_id, arm, is_crossed order by assigned_at, experiment_assignment_id
        ) as unit_no
    from persons
    where assignment_no = 1
),

-- What is judged was fixed before: the first persons of either arm, as many as were planned, not one more.
counted as (
    select
        experiments.experiment_id,
        count(case when in_order.is_crossed then 1 end) as crossed,
    {% for arm in ['control', 'treatment'] %}
        count(case when in_order.arm = '{{ arm }}' and not in_order.is_crossed then 1 end) as {{ arm }}_assigned,
        count(
            case
                when
                    in_order.arm = '{{ arm }}' and not in_order.is_crossed and in_order.is_mature
                    and in_order.unit_no <= experiments.planned_units
                    then 1
            end
        ) as {{ arm }}_units,
        count(
            case
                when
                    in_order.arm = '{{ arm }}' and not in_order.is_crossed and in_order.is_mature
                    and in_order.unit_no <= experiments.planned_units
                    and in_order.succeeded_on is not null
                    then 1
            end
        ) as {{ arm }}_successes{{ ',' if not loop.last }}
    {% endfor %}
    from experiments
    left join in_order on in_order.experiment_id = experiments.experiment_id
    group by experiments.experiment_id
),

judged as (
    select
        experiments.*,
        counted.crossed,
        counted.control_assigned,
        counted.treatment_assigned,
        counted.control_units,
        counted.treatment_units,
        counted.control_successes,
        counted.treatment_successes,
        counted.control_units >= experiments.planned_units
        and counted.treatment_units >= experiments.planned_units as is_complete,
        -- Chi-square of the sizes against the share that was to be drawn.
        cast(
            power(
                counted.treatment_assigned
                - experiments.treatment_share * (counted.treatment_assigned + counted.control_assigned), 2
            ) / nullif(
                experiments.treatment_share * (1 - experiments.treatment_share)
                * (counted.treatment_assigned + counted.control_assigned), 0
            ) as numeric(12, 4)
        ) as sample_ratio_chi_square
    from experiments
    inner join counted on counted.experiment_id = experiments.experiment_id
),

-- Before that nothing is shown that could be acted upon: whoever looks every day finds a difference some day.
rates as (
    select
        judged.*,
        -- 10.828: a ratio as odd as that comes by chance in one of a thousand experiments.
        coalesce(sample_ratio_chi_square < 10.828, true) as is_sample_ratio_ok,
        case
            when is_complete then cast(control_successes as double precision) / nullif(control_units, 0)
        end as control_rate,
        case
            when is_complete then cast(treatment_successes as double precision) / nullif(treatment_units, 0)
        end as treatment_rate
    from judged
),

ends as (
    select
        rates.*,
    {% for arm in ['control', 'treatment'] %}
        {{ wilson('-', arm ~ '_rate', 'nullif(' ~ arm ~ '_units, 0)') }} as {{ arm }}_low,
        {{ wilson('+', arm ~ '_rate', 'nullif(' ~ arm ~ '_units, 0)') }} as {{ arm }}_high{{ ',' if not loop.last }}
    {% endfor %}
    from rates
),

-- Newcombe's interval for the difference of two shares.
compared as (
    select
        ends.*,
        treatment_rate - control_rate as difference,
        treatment_rate - control_rate
        - sqrt(power(treatment_rate - treatment_low, 2) + power(control_high - control_rate, 2)) as difference_low,
        treatment_rate - control_rate
        + sqrt(power(treatment_high - treatment_rate, 2) + power(control_rate - control_low, 2)) as difference_high
    from ends
)

select
    experiment_id,
    name as experiment_name,
    metric_code,
    cast(window_days as integer) as window_days,
    starts_on,
    ends_on,
    cast(planned_units as integer) as planned_units,
    cast(treatment_share as numeric(6, 4)) as treatment_share,
    cast(control_assigned as integer) as control_assigned,
    cast(treatment_assigned as integer) as treatment_assigned,
    cast(crossed as integer) as crossed_persons,
    sample_ratio_chi_square,
    is_sample_ratio_ok,
    cast(control_units as integer) as control_units,
    cast(treatment_units as integer) as treatment_units,
    is_complete,
    cast(case when is_complete then control_successes end as integer) as control_successes,
    cast(case when is_complete then treatment_successes end as integer) as treatment_successes,
    cast(control_rate as numeric(9, 6)) as control_rate,
    cast(treatment_rate as numeric(9, 6)) as treatment_rate,
    cast(difference as numeric(9, 6)) as difference,
    cast(difference_low as numeric(9, 6)) as difference_low,
    cast(difference_high as numeric(9, 6)) as difference_high,
    case
        when not is_sample_ratio_ok then 'arms_differ_from_the_draw'
        when not is_complete then 'not_the_planned_size_yet'
        when difference_low > 0 then 'treatment_better'
        when difference_high < 0 then 'treatment_worse'
        else 'no_difference_shown'
    end as verdict
from compared
