"""The experiments of L2E: what each item measures, as rows."""

from xai_lib.experiments.l2e.equal_number import equal_number_rows
from xai_lib.experiments.l2e.explained import Explained, explain_all
from xai_lib.experiments.l2e.faithfulness import agreement_rows, log_odds_rows
from xai_lib.experiments.l2e.frontier import frontier_rows
from xai_lib.experiments.l2e.more_documents import (
    ADDED,
    explain_whole,
    more_document_rows,
    more_rationale_rows,
)
from xai_lib.experiments.l2e.overview import (
    accuracy_rows,
    data_rows,
    example_rows,
    label_rows,
    missing_rows,
    teacher_cost_rows,
)
from xai_lib.experiments.l2e.planted import PLANTED, planted_rows
from xai_lib.experiments.l2e.rationales import division_rows, marked_overlap_rows, rationale_rows
from xai_lib.experiments.l2e.released import switch_rows
from xai_lib.experiments.l2e.sample import ALL_MOVIES, MOVIES, Sample, gather
from xai_lib.experiments.l2e.stability import overlap_rows
from xai_lib.experiments.l2e.teachers import NAMES
from xai_lib.experiments.l2e.timing import speed_rows, student_time_rows, time_all, timing_rows
from xai_lib.experiments.l2e.variants import (
    initial_rows,
    optimiser_rows,
    position_rows,
    several_rows,
    size_rows,
)

# The figures of seconds and their settings.
TIMED = {"figure-3": "movies", "figure-4": "news", "figure-5": "sst2", "figure-6": "cola"}
RECORDED = (
    "table-6",
    "black-boxes",
    "teacher-cost",
    "missing",
    "figure-2",
    "optimisers",
    "planted",
    "table-1",
    "table-2",
    "table-8",
    "table-9",
    "table-3",
    "table-7",
    "positions",
    "positions-cola",
    "sizes-cola",
    "all-documents",
    "equal-number",
    "equal-number-negative",
    "table-4",
    "figure-7",
    "rationales-all",
    "table-5",
    "division",
    "figure-3",
    "figure-4",
    "figure-5",
    "figure-6",
    "speed",
    "student-time",
    "figure-1",
    "switches",
    "sizes",
    "initial",
    "several",
    "frontier",
)

__all__ = [
    "ADDED",
    "ALL_MOVIES",
    "MOVIES",
    "NAMES",
    "PLANTED",
    "RECORDED",
    "TIMED",
    "Explained",
    "Sample",
    "accuracy_rows",
    "agreement_rows",
    "data_rows",
    "division_rows",
    "example_rows",
    "explain_all",
    "explain_whole",
    "frontier_rows",
    "gather",
    "initial_rows",
    "label_rows",
    "log_odds_rows",
    "marked_overlap_rows",
    "missing_rows",
    "more_document_rows",
    "more_rationale_rows",
    "optimiser_rows",
    "overlap_rows",
    "planted_rows",
    "position_rows",
    "rationale_rows",
    "several_rows",
    "size_rows",
    "speed_rows",
    "student_time_rows",
    "switch_rows",
    "teacher_cost_rows",
    "time_all",
    "timing_rows",
]
