"""Which documents are alike: by the n-grams they share, or by a pretrained network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from xai_lib.text import find_words, without_surrogates

LONGEST = 4
NONE = -1
_BLOCK = 256


def lexical_similarity(
    texts: Sequence[str], rows: Sequence[int] | np.ndarray | None = None, longest: int = LONGEST
) -> np.ndarray:
    """Compute the mean Jaccard index of the sets of n-grams of texts.

    Parameters
    ----------
    texts
        N texts. Their words are those of `xai_lib.text.find_words`, in lower case.
    rows
        Numbers of the texts to compare with all; default every text.
    longest
        n-grams of 1 to so many words are compared.

    Returns
    -------
    numpy.ndarray
        (m, N) float64, from 0 to 1; a row for each of `rows`. The mean is over the n for which
        both texts are long enough; a text without words is like no other.

    Raises
    ------
    ValueError
        If `longest` is below 1.

    References
    ----------
    Situ et al., L2E (ACL-IJCNLP 2021), Appendix C: "sum this value up to 4-grams". The released
    code takes the mean, over fewer n where a text has fewer than four words, and so does this;
    it compares words without digits.
    """
    if longest < 1:
        raise ValueError(f"longest must be at least 1: {longest}")
    words = [[text[a:b].lower() for a, b in find_words(text)] for text in texts]
    wanted = _rows(rows, len(texts))
    total = np.zeros((len(wanted), len(texts)))
    defined = np.zeros(total.shape, dtype=np.int8)
    for n in range(1, longest + 1):
        sets = _gram_sets(words, n)
        sizes = np.diff(sets.indptr)
        columns = sets.T.tocsr()
        for start in range(0, len(wanted), _BLOCK):
            block = wanted[start : start + _BLOCK]
            shared = (sets[block] @ columns).toarray()
            union = sizes[block, None] + sizes - shared
            both = (sizes[block, None] > 0) & (sizes > 0)
            place = slice(start, start + len(block))
            # Texts that share nothing have a union too, unless one of them is empty.
            total[place] += np.where(both, shared / np.maximum(union, 1), 0.0)
            defined[place] += both
    return total / np.maximum(defined, 1)


def semantic_similarity(
    vectors: np.ndarray, rows: Sequence[int] | np.ndarray | None = None
) -> np.ndarray:
    """Compute the cosine of the vectors of texts.

    Parameters
    ----------
    vectors
        (N, d), such as from `text_vectors`.
    rows
        Numbers of the texts to compare with all; default every text.

    Returns
    -------
    numpy.ndarray
        (m, N) float64, from -1 to 1; 0 with a vector of zeros.

    Raises
    ------
    ValueError
        If the vectors are no matrix of finite numbers.
    """
    x = np.asarray(vectors, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"vectors must be finite and of shape (N, d): {x.shape}")
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(length > 0, length, 1.0)
    return np.clip(unit[_rows(rows, len(x))] @ unit.T, -1.0, 1.0)


def text_vectors(
    texts: Sequence[str],
    folder: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> np.ndarray:
    """Sum the last hidden states of a pretrained encoder over the tokens of each text.

    Parameters
    ----------
    texts
        N texts; what is longer than the encoder reads is cut.
    folder
        A Hugging Face folder with an encoder and its tokenizer; default pretrained MiniLM, in the
        place of BERT base.
    device
        Where it runs; by default on a GPU if there is one.
    precision
        ``"float32"``, ``"bfloat16"``, or ``"auto"``: bfloat16 where the device multiplies it in
        hardware. Sums are in float32.

    Returns
    -------
    numpy.ndarray
        (N, d) float32. The tokens at both ends are in the sum, as in the released code.

    References
    ----------
    Situ et al., L2E (ACL-IJCNLP 2021), Appendix C. The text says "summing along hidden
    dimensions"; the code sums over the tokens, without which there would be no vector of one
    length to compare.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    from xai_lib.models.batching import batches_of
    from xai_lib.models.minilm import minilm_folder
    from xai_lib.models.precision import check_precision, fast_bfloat16, pick_device

    check_precision(precision)
    device = pick_device(device)
    fast = precision == "bfloat16" or (precision == "auto" and fast_bfloat16(device))
    source = minilm_folder() if folder is None else Path(folder)
    tokenizer = AutoTokenizer.from_pretrained(source)
    dtype = torch.bfloat16 if fast else torch.float32
    model = AutoModel.from_pretrained(source, dtype=dtype).to(device).eval()
    limit = int(model.config.max_position_embeddings)
    read = [without_surrogates(text) for text in texts]
    ids = tokenizer(read, truncation=True, max_length=limit)["input_ids"] if read else []
    vectors = np.zeros((len(ids), int(model.config.hidden_size)), dtype=np.float32)
    lengths = np.array([len(one) for one in ids], dtype=np.int64)
    with torch.inference_mode():
        # Texts of one length form a batch: nothing is padded, so no text depends on another.
        for _, batch in batches_of(lengths, "cpu", limit):
            tokens = torch.tensor([ids[i] for i in batch], device=device)
            states = model(input_ids=tokens).last_hidden_state
            vectors[batch] = states.float().sum(dim=1).cpu().numpy()
    return vectors


