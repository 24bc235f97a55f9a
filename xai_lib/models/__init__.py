"""Black boxes: any Hugging Face classifier, any function, and a zoo of named ones."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from xai_lib.models.base import Classifier
from xai_lib.models.function import FunctionClassifier, as_classifier
from xai_lib.models.image import ImageClassifier, as_image_classifier

__all__ = [
    "Classifier",
    "FunctionClassifier",
    "ImageClassifier",
    "as_classifier",
    "as_image_classifier",
    "load_classifier",
]


def load_classifier(
    name_or_path: str | Path,
    device: str = "auto",
    precision: str = "auto",
    max_length: int | None = None,
    data_dir: str | Path | None = None,
) -> Classifier:
    """Load a black box of texts, or of pictures, by name, from a folder, or from the hub.

    Parameters
    ----------
    name_or_path
        A name of the zoo (trained or fetched on first use, then cached; those of networks for
        pictures are in `xai_lib.models.image_zoo.IMAGE_ZOO`), a local folder (Hugging Face's, or
        of a `xai_lib.models.scratch.ScratchClassifier`), or a hub id.
    device
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"``.
    precision
        ``"auto"`` (bfloat16 where the device is fast at it and predictions agree), ``"float32"``
        or ``"bfloat16"``.
    max_length
        Budget of one text in tokens, or in words for a classifier trained from scratch; default
        what the model was trained with.
    data_dir
        Folder of data sets, for training a named black box.

    Returns
    -------
    Classifier

    Raises
    ------
    ValueError
        If nothing of that name can be loaded; lists the names of the zoo.
    """
    from xai_lib.models.huggingface import load_huggingface, looks_like_path
    from xai_lib.models.image_zoo import IMAGE_ZOO, load_named_image
    from xai_lib.models.scratch import is_scratch_folder, load_scratch
    from xai_lib.models.zoo import load_named
    from xai_lib.models.zoo_entries import ZOO

    name = str(name_or_path)
    if name.startswith("~/"):  # Bash leaves it in --model=~/folder.
        name = str(Path(name).expanduser())
    if name in ZOO:
        return load_named(name, device, precision, max_length, data_dir)
    if name in IMAGE_ZOO:
        return load_named_image(name, device, precision, data_dir)
    if is_scratch_folder(name):
        return load_scratch(name, None, device, precision, max_length)
    near = get_close_matches(name, [*ZOO, *IMAGE_ZOO], n=1, cutoff=0.8)
    if near and not looks_like_path(name):  # Before the hub is asked, which takes its time.
        raise ValueError(
            f"There is no black box {name!r}; did you mean {near[0]!r}? Names of the zoo are: "
            f"{', '.join([*ZOO, *IMAGE_ZOO])}."
        )
    try:
        return load_huggingface(name, None, device, precision, max_length)
    except ValueError as error:
        known = ", ".join([*ZOO, *IMAGE_ZOO])
        raise ValueError(f"{error}\nNames of the zoo are: {known}.") from error
