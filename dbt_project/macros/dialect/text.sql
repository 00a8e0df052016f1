{# A stable hash of some values, for choices that must be the same on every run. #}
{% macro hash_of(values) -%}
    {{ return(adapter.dispatch('hash_of')(values)) }}
{%- endmacro %}

{% macro default__hash_of(values) -%}
    md5({% for value in values %}coalesce(cast({{ value }} as text), '~'){{ " || '|' || " if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro spark__hash_of(values) -%}
    md5(concat_ws('|', {% for value in values %}coalesce(cast({{ value }} as string), '~'){{ ', ' if not loop.last }}{% endfor %}))
{%- endmacro %}

{# A number written with leading zeros. #}
{% macro zero_padded(number, width) -%}
    {{ return(adapter.dispatch('zero_padded')(number, width)) }}
{%- endmacro %}

{% macro default__zero_padded(number, width) -%}
    lpad(cast({{ number }} as text), {{ width }}, '0')
{%- endmacro %}

{% macro spark__zero_padded(number, width) -%}
    lpad(cast({{ number }} as string), {{ width }}, '0')
{%- endmacro %}

{# Values that meet a condition, joined by a comma and a space in that order; null where none does. #}
{% macro list_of(value, order, condition) -%}
    {{ return(adapter.dispatch('list_of')(value, order, condition)) }}
{%- endmacro %}

{% macro default__list_of(value, order, condition) -%}
    string_agg(case when {{ condition }} then {{ value }} end, ', ' order by {{ order }})
{%- endmacro %}

{% macro spark__list_of(value, order, condition) -%}
    nullif(array_join(
        transform(
            array_sort(collect_list(case when {{ condition }} then struct({{ order }}, {{ value }} as listed) end)),
            each -> each.listed
        ), ', '
    ), '')
{%- endmacro %}

{# A number from 0 up to 1 that values give, the same on every run. #}
{% macro unit_hash(values) -%}
    {{ return(adapter.dispatch('unit_hash')(values)) }}
{%- endmacro %}

{% macro default__unit_hash(values) -%}
    cast(cast(('x' || substr({{ hash_of(values) }}, 1, 8)) as bit(32)) as bigint) / cast(4294967296 as numeric)
{%- endmacro %}

{% macro spark__unit_hash(values) -%}
    cast(conv(substr({{ hash_of(values) }}, 1, 8), 16, 10) as decimal(20, 0)) / cast(4294967296 as decimal(20, 0))
{%- endmacro %}