def nearest(
    similarity: np.ndarray,
    predicted: Sequence[int] | np.ndarray,
    k: int = 3,
    rows: Sequence[int] | np.ndarray | None = None,
    candidates: Sequence[bool] | np.ndarray | None = None,
) -> np.ndarray:
    """Find the nearest documents that the black box gives the same label.

    Parameters
    ----------
    similarity
        (m, N), a row for each document of `rows`.
    predicted
        (N,) predicted labels.
    k
        Number of neighbours.
    rows
        (m,) numbers of the documents; default all N.
    candidates
        (N,) booleans: which documents may be neighbours; default all.

    Returns
    -------
    numpy.ndarray
        (m, k) int, most alike first, of equal ones the first; never the document itself; -1
        where there are no more. A second copy of the same text is a neighbour.

    Raises
    ------
    ValueError
        If shapes disagree or k is below 1.

    References
    ----------
    Situ et al., L2E (ACL-IJCNLP 2021), section 4.5: the top 3. That only documents with the same
    predicted label are compared is in the released code.
    """
    similar, labels = np.asarray(similarity, dtype=np.float64), np.asarray(predicted)
    wanted = _rows(rows, len(labels))
    if similar.shape != (len(wanted), len(labels)):
        raise ValueError(
            f"similarity must have shape {(len(wanted), len(labels))}, a row for each of `rows` "
            f"and a column for each label: {similar.shape}"
        )
    if k < 1:
        raise ValueError(f"k must be at least 1: {k}")
    allowed = np.ones(len(labels), dtype=bool) if candidates is None else np.asarray(candidates)
    if allowed.shape != labels.shape or allowed.dtype != bool:
        raise ValueError(f"candidates must be {len(labels)} booleans: shape {allowed.shape}")
    found = np.full((len(wanted), k), NONE, dtype=np.int64)
    for place, row in enumerate(wanted):
        valid = allowed & (labels == labels[row])
        valid[row] = False
        others = np.flatnonzero(valid)
        order = others[np.argsort(-similar[place, others], kind="stable")[:k]]
        found[place, : len(order)] = order
    return found


def _rows(rows: Sequence[int] | np.ndarray | None, n: int) -> np.ndarray:
    """Return the row numbers asked for, by default all."""
    if rows is None:
        return np.arange(n)
    wanted = np.asarray(rows, dtype=np.int64).reshape(-1)
    if len(wanted) and (wanted.min() < 0 or wanted.max() >= n):
        raise ValueError(f"rows must be numbers from 0 to {n - 1}: {wanted}")
    return wanted


def _gram_sets(words: Sequence[Sequence[str]], n: int) -> sparse.csr_array:
    """Return which of all n-grams each text has, (N, V), as ones in a sparse matrix."""
    number: dict[tuple[str, ...], int] = {}
    starts, columns = [0], []
    for text in words:
        grams = set(zip(*(text[i:] for i in range(n)), strict=False))
        columns += [number.setdefault(gram, len(number)) for gram in grams]
        starts.append(len(columns))
    ones = np.ones(len(columns), dtype=np.int32)
    shape = (len(words), max(1, len(number)))
    return sparse.csr_array((ones, np.array(columns, dtype=np.int32), np.array(starts)), shape)
