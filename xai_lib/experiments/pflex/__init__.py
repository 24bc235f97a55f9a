"""The experiments of PFLex: what each figure measures, as rows."""

from xai_lib.experiments.pflex.agreement import SHARES, agreement_rows, overlap_rows
from xai_lib.experiments.pflex.arithmetic import arithmetic_rows
from xai_lib.experiments.pflex.cost import cost_rows, measure_cost
from xai_lib.experiments.pflex.curves import break_even_rows, teacher_size_rows
from xai_lib.experiments.pflex.distance import distance_rows, distance_values
from xai_lib.experiments.pflex.heads import VARIANTS, fit_variants, teacher_rows, variant_rows
from xai_lib.experiments.pflex.pictures import (
    head_sizes,
    heat_map_rows,
    typical_texts,
    weight_rows,
)
from xai_lib.experiments.pflex.runs import (
    baselines,
    constant_like,
    explain_runs,
    fit_heads,
    lime_on,
)
from xai_lib.experiments.pflex.sample import Part, Sample, gather
from xai_lib.experiments.pflex.stress import stress_rows, stress_values
from xai_lib.experiments.pflex.timing import time_per_text
from xai_lib.experiments.pflex.transfer import transfer_rows
from xai_lib.experiments.rows import black_box_rows, with_holm

RECORDED = (
    "black-boxes",
    "figure-1",
    "figure-2",
    "figure-5",
    "figure-4",
    "figure-3",
    "figure-6",
    "figure-7",
    "agreement",
    "figure-8",
    "arithmetic",
    "break-even",
    "teacher-size",
    "teachers",
    "transfer",
    "heads",
)

__all__ = [
    "RECORDED",
    "SHARES",
    "VARIANTS",
    "Part",
    "Sample",
    "agreement_rows",
    "arithmetic_rows",
    "baselines",
    "black_box_rows",
    "break_even_rows",
    "constant_like",
    "cost_rows",
    "distance_rows",
    "distance_values",
    "explain_runs",
    "fit_heads",
    "fit_variants",
    "gather",
    "head_sizes",
    "heat_map_rows",
    "lime_on",
    "measure_cost",
    "overlap_rows",
    "stress_rows",
    "stress_values",
    "teacher_rows",
    "teacher_size_rows",
    "time_per_text",
    "transfer_rows",
    "typical_texts",
    "variant_rows",
    "weight_rows",
    "with_holm",
]
