{# Indexes follow from what the model says of itself: unique on its primary key, one on customer_id, and those of
   its meta. They are made after the rows are in, and the unique one is what keeps the grain. #}
{% macro postgres__create_indexes(relation) %}
    {%- set meta = model.config.meta or {} -%}
    {%- set wanted = [] -%}
    {%- if meta.get('primary_key') -%}
        {%- do wanted.append({'columns': meta['primary_key'], 'unique': true}) -%}
    {%- endif -%}
    {%- if 'customer_id' in model.columns and meta.get('primary_key', [none])[0] != 'customer_id' -%}
        {%- do wanted.append({'columns': ['customer_id']}) -%}
    {%- endif -%}
    {%- for columns in meta.get('indexes', []) + meta.get('core_indexes', []) -%}
        {%- do wanted.append({'columns': columns}) -%}
    {%- endfor -%}
    {%- set statements = [] -%}
    {%- for index in wanted + config.get('indexes', default=[]) -%}
        {%- do statements.append(get_create_index_sql(relation, index) | trim) -%}
    {%- endfor -%}
    {%- if statements -%}
        {%- call statement('create_indexes') -%}
            {{ statements | join(';\n') }}
        {%- endcall -%}
    {%- endif -%}
{% endmacro %}
