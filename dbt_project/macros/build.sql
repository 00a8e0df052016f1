{# The day of the build. Everything a model uses happened up to the end of it. #}
{% macro as_of() -%}
    {%- if execute and not var('as_of') -%}
        {{ exceptions.raise_compiler_error("A build needs a day: start it with `lifecourse build`, or pass --vars '{as_of: 2026-03-01}'.") }}
    {%- endif -%}
    cast('{{ var("as_of") or "1900-01-01" }}' as date)
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
