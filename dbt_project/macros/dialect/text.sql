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
