{# Incremental strategy: the rows of changed customers go and their recomputed rows come.
   The model itself reads only customers (or leads) in scope, in a full build all of them.
   meta.changed_by names the deciding columns and the table that lists the changed keys, by default
   {customer_id: changed_customer}. #}
{% macro get_incremental_by_customer_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set temp = arg_dict['temp_relation'] -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- set changed_by = model.config.meta.get('changed_by', {'customer_id': 'changed_customer'}) -%}
    {%- for column, listing in changed_by.items() %}
    {# A statement for each column: joined by "or" they would read the whole table. #}
    delete from {{ target }}
    where {{ column }} in (select {{ column }} from {{ target.incorporate(path={'identifier': listing}) }});
    {%- endfor %}
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ temp }};
{% endmacro %}

{# Statistics right after writing: the planner must know that a list of changed customers is short. #}
{% macro gather_statistics() -%}
    {{ return(adapter.dispatch('gather_statistics')()) }}
{%- endmacro %}

{% macro default__gather_statistics() -%}
{%- endmacro %}

{% macro postgres__gather_statistics() -%}
    {%- set kind = model.config.materialized -%}
    {%- if kind == 'table' or (kind == 'incremental' and not is_incremental()) -%}
        analyze {{ this }}
    {%- endif -%}
{%- endmacro %}
