{# What a night's build does instead of dbt's own materialisations, on Postgres.

   An incremental build runs the code that wrote the tables that are there: where models or macros have changed the build
   is a full one (lifecourse/building/plan.py). Columns, types, keys, indexes and comments of a table therefore stand
   already, and only its rows are exchanged, in place and in one message to the database. dbt's own materialisations ask
   the catalogue for columns, compare the contract, make a table with its indexes, rename twice, write comments and drop:
   a tenth of a second a model, whatever it computes. Views upon a table or a view stay, too, since that stays.

   In place means in one transaction: a build that is killed leaves the table as it was. #}

{% macro is_kept(there, type='table') -%}
    {{ return(
        there is not none
        and there.type == type
        and is_incremental_build()
        and not should_full_refresh()
        and model.config.contract.enforced
    ) }}
{%- endmacro %}

{% materialization table, adapter='postgres' %}
    {%- set there = load_cached_relation(this) -%}
    {%- if not is_kept(there) -%}
        {{ return(dbt.materialization_table_default()) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {{ join_by_scope(there, model) }}
        {{ refill(there, sql, model, (there | string) in sql) }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [there]}) }}
{% endmaterialization %}

{% materialization incremental, adapter='postgres' %}
    {%- set there = load_cached_relation(this) -%}
    {%- if config.get('incremental_strategy') != 'by_customer' or not is_kept(there) -%}
        {{ return(dbt.materialization_incremental_default()) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {{ join_by_scope(there, model) }}
        {{ recompute(there, sql, model) }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [there]}) }}
{% endmaterialization %}

{% materialization view, adapter='postgres' %}
    {%- set there = load_cached_relation(this) -%}
    {%- if not is_kept(there, 'view') -%}
        {{ return(dbt.materialization_view_default()) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {{ replace_view(there, sql) }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [there]}) }}
{% endmaterialization %}

{# Nested loops over the indexes of a few customers are what makes a night fast. On a day on which many are touched (the
   first of a month, the return of a source) they would compare every row with every row: then tables are joined whole,
   as in a full build. Tables and their statistics are those of this build where it has come so far. #}
{% macro join_by_scope(relation, node) -%}
    {{ return(adapter.dispatch('join_by_scope')(relation, node)) }}
{%- endmacro %}

{% macro default__join_by_scope(relation, node) -%}
{%- endmacro %}

{% macro postgres__join_by_scope(relation, node) -%}
    {#- Of a model that a longer list than that of the changed customers decides, that list is looked at. A model that the
        planner takes for one row in the midst says from how many on (meta.many_changed): loops over loops grow with their
        square. #}
    {%- set rows_of = "(select reltuples from pg_class where oid = to_regclass('" ~ relation.schema ~ ".%s'))" %}
    {%- set listing = node.config.meta.get('changed_by', {}).get('customer_id', 'changed_customer') %}
    {%- set many = var('many_customers') ~ ' * ' ~ rows_of % 'dim_customer' %}
    {%- set many_changed = node.config.meta.get('many_changed') %}
    select set_config('enable_nestloop', 'off', true)
    where {{ rows_of % listing }} > {% if many_changed %}least({{ many_changed }}, {{ many }}){% else %}{{ many }}{% endif %};
{%- endmacro %}

{% macro refill(relation, sql, node, reads_itself) -%}
    {%- set columns = get_quoted_csv(node.columns.keys() | list) -%}
    {%- if reads_itself %}
        {#- It reads the rows that were there before. #}
        create temporary table refilling on commit drop as select {{ columns }} from (
            {{ sql }}
        ) as computed;
        truncate table {{ relation }};
        insert into {{ relation }} ({{ columns }}) select {{ columns }} from pg_temp.refilling;
    {%- else %}
        truncate table {{ relation }};
        insert into {{ relation }} ({{ columns }}) select {{ columns }} from (
            {{ sql }}
        ) as computed;
    {%- endif %}
{%- endmacro %}

{# The same by exchanging the rows that differ: for small tables, of which it then is known whether any has changed. #}
{% macro refill_by_exchange(relation, sql, node) -%}
    {%- set names = node.columns.keys() | list -%}
    {%- set columns = get_quoted_csv(names) -%}
    create temporary table refilling (like {{ relation }}) on commit drop;
    insert into pg_temp.refilling ({{ columns }}) select {{ columns }} from (
        {{ sql }}
    ) as computed;
    analyze pg_temp.refilling;
    delete from {{ relation }} as mine where not {{ same_in('pg_temp.refilling', names, node) }};
    insert into {{ relation }} ({{ columns }})
    select {{ columns }} from pg_temp.refilling as mine
    where not {{ same_in(relation, names, node) }};
{%- endmacro %}

{% macro recompute(relation, sql, node) -%}
    create temporary table recomputed on commit drop as
    {{ sql }}
    ;
    {{ exchange_by_customer(relation, 'pg_temp.recomputed', node.columns.keys() | list, node) }}
{%- endmacro %}

{# It may hold the day of the build. #}
{% macro replace_view(relation, sql) -%}
    create or replace view {{ relation }} as
    {{ sql }}
{%- endmacro %}

{# What a night sends to the database for each model, as one transaction, for those who send it without dbt
   (lifecourse/building/nights.py): JSON of unique id -> statements, `body` standing for the model's own SQL. Of a table
   there are two ways, the second for a model that reads its own table, and one for a table that is small. Models with
   other hooks or strategies than these are left out. #}
{% macro night_statements(body) -%}
    {%- set found = {} -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.contract.enforced -%}
        {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
        {%- set hooks = node.config.get('pre-hook', []) | map(attribute='sql') | list -%}
        {%- set hooks_after = node.config.get('post-hook', []) | map(attribute='sql') | list -%}
        {%- set before = join_whole_tables(node, relation) ~ ';' if hooks == ['{{ join_whole_tables() }}'] else '' -%}
        {%- set before = before ~ join_by_scope(relation, node) -%}
        {%- set ways = [] -%}
        {%- if hooks not in ([], ['{{ join_whole_tables() }}']) or hooks_after != ['{{ gather_statistics() }}'] -%}
        {%- elif node.config.materialized == 'table' -%}
            {%- for reads_itself in (false, true) -%}
                {%- do ways.append(before ~ refill(relation, body, node, reads_itself) ~ 'analyze ' ~ relation) -%}
            {%- endfor -%}
        {%- elif node.config.materialized == 'view' -%}
            {%- do ways.append(replace_view(relation, body)) -%}
        {%- elif node.config.get('incremental_strategy') == 'by_customer' -%}
            {%- do ways.append(before ~ recompute(relation, body, node)) -%}
        {%- endif -%}
        {%- if ways -%}
            {%- set small = before ~ refill_by_exchange(relation, body, node) ~ 'analyze ' ~ relation -%}
            {%- do found.update({node.unique_id: {
                'relation': relation | string, 'ways': ways,
                'small': small if node.config.materialized == 'table' and node.config.meta.get('primary_key') else none
            }}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(tojson(found)) }}
{%- endmacro %}
