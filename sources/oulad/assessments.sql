-- One row per assessment handed in, marked or not, banked ones too (1,909 were carried over from an earlier
-- presentation). Scores are out of 100.
select
    result.id_assessment || '-' || result.id_student as assessment_result_id,
    result.id_student as learner_id,
    assessment.code_module || '-' || assessment.code_presentation || '-' || result.id_student as enrolment_id,
    assessment.code_module as course_id,
    case when assessment.assessment_type = 'Exam' then 'final' else 'unit' end as kind,
    assessment.assessment_type as topic,
    make_date(
        left(assessment.code_presentation, 4)::integer,
        case right(assessment.code_presentation, 1) when 'B' then 2 else 10 end,
        1
    ) + result.submitted_day as taken_on,
    result.score,
    100::numeric as max_score,
    result.is_banked,
    (
        make_date(
            left(assessment.code_presentation, 4)::integer,
            case right(assessment.code_presentation, 1) when 'B' then 2 else 10 end,
            1
        ) + result.submitted_day + time '12:00'
    ) at time zone 'UTC' as updated_at,
    greatest(result._load_id, assessment._load_id) as _load_id
from {student_assessment} as result
inner join {assessments} as assessment on result.id_assessment = assessment.id_assessment
