{# Whether the rows `mine` and `other` have one key and are the same in every column. #}
{% macro same_row(columns, key) -%}
    {{ return(adapter.dispatch('same_row')(columns, key)) }}
{%- endmacro %}

{% macro default__same_row(columns, key) -%}
    {%- for column in key %}mine.{{ column }} = other.{{ column }} and {% endfor -%}
    {%- for column in columns -%}
        mine.{{ column }} is not distinct from other.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Byte by byte, as publishing compares: 1.0 and 1.00 differ. #}
{% macro postgres__same_row(columns, key) -%}
    {%- for column in key %}mine.{{ adapter.quote(column) }} = other.{{ adapter.quote(column) }} and {% endfor -%}
    record_image_eq(
        row({% for column in columns %}mine.{{ adapter.quote(column) }}{{ ', ' if not loop.last }}{% endfor %}),
        row({% for column in columns %}other.{{ adapter.quote(column) }}{{ ', ' if not loop.last }}{% endfor %})
    )
{%- endmacro %}
