"""Where gradient flow ends when it trains a linear tensor network, or a two-sided one, and why.

Three independent answers, held against each other: the flow of the parameters, the flow of the
dual in n dimensions, and the limit problem that the theory names.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from implicitbias import datasets, estimators, features, interop, plotting
    from implicitbias._errors import (
        CertificateWarning,
        FolderInUseError,
        ImplicitBiasError,
        InfeasibleProblemError,
        InvalidInputError,
        NoPredictionError,
        Outcome,
        PlanChangedError,
    )
    from implicitbias._progress import ProgressBar
    from implicitbias._verdicts import Verdict
    from implicitbias.alignment import Theorem1, theorem_1
    from implicitbias.comparison import Comparison, compare, verify
    from implicitbias.coordinates import lemma4, two_sided
    from implicitbias.descent import DualRecorder, EffectiveStart, Run, gradient_descent
    from implicitbias.explorer import Explorer, explore
    from implicitbias.flow import ActivationFlow, Flow, FlowState, gradient_flow
    from implicitbias.initialization import Initialization
    from implicitbias.interop import from_torch, to_torch
    from implicitbias.limits import (
        Certificate,
        Limit,
        tensor_singular_error,
        tensor_singular_residual,
        tensor_singular_vectors,
    )
    from implicitbias.networks import (
        Activation,
        ConvolutionalNetwork,
        DiagonalNetwork,
        FullyConnectedNetwork,
        GroupConvolutionalNetwork,
        LayerAlignment,
        Network,
        OrthogonalDecomposition,
        OrthogonalNetwork,
        TensorNetwork,
        TwoSidedDiagonalNetwork,
        layer_alignment,
        multilinear_multiply,
    )
    from implicitbias.problems import Classification, Regression, Separability
    from implicitbias.serialization import load, save
    from implicitbias.simulation import LeastNorm, SimulatedLimit, simulate_limit
    from implicitbias.sweeps import Sweep, SweepState, sweep
    from implicitbias.theorems import (
        ClosedForm,
        Explanation,
        Finding,
        LimitPath,
        LimitPaths,
        LimitProblem,
        Limits,
        MarginPath,
        Refusal,
        SaddlePath,
        Sensitivity,
        Situation,
        Theorem,
        explain,
        limit_path,
        limit_paths,
        margin_path,
        predict_limit,
        predict_limits,
        register_theorem,
        saddle_path,
        sensitivity,
        unregister_theorem,
    )

__version__ = "0.2.0"

# Where each public name lives. Modules are imported at first use: command-line help and scripts
# that need one network should not wait for SciPy.
_HOMES = {
    "implicitbias": ("datasets", "estimators", "features", "interop", "plotting"),
    "implicitbias._errors": (
        "CertificateWarning",
        "FolderInUseError",
        "ImplicitBiasError",
        "InfeasibleProblemError",
        "InvalidInputError",
        "NoPredictionError",
        "Outcome",
        "PlanChangedError",
    ),
    "implicitbias._progress": ("ProgressBar",),
    "implicitbias._verdicts": ("Verdict",),
    "implicitbias.alignment": ("Theorem1", "theorem_1"),
    "implicitbias.comparison": ("Comparison", "compare", "verify"),
    "implicitbias.coordinates": ("lemma4", "two_sided"),
    "implicitbias.descent": ("DualRecorder", "EffectiveStart", "Run", "gradient_descent"),
    "implicitbias.explorer": ("Explorer", "explore"),
    "implicitbias.flow": ("ActivationFlow", "Flow", "FlowState", "gradient_flow"),
    "implicitbias.initialization": ("Initialization",),
    "implicitbias.interop": ("from_torch", "to_torch"),
    "implicitbias.limits": (
        "Certificate",
        "Limit",
        "tensor_singular_error",
        "tensor_singular_residual",
        "tensor_singular_vectors",
    ),
    "implicitbias.networks": (
        "Activation",
        "ConvolutionalNetwork",
        "DiagonalNetwork",
        "FullyConnectedNetwork",
        "GroupConvolutionalNetwork",
        "LayerAlignment",
        "Network",
        "OrthogonalDecomposition",
        "OrthogonalNetwork",
        "TensorNetwork",
        "TwoSidedDiagonalNetwork",
        "layer_alignment",
        "multilinear_multiply",
    ),
    "implicitbias.problems": ("Classification", "Regression", "Separability"),
    "implicitbias.serialization": ("load", "save"),
    "implicitbias.simulation": ("LeastNorm", "SimulatedLimit", "simulate_limit"),
    "implicitbias.sweeps": ("Sweep", "SweepState", "sweep"),
    "implicitbias.theorems": (
        "ClosedForm",
        "Explanation",
        "Finding",
        "LimitPath",
        "LimitPaths",
        "LimitProblem",
        "Limits",
        "Refusal",
        "MarginPath",
        "SaddlePath",
        "Sensitivity",
        "Situation",
        "Theorem",
        "explain",
        "limit_path",
        "limit_paths",
        "margin_path",
        "predict_limit",
        "predict_limits",
        "register_theorem",
        "saddle_path",
        "sensitivity",
        "unregister_theorem",
    ),
}
_MODULES = ("datasets", "estimators", "features", "interop", "lemma4", "plotting", "two_sided")
_FORMER = {"Reference": "LeastNorm"}  # names until the next minor version

__all__ = [
    "Activation",
    "ActivationFlow",
    "Certificate",
    "CertificateWarning",
    "Classification",
    "ClosedForm",
    "Comparison",
    "ConvolutionalNetwork",
    "DiagonalNetwork",
    "DualRecorder",
    "EffectiveStart",
    "Explanation",
    "Explorer",
    "Finding",
    "Flow",
    "FlowState",
    "FolderInUseError",
    "FullyConnectedNetwork",
    "GroupConvolutionalNetwork",
    "ImplicitBiasError",
    "InfeasibleProblemError",
    "Initialization",
    "InvalidInputError",
    "LayerAlignment",
    "LeastNorm",
    "Limit",
    "LimitPath",
    "LimitPaths",
    "LimitProblem",
    "Limits",
    "MarginPath",
    "Network",
    "NoPredictionError",
    "OrthogonalDecomposition",
    "OrthogonalNetwork",
    "Outcome",
    "PlanChangedError",
    "ProgressBar",
    "Refusal",
    "Regression",
    "Run",
    "SaddlePath",
    "Sensitivity",
    "Separability",
    "SimulatedLimit",
    "Situation",
    "Sweep",
    "SweepState",
    "TensorNetwork",
    "Theorem",
    "Theorem1",
    "TwoSidedDiagonalNetwork",
    "Verdict",
    "__version__",
    "compare",
    "datasets",
    "estimators",
    "explain",
    "explore",
    "features",
    "from_torch",
    "gradient_descent",
    "gradient_flow",
    "interop",
    "layer_alignment",
    "lemma4",
    "limit_path",
    "limit_paths",
    "load",
    "margin_path",
    "multilinear_multiply",
    "plotting",
    "predict_limit",
    "predict_limits",
    "register_theorem",
    "saddle_path",
    "save",
    "sensitivity",
    "simulate_limit",
    "sweep",
    "tensor_singular_error",
    "tensor_singular_residual",
    "tensor_singular_vectors",
    "theorem_1",
    "to_torch",
    "two_sided",
    "unregister_theorem",
    "verify",
]


def __getattr__(name: str) -> object:
    if name in _FORMER:
        from implicitbias._names import warn_of

        warn_of(f"implicitbias.{name}", f"implicitbias.{_FORMER[name]}")
        return __getattr__(_FORMER[name])
    for home, names in _HOMES.items():
        if name in names:
            module = import_module(f"{home}.{name}" if name in _MODULES else home)
            value = module if name in _MODULES else getattr(module, name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
