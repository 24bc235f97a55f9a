"""The experiments of LDAV: what each item measures, as rows."""

from xai_lib.experiments.ldav.ablation import (
    ablation_rows,
    distance_rows,
    helped_rows,
    plain_values,
    variant_rows,
)
from xai_lib.experiments.ldav.accuracy import (
    TRAINED,
    accuracy_rows,
    answers,
    calibration_rows,
    data_rows,
    euclidean_rows,
)
from xai_lib.experiments.ldav.checks import cost_rows, planted_rows, redrawn_rows
from xai_lib.experiments.ldav.grid import grid_rows
from xai_lib.experiments.ldav.layout import (
    ABLATED,
    BILSTMS,
    CLOUDS,
    DATA,
    ENCODERS,
    EXPLAINED,
    FOUR,
    IMDB,
    OTHER_BOXES,
    PAIRS,
    RECORDED,
    TRANSFORMERS,
    VARIED,
    is_sentiment,
)
from xai_lib.experiments.ldav.networks import TRAININGS, network
from xai_lib.experiments.ldav.removal import (
    curve_rows,
    main_values,
    measure_rows,
    pretrained_values,
    removal_values,
)
from xai_lib.experiments.ldav.sample import Sample, gather
from xai_lib.experiments.ldav.vectors import (
    cloud_rows,
    correlation_rows,
    lexicon_rows,
    phrase_rows,
)
from xai_lib.experiments.rows import with_holm

__all__ = [
    "ABLATED",
    "BILSTMS",
    "CLOUDS",
    "DATA",
    "ENCODERS",
    "EXPLAINED",
    "FOUR",
    "IMDB",
    "OTHER_BOXES",
    "PAIRS",
    "RECORDED",
    "TRAINED",
    "TRAININGS",
    "TRANSFORMERS",
    "VARIED",
    "Sample",
    "ablation_rows",
    "accuracy_rows",
    "answers",
    "calibration_rows",
    "cloud_rows",
    "correlation_rows",
    "cost_rows",
    "curve_rows",
    "data_rows",
    "distance_rows",
    "euclidean_rows",
    "gather",
    "grid_rows",
    "helped_rows",
    "is_sentiment",
    "lexicon_rows",
    "main_values",
    "measure_rows",
    "network",
    "phrase_rows",
    "plain_values",
    "planted_rows",
    "pretrained_values",
    "redrawn_rows",
    "removal_values",
    "variant_rows",
    "with_holm",
]
