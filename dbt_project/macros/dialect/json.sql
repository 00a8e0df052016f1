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

{# Values side by side, to be compared as one: empty ones are equal to empty ones. #}
{% macro json_array(expressions) -%}
    {{ return(adapter.dispatch('json_array')(expressions)) }}
{%- endmacro %}

{% macro default__json_array(expressions) -%}
    jsonb_build_array({{ expressions | join(', ') }})
{%- endmacro %}

{% macro spark__json_array(expressions) -%}
    to_json(array({{ expressions | join(', ') }}))
{%- endmacro %}

{# A number in a JSON object, by its name; null where it is not there. #}
{% macro json_number(json, name) -%}
    {{ return(adapter.dispatch('json_number')(json, name)) }}
{%- endmacro %}

{% macro default__json_number(json, name) -%}
    cast({{ json }} ->> '{{ name }}' as double precision)
{%- endmacro %}

{% macro spark__json_number(json, name) -%}
    cast(get_json_object({{ json }}, '$.{{ name }}') as double)
{%- endmacro %}
