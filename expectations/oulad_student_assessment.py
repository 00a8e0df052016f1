"""Results of OULAD: one row per student and assessment."""

from lifecourse.quality.rules import Suite, between, parent, required, table_suite


def suite() -> Suite:
    """The row rules of the table `student_assessment` of `sources/oulad/`."""
    return table_suite(
        "oulad_student_assessment",
        required("id_assessment", "id_student", "submitted_day", "is_banked"),
        between("score_out_of_range", "score", 0, 100),
        parent("id_assessment", "assessments"),
    )
