{# What a data test reads. A full build tests every row; an incremental one the rows of changed customers (or of
   the keys in the model's meta.changed_by), since the others were tested when they were written. #}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where') -%}
    {%- if execute and var('test_scope') == 'changed' and model.attached_node in graph.nodes -%}
        {%- set tested = graph.nodes[model.attached_node] -%}
        {%- if tested.config.materialized == 'incremental' and not tested.config.meta.get('state') -%}
            {{ return('(' ~ changed_rows(tested, relation, where) ~ ') as tested_rows') }}
        {%- endif -%}
    {%- endif -%}
    {%- if where -%}
        (select * from {{ relation }} where {{ where }}) as tested_rows
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{# The rows of an incremental model that belong to what changed. Where two columns decide, each has a query of its own
   that an index serves: joined by "or", they would read the whole table. #}
{% macro changed_rows(node, relation, where=none) -%}
    {%- set changed_by = node.config.meta.get('changed_by', {'customer_id': 'changed_customer'}) -%}
    {%- set before = [] -%}
    {%- for column, listing in changed_by.items() -%}
        {%- set condition -%}
            {{ column }} in (
                select listed.{{ column }} from {{ relation.incorporate(path={'identifier': listing}) }} as listed
            )
        {%- endset -%}
        {{ ' union all ' if not loop.first }}select * from {{ relation }} where {{ condition }}
        {%- for earlier in before %} and ({{ earlier }}) is not true{% endfor -%}
        {%- if where %} and ({{ where }}){% endif -%}
        {%- do before.append(condition) -%}
    {%- endfor -%}
{%- endmacro %}

{# For singular tests: reads the rows of a model that this build has to answer for. #}
{% macro in_scope(name) -%}
    {%- set relation = ref(name) -%}
    {%- if execute and var('test_scope') == 'changed' -%}
        {%- set nodes = graph.nodes.values() | selectattr('name', 'equalto', name) | list -%}
        ({{ changed_rows(nodes[0], relation) }})
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
