{# A table of a key and of columns as rows (`feature`, `value` as a float), of the rows that meet a condition. Columns are given
   with commas between them. #}
{% macro unpivot(relation, key, columns, condition) -%}
    {{ return(adapter.dispatch('unpivot')(relation, key, columns, condition)) }}
{%- endmacro %}

{% macro default__unpivot(relation, key, columns, condition) -%}
    (
        select
            wide.{{ key }},
            listed.feature,
            listed.value
        from {{ relation }} as wide
        cross join
            lateral (
                values
                {% for column in columns.split(',') -%}
                    ('{{ column }}', cast(wide.{{ column }} as double precision)){{ ', ' if not loop.last }}
                {% endfor %}
            ) as listed (feature, value)
        where {{ condition }}
    )
{%- endmacro %}

{% macro spark__unpivot(relation, key, columns, condition) -%}
    (
        select
            {{ key }},
            stack({{ columns.split(',') | length }},
                {%- for column in columns.split(',') -%}
                    '{{ column }}', cast({{ column }} as double){{ ', ' if not loop.last }}
                {%- endfor -%}
            ) as (feature, value)
        from {{ relation }}
        where {{ condition }}
    )
{%- endmacro %}
