{# What a data test reads. A full build tests every row; an incremental one the rows of changed customers (or of
   the keys in the model's meta.changed_by), since the others were tested when they were written. #}
{% macro get_where_subquery(relation) -%}
    {%- set conditions = [] -%}
    {%- if config.get('where') -%}
        {%- do conditions.append('(' ~ config.get('where') ~ ')') -%}
    {%- endif -%}
    {%- if execute and var('test_scope') == 'changed' and model.attached_node in graph.nodes -%}
        {%- set tested = graph.nodes[model.attached_node] -%}
        {%- if tested.config.materialized == 'incremental' and not tested.config.meta.get('state') -%}
            {%- do conditions.append(changed_condition(tested, relation)) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if conditions -%}
        (select * from {{ relation }} where {{ conditions | join(' and ') }}) as tested_rows
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{# The condition that a row of an incremental model belongs to what changed. #}
{% macro changed_condition(node, relation) -%}
    {%- set changed_by = node.config.meta.get('changed_by', {'customer_id': 'changed_customer'}) -%}
    (
    {%- for column, listing in changed_by.items() -%}
        {{ ' or ' if not loop.first }}{{ column }} in (
            select listed.{{ column }} from {{ relation.incorporate(path={'identifier': listing}) }} as listed
        )
    {%- endfor -%}
    )
{%- endmacro %}

{# For singular tests: reads the rows of a model that this build has to answer for. #}
{% macro in_scope(name) -%}
    {%- set relation = ref(name) -%}
    {%- if execute and var('test_scope') == 'changed' -%}
        {%- set nodes = graph.nodes.values() | selectattr('name', 'equalto', name) | list -%}
        (select * from {{ relation }} where {{ changed_condition(nodes[0], relation) }})
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
