-- One row per quiz and student graded; the day is that of the grade.
select
    grade.id as assessment_result_id,
    grade.userid as learner_id,
    item.courseid || '-' || grade.userid as enrolment_id,
    item.courseid as course_id,
    'unit' as kind,
    item.itemname as topic,
    (grade.timemodified at time zone {timezone})::date as taken_on,
    grade.finalgrade as score,
    item.grademax as max_score,
    false as is_banked,
    grade.timemodified as updated_at,
    greatest(grade._load_id, item._load_id) as _load_id
from {grade_grades} as grade
inner join {grade_items} as item on item.id = grade.itemid
where
    item.itemmodule = 'quiz'
    and grade.finalgrade is not null
    and grade.timemodified is not null
