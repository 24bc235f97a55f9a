"""All methods by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from xai_lib.explainers.base import Explainer

# Name of the method -> module and class; a module is imported when its method is first used, so
# that captum and shap are needed only by those who use them.
_METHODS = {
    "lime": ("lime", "Lime"),
    "lipex": ("lipex", "Lipex"),
    "kernel_shap": ("kernel_shap", "KernelShap"),
    "shapley_sampling": ("shapley_sampling", "ShapleySampling"),
    "partition_shap": ("partition_shap", "PartitionShap"),
    "occlusion": ("occlusion", "Occlusion"),
    "saliency": ("gradients", "Saliency"),
    "guided_backprop": ("gradients", "GuidedBackprop"),
    "input_x_gradient": ("gradients", "InputXGradient"),
    "integrated_gradients": ("gradients", "IntegratedGradients"),
    "smoothgrad": ("smoothgrad", "SmoothGrad"),
    "deeplift": ("gradients", "DeepLift"),
    "deep_shap": ("deep_shap", "DeepShap"),
    "lrp": ("lrp", "Lrp"),
    "mase": ("mase", "Mase"),
    "mase_sparse": ("mase", "MaseSparse"),
    "pflex": ("pflex", "PFLex"),
    "ldav": ("ldav", "Ldav"),
    "l2e": ("l2e", "L2E"),
    "xrai": ("xrai", "Xrai"),
    "guided_ig": ("pixel_paths", "GuidedIG"),
    "blur_ig": ("pixel_paths", "BlurIG"),
    "vanilla_gradient": ("pixel_gradients", "VanillaGradient"),
    "pixel_smoothgrad": ("pixel_gradients", "PixelSmoothGrad"),
    "pixel_integrated_gradients": ("pixel_gradients", "PixelIntegratedGradients"),
    "grad_cam": ("pixel_gradients", "GradCam"),
    "segment_size": ("segment_size", "SegmentSize"),
    "random": ("random", "Random"),
}


def methods(modality: str | None = None) -> tuple[str, ...]:
    """Return the names of the methods.

    Parameters
    ----------
    modality
        ``"text"`` or ``"image"`` for those that explain such inputs; default all.

    Returns
    -------
    tuple of str
    """
    if modality not in (None, "text", "image"):
        raise ValueError(f"Unknown modality {modality!r}. Valid: text, image.")
    if modality is None:
        return tuple(_METHODS)
    return tuple(name for name in _METHODS if modality in explainer_class(name).modalities)


def explainer_class(method: str) -> type[Explainer]:
    """Return the class of a method.

    Parameters
    ----------
    method
        A name of `methods`.

    Returns
    -------
    type
        A subclass of `Explainer`; its fields are the settings of the method.

    Raises
    ------
    ValueError
        If the method is unknown; lists the valid ones.
    """
    if method not in _METHODS:
        raise ValueError(f"Unknown method {method!r}. Valid methods are: {', '.join(_METHODS)}.")
    module, name = _METHODS[method]
    kind: type[Explainer] = getattr(import_module(f"xai_lib.explainers.{module}"), name)
    return kind


def make_explainer(method: str, **settings: Any) -> Explainer:
    """Make an explainer from the name of its method and its settings.

    Parameters
    ----------
    method
        A name of `methods`.
    **settings
        Fields of the explainer.

    Returns
    -------
    Explainer

    Raises
    ------
    ValueError
        If the method or a setting is unknown; lists what is valid.
    """
    kind = explainer_class(method)
    valid = [field.name for field in dataclasses.fields(kind) if field.init]
    unknown = sorted(set(settings) - set(valid))
    if unknown:
        raise ValueError(
            f"The method {method!r} has no setting {', '.join(map(repr, unknown))}. "
            f"Valid settings are: {', '.join(valid)}."
        )
    return kind(**settings)


def as_explainer(method: str | Explainer, settings: Mapping[str, Any]) -> Explainer:
    """Return the explainer that a call names, or that it gives.

    Parameters
    ----------
    method
        A name of `methods`, or an explainer.
    settings
        Settings of the method, for a name only.

    Returns
    -------
    Explainer

    Raises
    ------
    ValueError
        If it is neither, there are settings for an explainer, or see `make_explainer`.
    """
    if isinstance(method, str):
        return make_explainer(method, **settings)
    if isinstance(method, type) or not hasattr(method, "explain"):
        raise ValueError(
            f"A method is an explainer, or the name of one, got {method!r:.60}. "
            f"Valid names are: {', '.join(_METHODS)}."
        )
    if settings:
        raise ValueError(
            f"Settings {', '.join(settings)} go into the explainer, or name the method instead."
        )
    return method
