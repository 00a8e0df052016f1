{# What the money models share (docs/money_readings.md). #}

{# The part of a lot's value that has been earned once `part` of its `whole` hours or days is used: rounded on the
   running total, so that the amounts of single lessons or days add up to the value to the cent. A lot that brought
   nothing, or of which more was paid back than it brought, has nothing left to earn. #}
{% macro earned_amount(value, part, whole) -%}
    case
        when {{ value }} <= 0 then {{ value }}
        when {{ whole }} > 0 then cast(round({{ value }} * {{ part }} / {{ whole }}, 2) as numeric(18, 2))
        else cast(0 as numeric(18, 2))
    end
{%- endmacro %}
