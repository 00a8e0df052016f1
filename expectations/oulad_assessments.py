"""Assessments of OULAD: one row per assessment of a presentation."""

from lifecourse.quality.rules import Suite, between, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of the table `assessments` of `sources/oulad/`."""
    return table_suite(
        "oulad_assessments",
        required("id_assessment", "code_module", "code_presentation", "assessment_type"),
        one_of("assessment_type", "TMA", "CMA", "Exam"),
        between("score_out_of_range", "weight", 0, 100),
        parent(("code_module", "code_presentation"), "courses"),
    )
