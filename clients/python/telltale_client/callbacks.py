"""Callbacks for libraries that train models. None of the libraries is imported: their objects are read by their names."""

from typing import Any, Callable, Dict, Optional

from .analysis import Analysis


def ultralytics(analysis: Analysis, stage: Optional[str] = None) -> Dict[str, Callable[[Any], None]]:
    """For each pair, `model.add_callback(name, function)`. A cancelled analysis stops the training after its epoch."""

    def epoch_ended(trainer: Any) -> None:
        done, total = int(trainer.epoch) + 1, int(trainer.epochs)
        metrics = _numbers(getattr(trainer, "metrics", None))
        extra: Dict[str, Any] = {"metrics": metrics} if metrics else {}
        analysis.report(stage=stage, current=done, total=total, unit="epochs", **extra)
        if analysis.cancelled:
            trainer.stop = True

    return {"on_fit_epoch_end": epoch_ended}


class _Transformers:
    """Every event that a Trainer of transformers may call is answered; those with a use here are defined below."""

    def __init__(self, analysis: Analysis, stage: Optional[str]) -> None:
        self._analysis, self._stage = analysis, stage

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *_, **__: None
        raise AttributeError(name)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        total = int(state.max_steps) if state.max_steps and state.max_steps > 0 else None
        self._analysis.report(stage=self._stage, current=int(state.global_step), total=total, unit="steps")
        if self._analysis.cancelled:
            control.should_training_stop = True
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> Any:
        numbers = _numbers(logs)
        if numbers:
            self._analysis.report(stage=self._stage, metrics=numbers)
        return control


def transformers(analysis: Analysis, stage: Optional[str] = None) -> Any:
    """For `Trainer(callbacks=[…])`. A cancelled analysis stops the training after its step."""
    return _Transformers(analysis, stage)


class _Lightning:
    """Every hook that a Trainer of Lightning may call is answered; those with a use here are defined below."""

    def __init__(self, analysis: Analysis, stage: Optional[str]) -> None:
        self._analysis, self._stage = analysis, stage

    @property
    def state_key(self) -> str:
        return "telltale"

    def state_dict(self) -> Dict[str, Any]:
        return {}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name in ("setup", "teardown") or name.startswith("on_"):
            return lambda *_, **__: None
        raise AttributeError(name)

    def on_train_batch_end(self, trainer: Any, *_: Any, **__: Any) -> None:
        steps = getattr(trainer, "estimated_stepping_batches", None)
        total = float(steps) if isinstance(steps, (int, float)) and 0 < steps < float("inf") else None
        self._analysis.report(stage=self._stage, current=int(trainer.global_step), total=total, unit="steps")
        if self._analysis.cancelled:
            trainer.should_stop = True

    def on_validation_epoch_end(self, trainer: Any, *_: Any, **__: Any) -> None:
        numbers = _numbers(getattr(trainer, "callback_metrics", None))
        if numbers:
            self._analysis.report(stage=self._stage, metrics=numbers)


def lightning(analysis: Analysis, stage: Optional[str] = None) -> Any:
    """For `Trainer(callbacks=[…])`. A cancelled analysis stops the training after its batch."""
    return _Lightning(analysis, stage)


def _numbers(values: Any) -> Dict[str, float]:
    """The numbers among the values, which may be tensors of one."""
    found: Dict[str, float] = {}
    for name, value in dict(values or {}).items():
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError):
            continue
    return found
