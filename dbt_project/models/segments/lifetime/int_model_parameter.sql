-- One row per build: the parameters of the latest fits up to the day of the build, empty where a model may not predict.
{% set models = {
    'bg_nbd': ['r', 'alpha', 'a', 'b'],
    'gamma_gamma': ['p', 'q', 'v'],
    'sbg': ['alpha', 'beta'],
} %}
with

parameters as (
    select
        model,
        fitted_as_of,
        parameter,
        value,
        max(fitted_as_of) over (partition by model) as last_as_of
    from {{ source('meta', 'model_parameter') }}
    where fitted_as_of <= {{ as_of() }}
),

rules as (
    select
        max(case when rule = 'prediction_least_payers' then value end) as least_payers,
        max(case when rule = 'prediction_least_days' then value end) as least_days
    from {{ ref('value_rules') }}
    where coalesce(campus_id, '') = ''
),

enough as (
    select parameters.model
    from parameters
    cross join rules
    where parameters.fitted_as_of = parameters.last_as_of
    group by parameters.model, rules.least_payers, rules.least_days
    having
        max(case when parameters.parameter = 'payers' then parameters.value end) >= rules.least_payers
        and max(case when parameters.parameter = 'history_days' then parameters.value end) >= rules.least_days
)

select
    {% for model, names in models.items() %}
        {% for name in names %}
            max(
                case
                    when parameters.model = '{{ model }}' and parameters.parameter = '{{ name }}' then parameters.value
                end
            )
                as {{ model }}_{{ name }},
        {% endfor %}
    {% endfor %}
    max(case when parameters.model = 'bg_nbd' then parameters.fitted_as_of end) as bg_nbd_fitted_as_of,
    max(case when parameters.model = 'sbg' then parameters.fitted_as_of end) as sbg_fitted_as_of
from parameters
inner join enough on enough.model = parameters.model
where parameters.fitted_as_of = parameters.last_as_of
