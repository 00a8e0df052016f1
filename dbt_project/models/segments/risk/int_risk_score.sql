-- One row per target and customer (pass: enrolment) that is scored: probability, band, and the three reasons that weigh
-- most.
with

models as (
    select * from {{ ref('mart_risk_model') }}
),

features as (
    select * from {{ ref('risk_feature') }}
),

inputs as (
    {{ risk_inputs() }}
),

enrolments as (
    select
        enrolment_id,
        customer_id
    from {{ ref('enrolment_features') }}
),

scored as (
    select
        inputs.target,
        inputs.scored_id,
        coalesce(enrolments.customer_id, inputs.scored_id) as customer_id,
        inputs.value > 0 as is_in_danger
    from inputs
    left join enrolments
        on
            inputs.target = 'pass'
            and enrolments.enrolment_id = inputs.scored_id
    where inputs.feature = 'danger'
),

bands as (
    select bands.*
    from {{ source('meta', 'risk_model_band') }} as bands
    inner join models
        on
            models.target = bands.target
            and models.fitted_as_of = bands.fitted_as_of
            and models.scorer <> 'rule'
    where bands.purpose = 'score'
),

contributions as (
    select
        inputs.target,
        inputs.scored_id,
        inputs.feature,
        inputs.value,
        case when bands.is_missing then bands.base else bands.base + bands.slope * inputs.value end as contribution
    from inputs
    inner join bands
        on
            bands.target = inputs.target
            and bands.feature = inputs.feature
            and case
                when bands.is_missing then inputs.value is null
                else
                    inputs.value is not null
                    and (bands.above is null or inputs.value > bands.above)
                    and (bands.up_to is null or inputs.value <= bands.up_to)
            end
),

logits as (
    select
        contributions.target,
        contributions.scored_id,
        min(models.calibration_slope) * (min(models.intercept) + sum(contributions.contribution))
        + min(models.calibration_offset) as logit
    from contributions
    inner join models on models.target = contributions.target
    group by contributions.target, contributions.scored_id
),

-- What a model's score is made of, or the signals behind the rule.
reasons as (
    select
        contributions.target,
        contributions.scored_id,
        contributions.feature as code,
        case
            when contributions.value is null then features.unknown_en else
                replace(features.text_en, '{value}', {{ shown_value('contributions.value', 'features.is_percent') }})
        end
        || case when contributions.contribution > 0 then ' (raises)' else ' (lowers)' end as text_en,
        case
            when contributions.value is null then features.unknown_zh else
                replace(features.text_zh, '{value}', {{ shown_value('contributions.value', 'features.is_percent') }})
        end
        || case when contributions.contribution > 0 then '（推高）' else '（拉低）' end as text_zh,
        abs(contributions.contribution) as weight
    from contributions
    inner join features on features.feature = contributions.feature
    where contributions.contribution <> 0
    union all
    select
        scored.target,
        scored.scored_id,
        signals.signal_code as code,
        kinds.name_en || ' since ' || cast(signals.opened_on as {{ dbt.type_string() }}) as text_en,
        kinds.name_zh || '，自 ' || cast(signals.opened_on as {{ dbt.type_string() }}) as text_zh,
        cast(-signals.priority as double precision) as weight
    from scored
    inner join models
        on
            models.target = scored.target
            and models.scorer = 'rule'
    inner join {{ ref('fct_risk_signal') }} as signals
        on
            signals.customer_id = scored.customer_id
            and signals.closed_on is null
    inner join {{ ref('risk_signal') }} as kinds on kinds.signal_code = signals.signal_code
),

ranked as (
    select
        target,
        scored_id,
        code,
        text_en,
        text_zh,
        row_number() over (partition by target, scored_id order by weight desc, code) as place
    from reasons
),

told as (
    select
        target,
        scored_id,
    {% for place in (1, 2, 3) %}
        max(case when place = {{ place }} then code end) as reason_{{ place }}_code,
        max(case when place = {{ place }} then text_en end) as reason_{{ place }}_en,
        max(case when place = {{ place }} then text_zh end) as reason_{{ place }}_zh{{ ',' if not loop.last }}
    {% endfor %}
    from ranked
    where place <= 3
    group by target, scored_id
),

probabilities as (
    select
        scored.target,
        scored.scored_id,
        scored.customer_id,
        scored.is_in_danger,
        models.scorer,
        models.fitted_as_of,
        models.base_rate,
        models.rule_rate_on,
        models.rule_rate_off,
        case
            -- The exponent is bounded: beyond, a probability is 0 or 1 to all digits kept.
            when models.scorer <> 'rule' then 1 / (1 + exp(-greatest(least(logits.logit, 500), -500)))
            when scored.is_in_danger then models.rule_rate_on
            else models.rule_rate_off
        end as probability
    from scored
    inner join models on models.target = scored.target
    left join logits
        on
            logits.target = scored.target
            and logits.scored_id = scored.scored_id
)

select
    probabilities.target,
    probabilities.scored_id,
    probabilities.customer_id,
    probabilities.is_in_danger,
    probabilities.scorer,
    case when probabilities.scorer <> 'rule' then probabilities.fitted_as_of end as fitted_as_of,
    cast(probabilities.probability as numeric(9, 6)) as probability,
    case
        -- By the rule there are two kinds only, and one where danger did not go with more cases.
        when probabilities.scorer = 'rule'
            then
                case
                    when not probabilities.is_in_danger or probabilities.rule_rate_on < probabilities.rule_rate_off
                        then 'low'
                    else 'high'
                end
        when probabilities.probability >= {{ risk_rule('high_lift') }} * probabilities.base_rate then 'high'
        when probabilities.probability >= {{ risk_rule('medium_lift') }} * probabilities.base_rate then 'medium'
        else 'low'
    end as risk_band,
    {{ risk_reasons('told') }}
from probabilities
left join told
    on
        told.target = probabilities.target
        and told.scored_id = probabilities.scored_id
