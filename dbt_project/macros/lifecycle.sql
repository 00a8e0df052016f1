{# What the lifecycle models share. #}

{# The codes of the risk signals, one model risk_signal_<code> each. They are the rows of the seed risk_signal, which
   the build reads and hands over, since a seed cannot be read while dbt draws its graph. A parse without a build
   (an editor, a linter) sees those of the definition. #}
{% macro risk_signal_codes() -%}
    {{ return(var('risk_signals', none) or [
        'refund_request', 'complaint', 'detractor', 'absences', 'usage_drop', 'homework_slump', 'inactive', 'lapsing',
    ]) }}
{%- endmacro %}

{# A day that never comes: the end of what has no end. Later days can still be reckoned from it. #}
{% macro far_day() -%}
    cast('2999-12-31' as date)
{%- endmacro %}

{# Where the cause of a purchase and of a line is found: an order, or the enrolment where enrolments are purchases. #}
{% macro purchase_table() -%}
    '{{ "enrolments" if var("purchase_event") == "enrolment" else "orders" }}'
{%- endmacro %}

{% macro line_table() -%}
    '{{ "enrolments" if var("purchase_event") == "enrolment" else "order_lines" }}'
{%- endmacro %}

{# The key of a stretch of a risk signal: the same in every build that knows it. #}
{% macro risk_signal_id(stretch) -%}
    {{ stretch }}.customer_id || ':' || {{ stretch }}.signal_code || ':' || cast({{ stretch }}.opened_on as {{ dbt.type_string() }})
{%- endmacro %}
