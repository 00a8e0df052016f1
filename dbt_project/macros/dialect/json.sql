{# A JSON object of names and SQL expressions, given as a mapping. #}
{% macro json_object(fields) -%}
    {{ return(adapter.dispatch('json_object')(fields)) }}
{%- endmacro %}

{% macro default__json_object(fields) -%}
    jsonb_build_object(
        {%- for name, expression in fields.items() -%}
            '{{ name }}', {{ expression }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    )
{%- endmacro %}

{% macro spark__json_object(fields) -%}
    to_json(named_struct(
        {%- for name, expression in fields.items() -%}
            '{{ name }}', {{ expression }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    ))
{%- endmacro %}
