"""Metrics: one module for each family, pure functions on arrays, intervals with every mean."""

from xai_lib.metrics.agreement import cosine_agreement, rank_correlation, top_k_overlap
from xai_lib.metrics.classification import (
    expected_calibration_error,
    macro_f1,
    macro_f1_with_empty,
)
from xai_lib.metrics.cost import Timing, measure, median_with_interval, peak_memory
from xai_lib.metrics.delta_accuracy import (
    DeltaAccuracy,
    accuracy_loss,
    delta_accuracy,
    random_rankings,
)
from xai_lib.metrics.distortion import (
    Distortion,
    distort_head,
    distortion_curve,
    head_probabilities,
)
from xai_lib.metrics.erasure import ShareRemoval, remove_shares, share_counts
from xai_lib.metrics.faithfulness import Removal, prediction_change, removal_masks, remove_top
from xai_lib.metrics.fidelity import (
    clip_to_distribution,
    hellinger2,
    reprediction_match,
    total_variation,
    tv_at_input,
)
from xai_lib.metrics.intervals import (
    Estimate,
    bootstrap_interval,
    mean_with_interval,
    sd_over_rounds,
    t_interval,
    wilson_interval,
)
from xai_lib.metrics.macs import encoder_macs, layers_macs
from xai_lib.metrics.neighbour_overlap import (
    merge_labels,
    neighbour_iou,
    neighbour_ious,
    words_by_label,
)
from xai_lib.metrics.neighbours import (
    lexical_similarity,
    nearest,
    semantic_similarity,
    text_vectors,
)
from xai_lib.metrics.rationales import RationaleScore, content_words, rationale_score, stop_words
from xai_lib.metrics.selected import Selected, agreement_between, log_odds, predict_selected
from xai_lib.metrics.significance import (
    compare_pairs,
    holm,
    mcnemar,
    paired_difference,
    wilcoxon,
)
from xai_lib.metrics.stability import AngleJaccard, angle_jaccard, jaccard, top_k_jaccard
from xai_lib.metrics.switching import Switching, remove_each, switching_points

__all__ = [
    "AngleJaccard",
    "DeltaAccuracy",
    "Distortion",
    "Estimate",
    "RationaleScore",
    "Removal",
    "Selected",
    "ShareRemoval",
    "Switching",
    "Timing",
    "accuracy_loss",
    "agreement_between",
    "angle_jaccard",
    "bootstrap_interval",
    "clip_to_distribution",
    "compare_pairs",
    "content_words",
    "cosine_agreement",
    "delta_accuracy",
    "distort_head",
    "distortion_curve",
    "encoder_macs",
    "expected_calibration_error",
    "head_probabilities",
    "hellinger2",
    "holm",
    "jaccard",
    "layers_macs",
    "lexical_similarity",
    "log_odds",
    "macro_f1",
    "macro_f1_with_empty",
    "mcnemar",
    "mean_with_interval",
    "measure",
    "median_with_interval",
    "merge_labels",
    "nearest",
    "neighbour_iou",
    "neighbour_ious",
    "paired_difference",
    "peak_memory",
    "predict_selected",
    "prediction_change",
    "random_rankings",
    "rank_correlation",
    "rationale_score",
    "removal_masks",
    "remove_each",
    "remove_shares",
    "remove_top",
    "reprediction_match",
    "sd_over_rounds",
    "semantic_similarity",
    "share_counts",
    "stop_words",
    "switching_points",
    "t_interval",
    "text_vectors",
    "top_k_jaccard",
    "top_k_overlap",
    "total_variation",
    "tv_at_input",
    "wilcoxon",
    "wilson_interval",
    "words_by_label",
]
