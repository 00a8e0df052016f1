{# Incremental strategy: the rows of changed customers become those recomputed for them.
   The model itself reads only customers (or leads) in scope, in a full build all of them. Most rows of a changed
   customer are as they were: they stay where they lie, so that a night writes, indexes and vacuums only what differs.
   meta.changed_by names the deciding columns and the table that lists the changed keys, by default
   {customer_id: changed_customer}. #}
{% macro get_incremental_by_customer_sql(arg_dict) %}
    {{ exchange_by_customer(
        arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['dest_columns'] | map(attribute='name') | list,
        model
    ) }}
{% endmacro %}

{# The same for a table of recomputed rows that is there already. #}
{% macro exchange_by_customer(target, recomputed, names, node) %}
    {%- set columns = get_quoted_csv(names) -%}
    {%- set changed_by = node.config.meta.get('changed_by', {'customer_id': 'changed_customer'}) -%}
    analyze {{ recomputed }};
    {%- for column, listing in changed_by.items() %}
    {# A statement for each column: joined by "or" they would read the whole table. #}
    delete from {{ target }} as mine
    where
        {{ column }} in (select {{ column }} from {{ target.incorporate(path={'identifier': listing}) }})
        and not {{ same_in(recomputed, names, node) }};
    {%- endfor %}
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ recomputed }} as mine
    where not {{ same_in(target, names, node) }};
{% endmacro %}

{# Whether a table has the row `mine` as it is: same key, same in every column. #}
{% macro same_in(other, names, node) -%}
    exists (
        select 1 from {{ other }} as other where {{ same_row(names, node.config.meta.get('primary_key', names)) }}
    )
{%- endmacro %}

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
