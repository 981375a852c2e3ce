"""What can go wrong, one class each. All of them are `LocpError`."""

from __future__ import annotations


class LocpError(Exception):
    """Any error of this package. The message says what to do next."""


class MissingDependency(LocpError, ImportError):
    """A function needs a package that is not installed."""


class BinaryNotFound(LocpError):
    """There is no `locp` program to call."""


class CommandError(LocpError):
    """The `locp` program ended with an error.

    kind       its stable word for the error: "array", "image-shape", "usage", "infeasible" ...
    message    what happened, in one line
    remedy     what to do, where the program says it
    exit_code  1 where the program ran and the answer is no, 2 where something was wrong
    """

    def __init__(self, kind: str, message: str, remedy: str = "", exit_code: int = 2, simulated: bool = False):
        # A figure of an analytic model is never shown without its label.
        label = " (SIMULATED, not measured on a device)" if simulated and exit_code == 1 else ""
        super().__init__(f"locp: {message}{label} [{kind}]")
        self.kind = kind
        self.message = message
        self.remedy = remedy
        self.exit_code = exit_code
        self.simulated = simulated


class Refused(CommandError):
    """The program ran and the answer is no: the budget is out of reach, or the result would not be faster."""


class PlanError(LocpError, ValueError):
    """A file or value that is no plan."""


class ModelFileError(LocpError, ValueError):
    """An ONNX file that cannot be read."""


class UnsupportedModel(LocpError, TypeError):
    """A model whose tensors cannot be exchanged in place."""


class MismatchError(LocpError, ValueError):
    """The plan, or the weights, were made for another model. `tensor` names what does not fit."""

    def __init__(self, message: str, tensor: str):
        super().__init__(message)
        self.tensor = tensor


class MissingTensor(MismatchError):
    """The plan speaks of a tensor that the model does not have."""


class SharedTensor(MismatchError):
    """One tensor is used in several places which lose different channels."""


class FoldedNormalization(MismatchError):
    """The file has its normalization folded into the convolutions, the model has not."""


class ForwardError(LocpError):
    """The narrow model does not run, or computes something else than the pruned file. Its changes were undone."""
