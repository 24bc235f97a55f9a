"""Which settings the paper's figures and tables are about."""

from __future__ import annotations

from xai_lib.experiments.study import Setting

BILSTMS = ("ag_news_bilstm", "dbpedia_bilstm", "imdb_bilstm", "kaggle_bilstm")
TRANSFORMERS = (
    "imdb_transformer",
    "kaggle_transformer",
    "ag_news_transformer",
    "dbpedia_transformer",
)
ENCODERS = ("imdb_roberta", "ag_news_roberta")
PAIRS = "snli_attention"
# Beside Tables 2 and 3. The pretrained encoders have no network without class vectors here.
OTHER_BOXES = (PAIRS,)
# Figures 2 to 5 and Tables 4 and 5.
FOUR = ("ag_news_bilstm", "dbpedia_bilstm", "imdb_transformer", "kaggle_transformer")
# Table 8, whose data is not named; the first is the nearest in its number.
ABLATED = ("dbpedia_bilstm", "imdb_transformer")
# Where other readings are tried.
VARIED = (*ABLATED, "kaggle_transformer")
# Appendix E, whose network is not named.
IMDB = ("imdb_bilstm", "imdb_transformer")
# Setting -> items without and with class vectors.
CLOUDS = {
    "ag_news_bilstm": ("figure-9", "figure-11"),
    "imdb_bilstm": ("figure-10", "figure-12"),
}
# The name in Table 1 of a data set, by the setting that stands for it.
DATA = {
    "imdb_transformer": "IMDB",
    "kaggle_transformer": "Kaggle-CF",
    "dbpedia_bilstm": "DBpedia",
    "ag_news_bilstm": "AG News",
}
PLANTED = ("planted_bilstm", "planted_transformer")
EXPLAINED = (*FOUR, "imdb_bilstm", PAIRS, *ENCODERS, *PLANTED)

RECORDED = (
    *(f"table-{i}" for i in range(1, 12)),
    *(f"figure-{i}" for i in range(2, 13)),
    "black-boxes",
    "calibration",
    "sensitivity",
    "score-distance",
    "variants",
    "concepts",
    "plain-network",
    "helped",
    "redrawn",
    "planted",
)


def is_sentiment(setting: Setting) -> bool:
    """Say whether the classes are negative and positive, so that a lexicon can be asked about."""
    return set(setting.classifier.classes) == {"negative", "positive"}
