"""Explain many texts into a folder, and go on after an interruption where it stopped.

The folder holds ``manifest.json``, which says what was asked, and one file of JSON lines for each
chunk of texts. Chunks are cut by index, so that every run sends the same batches and the parts
come out the same whether or not a run was interrupted. Every file is written under another name,
flushed to the disk and renamed: a file that has its name is complete, even with two processes on
one folder.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from xai_lib.atomic import replace_file, sweep
from xai_lib.explanation import Explanation, class_columns
from xai_lib.lossless import decode, encode, plain
from xai_lib.models.base import Classifier, check_classifier
from xai_lib.progress import reporter
from xai_lib.text import Span

if TYPE_CHECKING:
    import pandas as pd

    from xai_lib.explainers.base import Explainer

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
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
        something else than strings, `chunk_size` is below 1, or for what the method raises.
    """
    from xai_lib.explainers import make_explainer

    if isinstance(texts, str):
        raise ValueError("explain_corpus takes a list of texts; put the one text in a list.")
    check_classifier(classifier)
    texts = list(texts)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"Text {index} must be a string, got {type(text).__name__}.")
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, int) or chunk_size < 1:
        raise ValueError(f"chunk_size must be a whole number from 1 on, got {chunk_size!r}.")
    if isinstance(method, str):
        explainer = make_explainer(method, **settings)
    elif settings:
        raise ValueError(
            f"Settings {', '.join(settings)} go into the explainer, or name the method instead."
        )
    else:
        explainer = method

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = _manifest(texts, classifier, explainer, seed, chunk_size)
    _claim(folder, manifest)
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
        self.manifest = _read_manifest(self.folder)
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


# -- manifest -----------------------------------------------------------------------------------


def _manifest(
    texts: list[str], classifier: Classifier, explainer: Explainer, seed: int, chunk_size: int
) -> dict[str, Any]:
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little") + raw)
    identity = _identity(classifier)
    return {
        "format_version": FORMAT_VERSION,
        "method": explainer.name,
        "settings": plain(explainer.settings(), "settings"),
        "seed": int(seed),
        "classifier": classifier.name,
        "classes": list(classifier.classes),
        "precision": classifier.precision,
        "n": len(texts),
        "texts_sha256": digest.hexdigest(),
        "chunk_size": chunk_size,
        **({} if identity is None else {"identity": identity}),
    }


def _identity(classifier: Classifier) -> str | None:
    """Return what tells a black box from others by that name, if anything does."""
    try:
        found = getattr(classifier, "identity", None) or classifier.fingerprint
    except ValueError:
        return None
    return str(found)


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


def _claim(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, or check that the one that is there says the same."""
    path = folder / MANIFEST
    orphans = any(folder.glob("part-*.jsonl"))  # before: another process writes parts afterwards
    if not path.exists():
        if orphans:
            raise ValueError(f"{folder} holds parts but no {MANIFEST}; choose another folder.")
        content = json.dumps(encode(manifest), indent=2, allow_nan=False).encode() + b"\n"
        replace_file(path, content, exclusive=True)
    there, here = (_flat(one) for one in (_read_manifest(folder), manifest))
    differing = [
        f"{key} is {_short(there, key)} there and {_short(here, key)} here"
        for key in {**here, **there}
        if _as_json(there, key) != _as_json(here, key)
        # Folders of earlier versions do not say.
        and not (key == "identity" and key not in there)
    ]
    if differing:
        raise ValueError(
            f"{folder} holds explanations of something else: {'; '.join(differing)}. Choose "
            "another folder, delete this one, or ask for what it holds."
        )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{folder} holds no explanations: there is no {MANIFEST}.") from None
    except ValueError:
        raise ValueError(f"{path} is damaged: it is not JSON. Choose another folder.") from None
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"{path} is not a manifest of format version {FORMAT_VERSION}.")
    lacking = {"n", "chunk_size", "method", "settings", "classes"} - set(manifest)
    if lacking:
        raise ValueError(f"{path} is damaged: it lacks {', '.join(sorted(lacking))}.")
    decoded: dict[str, Any] = decode(manifest)
    return decoded


def _flat(manifest: dict[str, Any]) -> dict[str, Any]:
    settings = {f"settings.{key}": value for key, value in manifest["settings"].items()}
    return {key: value for key, value in manifest.items() if key != "settings"} | settings


def _as_json(manifest: dict[str, Any], key: str) -> str:
    """Write a value so that NaN equals NaN, and a missing key nothing else."""
    return json.dumps(encode(manifest[key])) if key in manifest else ""


def _short(manifest: dict[str, Any], key: str) -> str:
    written = repr(manifest[key]) if key in manifest else "nothing"
    return written if len(written) <= 80 else written[:77] + "..."


# -- files --------------------------------------------------------------------------------------


def _line(index: int, explanation: Explanation) -> bytes:
    document = explanation.to_json().encode()
    digest = hashlib.sha256(document).hexdigest()
    head = f'{{"index": {index}, "sha256": "{digest}", "explanation": '
    return head.encode() + document + b"}\n"
