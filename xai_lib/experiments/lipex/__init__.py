"""The experiments of LIPEx: what each figure and table measures, as rows."""

from xai_lib.experiments.lipex.angles import angle_rows, expected_within
from xai_lib.experiments.lipex.distortion import distortion_rows
from xai_lib.experiments.lipex.images import (
    POOL,
    SALIENCY,
    image_variant_rows,
    measure_rows,
    picture_rows,
    saliency,
    segment_size_rows,
)
from xai_lib.experiments.lipex.matrix import (
    SIGNED,
    VARIANTS,
    class_overlap,
    distance_rows,
    histogram_rows,
    matrix_rows,
    variant_rows,
)
from xai_lib.experiments.lipex.removal import (
    KS,
    POOLED,
    baselines,
    matching_rows,
    removal_rates,
    removal_table,
)
from xai_lib.experiments.lipex.sample import RECORDED, Sample, gather, gather_deep, group_of
from xai_lib.experiments.lipex.timing import timing_rows
from xai_lib.experiments.rows import estimate_row, with_holm

__all__ = [
    "KS",
    "POOL",
    "POOLED",
    "RECORDED",
    "SALIENCY",
    "SIGNED",
    "VARIANTS",
    "Sample",
    "angle_rows",
    "baselines",
    "class_overlap",
    "distance_rows",
    "distortion_rows",
    "estimate_row",
    "expected_within",
    "gather",
    "gather_deep",
    "group_of",
    "histogram_rows",
    "image_variant_rows",
    "matching_rows",
    "matrix_rows",
    "measure_rows",
    "picture_rows",
    "removal_rates",
    "removal_table",
    "saliency",
    "segment_size_rows",
    "timing_rows",
    "variant_rows",
    "with_holm",
]
