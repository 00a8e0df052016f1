{# What the models of actions share. #}

{# The row of int_action_limits that holds at a campus: its own where it has one. #}
{% macro action_limits_of(campus, alias='limits') -%}
    inner join {{ ref('int_action_limits') }} as {{ alias }}
        on {{ alias }}.campus_id = coalesce(
            (select own.campus_id from {{ ref('int_action_limits') }} as own where own.campus_id = {{ campus }}), ''
        )
{%- endmacro %}

{# The day on which a list is worked on: it is built at the end of the day before. #}
{% macro list_on() -%}
    {{ add_days(as_of(), 1) }}
{%- endmacro %}

{# Who a row is about: a customer, or a lead that is no customer yet. #}
{% macro subject_of(row) -%}
    coalesce({{ row }}.customer_id, 'lead:' || {{ row }}.lead_id)
{%- endmacro %}

{# Words with facts in the places of {1}, {2}, {3} and {w}. #}
{% macro worded(words, facts) -%}
    {%- set ns = namespace(text=words) -%}
    {%- for mark, fact in facts.items() -%}
        {%- set ns.text = "replace(" ~ ns.text ~ ", '{" ~ mark ~ "}', coalesce(" ~ fact ~ ", ''))" -%}
    {%- endfor -%}
    {{ ns.text }}
{%- endmacro %}

{# A table of learners whose birthday is the day of the build's list. Birth dates stay in the vault: the function tells
   ids of that one day, to the build that is running. #}
{% macro learners_with_birthday() -%}
    {{ return(adapter.dispatch('learners_with_birthday')()) }}
{%- endmacro %}

{% macro default__learners_with_birthday() -%}
    canonical.learners_with_birthday('{{ var("build_id") }}') as told (learner_id)
{%- endmacro %}

{# There is no vault beside Spark: nobody's birthday is known. #}
{% macro spark__learners_with_birthday() -%}
    (select cast(null as string) as learner_id where false) as told
{%- endmacro %}
