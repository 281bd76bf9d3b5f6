"""Everything that serving raises on purpose.

    ServingError                one clear sentence: what is wrong and how to mend it
    ├── WeightsError            the default model can't be prepared
    │   ├── WeightsMissing      the package that carries it isn't installed
    │   ├── WeightsDamaged      its file isn't the one that was expected
    │   ├── DiskFull            no room for the converted weights
    │   ├── ConversionFailed    the converter ended with an error
    │   └── PreparationStopped  the caller asked to stop
    ├── EngineError             the model server
    │   ├── EngineMissing       vLLM isn't installed
    │   ├── PortTaken           another program listens on its port
    │   ├── EngineStartError    it crashed too often, or never became ready
    │   └── EngineStopped       it was stopped while somebody waited for it
    └── BenchmarkError          the server to measure gave no usable answer

A caller acts on the class; the message is for the operator.
"""


class ServingError(Exception):
    """Base of all errors of this package; its message is written for the operator."""


class WeightsError(ServingError):
    """The default model can't be prepared."""


class WeightsMissing(WeightsError):
    """The package that carries the default model isn't installed."""


class WeightsDamaged(WeightsError):
    """The default model's file isn't the one that was expected."""


class DiskFull(WeightsError):
    """There is no room for the converted weights."""


class ConversionFailed(WeightsError):
    """The converter ended with an error."""


class PreparationStopped(WeightsError):
    """The caller asked to stop before the weights were ready."""


class EngineError(ServingError):
    """The model server can't do what was asked."""


class EngineMissing(EngineError):
    """vLLM isn't installed."""


class PortTaken(EngineError):
    """Another program listens on the engine's port."""


class EngineStartError(EngineError):
    """The engine crashed too often or never became ready.

    `last_line` is the last line of its log that says something, or an empty string.
    """

    def __init__(self, message: str, last_line: str = "") -> None:
        super().__init__(message)
        self.last_line = last_line


class EngineStopped(EngineError):
    """The engine was stopped while somebody waited for it."""


class BenchmarkError(ServingError):
    """The server to measure can't be reached, refused, or gave no usable answer."""
