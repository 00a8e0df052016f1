"""Students of OULAD: one row per student and presentation, with the result."""

from lifecourse.quality.rules import Suite, at_least, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of the table `student_info` of `sources/oulad/`."""
    return table_suite(
        "oulad_student_info",
        required("code_module", "code_presentation", "id_student", "final_result"),
        one_of("gender", "M", "F"),
        one_of("final_result", "Pass", "Distinction", "Fail", "Withdrawn"),
        at_least("negative_count", "num_of_prev_attempts", "studied_credits"),
        parent(("code_module", "code_presentation"), "courses"),
    )
