{# What models on learning share. #}

{# Whether homework was handed in by the end of the week (Monday to Sunday) in which it was due. #}
{% macro is_homework_done(homework) -%}
    {{ homework }}.submitted_on <= {{ add_days(start_of('week', homework ~ '.due_on'), 6) }}
{%- endmacro %}
