{# The day of the build. Everything a model uses happened up to the end of it. #}
{% macro as_of() -%}
    {%- if execute and not var('as_of') -%}
        {{ exceptions.raise_compiler_error("A build needs a day: start it with `lifecourse build`, or pass --vars '{as_of: 2026-03-01}'.") }}
    {%- endif -%}
    cast('{{ var("as_of") or "1900-01-01" }}' as date)
{%- endmacro %}

{# First day of the month after the one that holds a day. #}
{% macro month_after(day) -%}
    {{ start_of('month', add_days(start_of('month', day), 31)) }}
{%- endmacro %}

{# A value that became true on a day: null until then, so that an old day is told as it was. #}
{% macro once(day, value) -%}
    case when {{ day }} <= {{ as_of() }} then {{ value }} end
{%- endmacro %}

{# While dbt draws the graph this is true, so that one graph serves both kinds: whatever an incremental build reads
   must include what a full one does. #}
{% macro is_incremental_build() -%}
    {{ return(not execute or var('build_kind') == 'incremental') }}
{%- endmacro %}

{# A table of the previous build, or none: for what a build must know of the one before without a cycle in the graph.
   While dbt draws the graph it is taken to be there, so that what is read besides it is seen. #}
{% macro previous(identifier) -%}
    {%- if not execute -%}
        {{ return(this.incorporate(path={'identifier': identifier})) }}
    {%- endif -%}
    {{ return(adapter.get_relation(database=target.database, schema=var('target_schema'), identifier=identifier)) }}
{%- endmacro %}

{# Whether the build of that id never reached readers: what it changed in core still has to be published. #}
{% macro is_unpublished(build_id) -%}
    {{ build_id }} not in (
        select published.build_id from {{ source('meta', 'build') }} as published where published.status = 'published'
    )
{%- endmacro %}

{# A table as readers have it, in a build upon what is published; else none. What it holds of customers who are not
   among the changed is what a full build would compute. #}
{% macro published_table(identifier) -%}
    {#- A unit test has no table of its own, and is told what a full build does. -#}
    {%- if this is not none and is_incremental_build() -%}
        {{ return(this.incorporate(path={'schema': 'marts', 'identifier': identifier})) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{# Every version of a thing's attributes that was loaded (learner, contact). Where the loader made no such view
   (histories and books given as files), the last version is all there is. #}
{% macro versions_of(thing) -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'compile') -%}
        {%- set found = adapter.get_relation(
            database=target.database, schema=var('canonical_schema'), identifier=thing ~ '_versions'
        ) -%}
        {%- if found -%}
            {{ return(found) }}
        {%- endif -%}
    {%- endif -%}
    {{ return(ref('stg_' ~ thing ~ 's')) }}
{%- endmacro %}

{# The rows that stand in this model's table before a night's build computes it whole: of customers who are not among the
   changed they are what a full build would compute, as far as they rest on facts by customer alone. In a full build, and
   in a unit test, none. #}
{% macro standing_rows() -%}
    {%- if this is none or not is_incremental_build() -%}
        {{ return(none) }}
    {%- endif -%}
    {%- if not execute -%}
        {{ return(this) }}
    {%- endif -%}
    {{ return(adapter.get_relation(database=this.database, schema=this.schema, identifier=this.identifier)) }}
{%- endmacro %}

{# The day of the build that readers have. #}
{% macro published_day() -%}
    (
        select max(published.as_of) from {{ source('meta', 'build') }} as published
        where published.status = 'published'
    )
{%- endmacro %}

{# Whether a day, and so many days after it, lay ahead when readers got what they have, and does no longer. #}
{% macro became_past(day, days_after=0) -%}
    (
        {{ day }} > {{ add_days(published_day(), -days_after) }}
        and {{ day }} <= {{ add_days(as_of(), -days_after) }}
    )
{%- endmacro %}
