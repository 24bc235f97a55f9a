"""Explain many texts into a folder, and go on after an interruption where it stopped.

The folder holds ``manifest.json``, which says what was asked, and one file of JSON lines for each
chunk of texts. Chunks are cut by index, so that every run sends the same batches and the parts
come out the same whether or not a run was interrupted. Every file is written under another name,
flushed to the disk and renamed: a file that has its name is complete, even with two processes on
one folder.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from xai_lib.atomic import replace_file, sweep
from xai_lib.checks import whole
from xai_lib.corpus_manifest import claim, make_manifest, read_manifest
from xai_lib.explanation import Explanation, class_columns
from xai_lib.models.base import Classifier, check_classifier
from xai_lib.progress import reporter
from xai_lib.text import Span

if TYPE_CHECKING:
    import pandas as pd

    from xai_lib.explainers.base import Explainer

CACHED_PARTS = 4
# Probabilities that differ by less are the same answer, from another batch or device.
SAME_ANSWER = 1e-2

_LINE = re.compile(rb'\{"index": (\d+), "sha256": "([0-9a-f]{64})", "explanation": (\{.*\})\}')


def explain_corpus(
    texts: Sequence[str],
    classifier: Classifier,
    method: str | Explainer = "lipex",
    *,
    out: str | Path,
    seed: int = 0,
    chunk_size: int = 32,
    progress: bool = True,
    **settings: Any,
) -> CorpusExplanations:
    """Explain many texts into a folder.

    Started again with the same arguments it checks the parts that are there, does the missing
    and damaged ones, and returns what one uninterrupted run would have given.

    Parameters
    ----------
    texts
        n strings.
    classifier
        The black box. One with weights is told from others by them; of a function, which has
        none, the answer to one text is compared with what lies in the folder.
    method
        A name of `xai_lib.methods`, or an explainer. An explainer that was fitted is told from
        others by its settings only; give one that was fitted anew its own folder.
    out
        The folder; made if it does not exist.
    seed
        Fixes all randomness.
    chunk_size
        Number of texts that the method gets at once, and that one file holds. An interrupted run
        loses at most one chunk.
    progress
        Whether to show on the standard error how far it is and how long it will take.
    **settings
        Settings of the method, if `method` is a name.

    Returns
    -------
    CorpusExplanations
        The n explanations, read from the folder when they are asked for.

    Raises
    ------
    ValueError
        If the folder holds something else than what is asked for, `texts` is one string or holds
        something else than strings, `out` is a file, `chunk_size` is below 1, the seed below 0, or
        for what the method raises.
    """
    from xai_lib.explainers import as_explainer

    if isinstance(texts, str):
        raise ValueError("explain_corpus takes a list of texts; put the one text in a list.")
    check_classifier(classifier)
    texts = list(texts)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"Text {index} must be a string, got {type(text).__name__}.")
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, int) or chunk_size < 1:
        raise ValueError(f"chunk_size must be a whole number from 1 on, got {chunk_size!r}.")
    seed = whole("seed", seed)
    explainer = as_explainer(method, settings)
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"out must be a folder, and {folder} is a file.")
    folder.mkdir(parents=True, exist_ok=True)
    manifest = make_manifest(texts, classifier, explainer, seed, chunk_size)
    claim(folder, manifest)
    sweep(folder)
    corpus = CorpusExplanations(folder)
    missing = [part for part in range(corpus.n_parts) if not corpus.part_is_valid(part)]
    if "identity" not in manifest:
        _check_answers(corpus, sorted({*range(corpus.n_parts)} - {*missing}), classifier)
    todo = sum(len(corpus.indices(part)) for part in missing)
    with reporter(explainer.name, len(texts), todo, progress) as advance:
        for part in missing:
            indices = corpus.indices(part)
            # Another process may have written it since; what it wrote is the same.
            if not corpus.part_is_valid(part):
                chunk = [texts[i] for i in indices]
                explanations = explainer.explain(chunk, classifier, seed)
                if [one.text for one in explanations] != chunk:
                    raise ValueError(
                        f"The method {explainer.name!r} did not return one explanation for each "
                        f"of the texts {indices.start} to {indices.stop - 1}, in their order."
                    )
                lines = [_line(i, one) for i, one in zip(indices, explanations, strict=True)]
                replace_file(corpus.part_path(part), b"".join(lines))
            advance(len(indices))
    return CorpusExplanations(folder)


class CorpusExplanations(Sequence[Explanation]):
    """The explanations in a folder that `explain_corpus` wrote.

    Explanations are read when they are asked for, a part at a time, and the last few parts are
    kept; walking through them in order reads each file once.

    Parameters
    ----------
    folder
        The folder.

    Raises
    ------
    ValueError
        If the folder has no manifest that this library can read. Asking for an explanation
        raises it if the part is missing or damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        self._read = lru_cache(maxsize=CACHED_PARTS)(self._read_part)

    @property
    def n_parts(self) -> int:
        """Number of parts that the folder has when it is complete."""
        return -(-len(self) // int(self.manifest["chunk_size"]))

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers of the parts that are not there or damaged; reads every file."""
        return tuple(part for part in range(self.n_parts) if not self.part_is_valid(part))

    def part_path(self, part: int) -> Path:
        """Return the path of a part."""
        return self.folder / f"part-{part:05d}.jsonl"

    def indices(self, part: int) -> range:
        """Return the indices of the texts of a part."""
        size = int(self.manifest["chunk_size"])
        return range(part * size, min((part + 1) * size, len(self)))

    def part_is_valid(self, part: int) -> bool:
        """Whether the file of a part is there, whole, and holds what was written."""
        return self._documents(part) is not None

    def to_frame(self) -> pd.DataFrame:
        """Return the weights of all explanations as one table.

        Returns
        -------
        pandas.DataFrame
            One row for each feature of each text: ``text`` (index of the text), ``predicted``
            (name of the class), then the columns of `Explanation.to_frame`. Texts without words
            have no row.
        """
        import pandas as pd

        classes = self.manifest["classes"]
        sizes: list[int] = []
        predicted: list[str] = []
        words: list[str] = []
        first: list[Span] = []
        weights = [np.empty((0, len(classes)))]
        for one in self:
            sizes.append(one.n_features)
            predicted.append(one.classes[one.predicted])
            words.extend(one.words)
            first.extend(pairs[0] for pairs in one.span_groups())
            weights.append(one.weights.T)
        table = pd.DataFrame(
            {
                "text": np.repeat(np.arange(len(sizes)), sizes),
                "predicted": np.repeat(np.array(predicted, dtype=object), sizes),
                "word": pd.Series(words, dtype=object),
                "start": np.array([start for start, _ in first], dtype=np.int64),
                "end": np.array([end for _, end in first], dtype=np.int64),
            }
        )
        columns = pd.DataFrame(np.concatenate(weights), columns=class_columns(classes))
        return pd.concat([table, columns], axis=1)

    def __len__(self) -> int:
        return int(self.manifest["n"])

    @overload
    def __getitem__(self, index: int) -> Explanation: ...

    @overload
    def __getitem__(self, index: slice) -> list[Explanation]: ...

    def __getitem__(self, index: int | slice) -> Explanation | list[Explanation]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = range(len(self))[index]  # negative indices, and the usual IndexError
        part, offset = divmod(position, int(self.manifest["chunk_size"]))
        return self._read(part)[offset]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.folder,)

    def __repr__(self) -> str:
        return f"<{len(self)} explanations by {self.manifest['method']} in {self.folder}>"

    def _read_part(self, part: int) -> list[Explanation]:
        documents = self._documents(part)
        if documents is None:
            # Not an IndexError or OSError: a loop over the sequence must not end here quietly.
            raise ValueError(
                f"{self.part_path(part)} is missing or damaged. Call explain_corpus with the "
                "same arguments again; it does the missing parts only."
            )
        return [Explanation.from_json(document) for document in documents]

    def _documents(self, part: int) -> list[bytes] | None:
        """Return the JSON of each explanation of a part, or None if anything is wrong with it."""
        try:
            content = self.part_path(part).read_bytes()
        except FileNotFoundError:
            return None
        indices = self.indices(part)
        lines = content.split(b"\n")
        if lines.pop() != b"" or len(lines) != len(indices):
            return None
        documents = []
        for index, line in zip(indices, lines, strict=True):
            match = _LINE.fullmatch(line)
            if match is None or int(match[1]) != index:
                return None
            if hashlib.sha256(match[3]).hexdigest().encode() != match[2]:
                return None
            documents.append(match[3])
        return documents


def _check_answers(corpus: CorpusExplanations, parts: list[int], classifier: Classifier) -> None:
    """Raise a ValueError if the black box answers otherwise than when the folder was written."""
    if not parts:
        return
    stored = corpus[corpus.indices(parts[0]).start]
    answer = classifier.predict_proba([stored.text])[0]
    if np.allclose(answer, stored.probabilities, rtol=0, atol=SAME_ANSWER):
        return
    raise ValueError(
        f"{corpus.folder} holds explanations of another black box by the name "
        f"{classifier.name!r}: to {stored.text!r:.60} it answered "
        f"{np.round(stored.probabilities, 3).tolist()}, this one {np.round(answer, 3).tolist()}. "
        "Choose another folder, or delete this one."
    )


# -- files --------------------------------------------------------------------------------------


def _line(index: int, explanation: Explanation) -> bytes:
    document = explanation.to_json().encode()
    digest = hashlib.sha256(document).hexdigest()
    head = f'{{"index": {index}, "sha256": "{digest}", "explanation": '
    return head.encode() + document + b"}\n"
