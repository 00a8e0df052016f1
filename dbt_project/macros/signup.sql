{# What the models of leads and care share. #}

{# The row of int_signup_rules that holds at a campus: its own where it has one. #}
{% macro signup_rules_of(campus, alias='rules') -%}
    inner join {{ ref('int_signup_rules') }} as {{ alias }}
        on {{ alias }}.campus_id = coalesce(
            (select own.campus_id from {{ ref('int_signup_rules') }} as own where own.campus_id = {{ campus }}), ''
        )
{%- endmacro %}

{# Whether a contact was answered: somebody spoke to us, or took the call, also to say no. A message that was opened is
   no answer. #}
{% macro is_answered(touch) -%}
    ({{ touch }}.direction = 'in' or coalesce({{ touch }}.outcome in ('reached', 'replied', 'booked', 'refused'), false))
{%- endmacro %}

{# Hours from one instant to another, to the hundredth. #}
{% macro rounded_hours(earlier, later) -%}
    round(cast({{ hours_between(earlier, later) }} as numeric), 2)
{%- endmacro %}

{# The day from which the renewal of an order line is asked for: a window before its end, but for a short line not
   before half of it is over. Reads `lines` and `rules`. #}
{% macro renewal_asked_on() -%}
    {{ add_days(
        'lines.ends_on',
        '-least(rules.renewal_window_days, ' ~ days_between('lines.granted_on', 'lines.ends_on') ~ ' / 2)'
    ) }}
{%- endmacro %}

{# Whether one of a customer's records makes the customer one that counts in no metric: test accounts, children of staff, and
   what is kept of somebody who was erased. Aggregates records with their learner or lead. #}
{% macro counts_in_no_metric(record_id, learners, leads) -%}
    bool_or(
        coalesce({{ learners }}.is_test, false) or coalesce({{ learners }}.is_staff_child, false)
        or coalesce({{ leads }}.is_test, false)
        or {{ record_id }} like 'erased:%'
    )
{%- endmacro %}
