"""One look for all figures: a style sheet, and for each method a name, a colour and a marker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class MethodStyle:
    """How a method looks in every figure of the book.

    Attributes
    ----------
    name
        As readers know it, ``"LIPEx"``.
    colour
        ``"#RRGGBB"``, at least 3 : 1 against white.
    marker, line
        Matplotlib's marker and line style, so that curves can be told apart in grey.
    """

    name: str
    colour: str
    marker: str
    line: str = "-"

    def plot(self) -> dict[str, Any]:
        """Give the keyword arguments of matplotlib's `plot`, without the label."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line}


# Colours that meet in one figure differ by at least 17 (CIE Lab, euclidean) in normal vision and
# with protanopia and deuteranopia. LIPEx is orange as in its paper.
METHODS: dict[str, MethodStyle] = {
    "lipex": MethodStyle("LIPEx", "#D55E00", "o"),
    "lime": MethodStyle("LIME", "#0072B2", "s", "--"),
    "kernel_shap": MethodStyle("Kernel SHAP", "#1717A1", "^", "--"),
    "shapley_sampling": MethodStyle("Shapley sampling", "#2D00FF", "2", "--"),
    "partition_shap": MethodStyle("Partition SHAP", "#E64C6B", "v", "--"),
    "occlusion": MethodStyle("Occlusion", "#1A1A1A", "X", "-."),
    "saliency": MethodStyle("Saliency", "#2E536B", "D", ":"),
    "input_x_gradient": MethodStyle("Input x gradient", "#17A185", "P", ":"),
    "integrated_gradients": MethodStyle("Integrated gradients", "#102370", "p", ":"),
    "guided_backprop": MethodStyle("Guided backprop", "#4747D1", "<", ":"),
    "smoothgrad": MethodStyle("SmoothGrad", "#7A14DC", "|", ":"),
    "deeplift": MethodStyle("DeepLIFT", "#6B462E", ">", ":"),
    "deep_shap": MethodStyle("Deep SHAP", "#8A4CE6", "d", "-."),
    "lrp": MethodStyle("LRP", "#E66B4C", "h", "-."),
    "pflex": MethodStyle("PFLex", "#532E6B", "*"),
    "ldav": MethodStyle("LDAV", "#4C6BE6", "8"),
    "mase": MethodStyle("MASE", "#28A0BD", "H"),
    "mase_sparse": MethodStyle("MASE, sparse", "#703610", "x"),
    "l2e": MethodStyle("L2E", "#A11717", "."),
    "random": MethodStyle("Random", "#808080", "+", ":"),
}

# Methods for pictures alone; they meet LIPEx, LIME and the two gradient methods above.
_PIXEL_METHODS: dict[str, MethodStyle] = {
    "xrai": MethodStyle("XRAI", "#A01400", "*"),
    "guided_ig": MethodStyle("Guided IG", "#28A0B4", "v", ":"),
    "blur_ig": MethodStyle("Blur IG", "#7878F0", "<", ":"),
    "vanilla_gradient": MethodStyle("Vanilla gradient", "#503C50", "D", ":"),
    "grad_cam": MethodStyle("Grad-CAM", "#788C64", "P", "-."),
    "segment_size": MethodStyle("Segment size", "#14003C", "x", "--"),
}
# The same methods on pixels and on words look the same.
IMAGE_METHODS: dict[str, MethodStyle] = _PIXEL_METHODS | {
    "pixel_smoothgrad": METHODS["smoothgrad"],
    "pixel_integrated_gradients": METHODS["integrated_gradients"],
}

# Series that are drawn beside methods.
SERIES: dict[str, MethodStyle] = {
    "model": MethodStyle("Model", "#1A1A1A", "s", "--"),
    "lipex_vs_lime": MethodStyle("LIPEx with LIME", "#707070", "+", ":"),
    "important": MethodStyle("Words important to LIME", "#1A1A1A", "o"),
    "other": MethodStyle("Other words", "#8A8A8A", "v", ":"),
    "constant": MethodStyle("Equal scores", "#1A1A1A", "^", "-."),
    "ldav (as printed)": MethodStyle("LDAV, as printed", "#781E00", "d", "--"),
    "mase (absolute)": MethodStyle("MASE, by size", "#0E4A59", "h", "--"),
    "mase, behind the embedding layer": MethodStyle(
        "MASE, behind the embedding layer", "#0A6E52", "v", "--"
    ),
    "mase, strong noise": MethodStyle("MASE, strong noise", "#2E8296", "p", "-."),
    "mase, strong noise in all coordinates": MethodStyle(
        "MASE, strong noise, all coordinates, by size", "#63A6B5", "8", ":"
    ),
    # Gradient times input under the name that the L2E paper has for it.
    "gradient": MethodStyle("Gradient", "#17A185", "P", ":"),
}

# Series that are no method.
_OTHER_NAMES = {
    "accuracy": "Accuracy",
    "overlap": "LIPEx's features among LIME's",
    "lipex_tv": "LIPEx, total variation",
    "model_tv": "Model, total variation",
    "positions": "with positions",
    "no positions": "without positions",
    "several": "one student for all",
    "single": "a student each",
    "other texts": "other texts",
    "some documents": "student of some documents",
    "all documents": "student of all documents",
}


def method_style(method: str) -> MethodStyle:
    """Give the look of a method.

    Parameters
    ----------
    method
        A name of the library, such as ``"lipex"``, or a series drawn beside methods.

    Returns
    -------
    MethodStyle

    Raises
    ------
    ValueError
        If the method has none; the message lists those that have.
    """
    styles = METHODS | IMAGE_METHODS | SERIES
    if method not in styles:
        raise ValueError(f"no style for method {method!r}; methods: {', '.join(styles)}")
    return styles[method]


def method_name(method: str) -> str:
    """Name a method or series for readers.

    Parameters
    ----------
    method
        A name of the library, with anything behind a blank kept: ``"lime (1000)"``.

    Returns
    -------
    str
        ``"LIME (1000)"``; an unknown name with blanks for underscores.
    """
    if method in SERIES:
        return SERIES[method].name
    if method in _OTHER_NAMES:
        return _OTHER_NAMES[method]
    base, blank, rest = method.partition(" ")
    if base in METHODS | IMAGE_METHODS | SERIES:
        name = method_style(base).name
    else:
        name = _OTHER_NAMES.get(base, base.replace("_", " "))
    return f"{name}{blank}{rest}"


def angle_name(angle: str) -> str:
    """Write an angle for readers: ``"pi/16"`` becomes ``"π/16"``; other text stays."""
    return re.sub(r"(?<![a-z])pi(?![a-z])", "π", angle)


def use_style() -> None:
    """Set matplotlib's style for the rest of the notebook."""
    import matplotlib.pyplot as plt

    plt.style.use(_rc())


@contextmanager
def styled() -> Iterator[None]:
    """Use the style inside a ``with`` block only."""
    import matplotlib.pyplot as plt

    with plt.style.context(_rc()):
        yield


def _rc() -> dict[str, Any]:
    from matplotlib import rc_params_from_file

    source = resources.files("xai_lib.report").joinpath("book.mplstyle")
    with resources.as_file(source) as path:
        return {str(k): v for k, v in rc_params_from_file(path, False, False).items()}
