-- One row per target of risk: which scorer the probabilities of this build come from, how it was proven, and why.
with

targets as (
    {% for target in ['churn', 'renewal', 'pass'] %}
        select '{{ target }}' as target
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

fits as (
    select
        fitted.*,
        row_number() over (partition by fitted.target order by fitted.fitted_as_of desc) as fit_no
    from {{ source('meta', 'risk_model') }} as fitted
    where fitted.fitted_as_of <= {{ as_of() }}
),

latest as (
    select * from fits
    where fit_no = 1
),

bands as (
    select bands.*
    from {{ source('meta', 'risk_model_band') }} as bands
    inner join latest
        on
            latest.target = bands.target
            and latest.fitted_as_of = bands.fitted_as_of
    where bands.purpose = 'drift'
),

inputs as (
    {{ risk_inputs() }}
),

scored as (
    select
        target,
        count(distinct scored_id) as scored_count
    from inputs
    group by target
),

shares as (
    select
        bands.target,
        bands.feature,
        bands.band_no,
        bands.share,
        bands.weight_share,
        count(inputs.scored_id) as rows_in_band
    from bands
    left join inputs
        on
            inputs.target = bands.target
            and inputs.feature = bands.feature
            and case
                when bands.is_missing then inputs.value is null
                else
                    inputs.value is not null
                    and (bands.above is null or inputs.value > bands.above)
                    and (bands.up_to is null or inputs.value <= bands.up_to)
            end
    group by bands.target, bands.feature, bands.band_no, bands.share, bands.weight_share
),

-- Population stability index, less what chance alone brings to so few rows. A share below a thousandth counts as that,
-- so that its logarithm is a number.
drifts as (
    select
        shares.target,
        shares.feature,
        shares.weight_share,
        greatest(0, sum(
            (
                greatest(cast(shares.rows_in_band as double precision) / scored.scored_count, 0.001)
                - greatest(shares.share, 0.001)
            )
            * ln(
                greatest(cast(shares.rows_in_band as double precision) / scored.scored_count, 0.001)
                / greatest(shares.share, 0.001)
            )
        )
        - (count(*) - 1) * (
            1 / min(cast(scored.scored_count as double precision))
            + 1 / min({{ json_number('latest.measures', 'proven_rows') }})
        )) as drift_index
    from shares
    inner join scored on scored.target = shares.target
    inner join latest on latest.target = shares.target
    group by shares.target, shares.feature, shares.weight_share
),

-- What hardly weighs may drift.
ranked as (
    select
        drifts.*,
        row_number() over (partition by target order by drift_index desc, feature) as drift_no
    from drifts
    where weight_share >= {{ risk_rule('drift_least_weight') }}
),

judged as (
    select
        targets.target,
        latest.scorer as candidate,
        latest.fitted_as_of,
        latest.base_rate,
        latest.rule_rate_on,
        latest.rule_rate_off,
        latest.intercept,
        latest.calibration_slope,
        latest.calibration_offset,
        {% for measure in risk_measures().split(',') %}
            {{ json_number('latest.measures', measure) }} as {{ measure }},
        {% endfor %}
        ranked.feature as most_drifted_feature,
        ranked.drift_index,
        coalesce(scored.scored_count, 0) as scored_count,
        case
            when latest.target is null then 'not_fitted'
            when latest.verdict <> 'beats_rule' then latest.verdict
            when ranked.drift_index > {{ risk_rule('drift_index_max') }} then 'inputs_drifted'
            else 'beats_rule'
        end as reason_code
    from targets
    left join latest on latest.target = targets.target
    left join scored on scored.target = targets.target
    left join ranked
        on
            ranked.target = targets.target
            and ranked.drift_no = 1
)

select
    target,
    case when reason_code = 'beats_rule' then candidate else 'rule' end as scorer,
    reason_code,
    case reason_code
        when 'not_fitted' then 'No model has been fitted up to this day'
        when 'too_few_cases' then 'There were too few cases to prove a model on'
        when 'does_not_beat_rule' then 'The model did not beat the rule on days it had not seen'
        when 'inputs_drifted' then 'Inputs are no longer like those the model was proven on'
        else 'The model beat the rule on days it had not seen, and its inputs are still alike'
    end as reason_en,
    case reason_code
        when 'not_fitted' then '截至当日尚未训练模型'
        when 'too_few_cases' then '样本太少，无法检验模型'
        when 'does_not_beat_rule' then '模型在未见过的日子里未优于规则'
        when 'inputs_drifted' then '输入分布已偏离检验时'
        else '模型在未见过的日子里优于规则，且输入未漂移'
    end as reason_zh,
    candidate,
    fitted_as_of,
    cast(base_rate as numeric(9, 6)) as base_rate,
    cast(rule_rate_on as numeric(9, 6)) as rule_rate_on,
    cast(rule_rate_off as numeric(9, 6)) as rule_rate_off,
    intercept,
    calibration_slope,
    calibration_offset,
    {% for measure in risk_measures().split(',') %}
        cast({{ measure }} as {{ 'integer' if measure.startswith('proven_') else 'numeric(9, 6)' }}) as {{ measure }},
    {% endfor %}
    most_drifted_feature,
    cast(drift_index as numeric(9, 4)) as drift_index,
    -- All branches read it whole: fewer than five would tell of single people.
    case when scored_count not between 1 and 4 then cast(scored_count as integer) end as scored_count
from judged
