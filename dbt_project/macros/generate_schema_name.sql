{# Everything of a build stands in one schema: core, or asof_<day> for the rebuild of an old day.
   State that outlives builds (meta: {state: true}) stands in core whatever is built. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if node.config.get('meta', {}).get('state') -%}
        core
    {%- else -%}
        {{ var('target_schema') }}
    {%- endif -%}
{%- endmacro %}
