"""The experiments of MASE: what each item measures, as rows."""

from xai_lib.experiments.mase.cost import cost_rows
from xai_lib.experiments.mase.layer import BEHIND, layer_rows
from xai_lib.experiments.mase.methods import METHODS, explain, explain_sample, make_method
from xai_lib.experiments.mase.planted import planted_rows
from xai_lib.experiments.mase.removal import ABSOLUTE, KS, POOLED, delta_rows
from xai_lib.experiments.mase.sample import Round, Sample, gather
from xai_lib.experiments.mase.sigma import limit_rows, sigma_rows
from xai_lib.experiments.mase.spread import convergence_rows
from xai_lib.experiments.mase.twice import SHIFT
from xai_lib.experiments.mase.variants import VARIANTS, variant_rows
from xai_lib.experiments.rows import black_box_rows, with_holm

RECORDED = (
    "black-boxes",
    "delta-accuracy",
    "convergence",
    "sigma",
    "gradient-limit",
    "layer",
    "variants",
    "planted",
    "cost",
)

__all__ = [
    "ABSOLUTE",
    "BEHIND",
    "KS",
    "METHODS",
    "POOLED",
    "RECORDED",
    "SHIFT",
    "VARIANTS",
    "Round",
    "Sample",
    "black_box_rows",
    "convergence_rows",
    "cost_rows",
    "delta_rows",
    "explain",
    "explain_sample",
    "gather",
    "layer_rows",
    "limit_rows",
    "make_method",
    "planted_rows",
    "sigma_rows",
    "variant_rows",
    "with_holm",
]
