"""A model bundle in memory: the ONNX session, its heads and their trees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.definitions import N_FEATURES
from features.errors import MissingModelError
from features.model_bundle import (
    Manifest,
    read_bundle,
    to_rows,
    verify_golden_outputs,
)
from features.model_bundle.runtime import ort
from features.request_rows import Call
from scoring.attribution import Explainer, make_explainer
from scoring.heads import Head, to_head

_INPUT = "features"

Outputs = list[npt.NDArray[np.float32]]
"""What a model says of some rows: per head, one probability a row."""


@dataclass(frozen=True, eq=False)
class Model:
    """A bundle that passed every check and is ready to answer.

    Attributes:
        manifest: What it says of itself.
        heads: All heads, in the order of the outputs.
        explainers: Per head name, for attributions.
        session: The runtime; one thread, which does not spin.
        outputs: Names of the heads, in their order.
    """

    manifest: Manifest
    heads: tuple[Head, ...]
    explainers: dict[str, Explainer]
    session: Any
    outputs: list[str]

    @property
    def version(self) -> str:
        """The bundle's content hash."""
        return self.manifest.version

    def find_heads(self, call: Call) -> tuple[Head, ...]:
        """Return the heads that apply at a call."""
        return tuple(head for head in self.heads if head.call is call)

    @property
    def has_line_heads(self) -> bool:
        """Whether an order's lines are scored, too."""
        return bool(self.find_heads(Call.ORDER_LINE))

    def predict(self, vectors: npt.NDArray[np.float32]) -> Outputs:
        """Return the calibrated probabilities of some rows.

        Args:
            vectors: Shape `(n, F)`, float32, C order, NaN for missing.

        Returns:
            Per head, shape `(n,)`. A row's values do not depend on the other rows.
        """
        outputs: Outputs = self.session.run(self.outputs, {_INPUT: vectors})
        return outputs


def load_model(path: Path) -> Model:
    """Return the model of a bundle, or of the current one in a folder of bundles.

    Blocks for some tenths of a second: off the event loop.

    Raises:
        MissingModelError: Absent, damaged, not loadable, or its golden vectors fail.
        SchemaMismatchError: Trained with other features.
    """
    bundle = read_bundle(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # Faults come as exceptions.
    try:
        session = ort.InferenceSession(bundle.model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # The runtime raises types of its own for each fault.
        raise MissingModelError(
            "the model bundle cannot be loaded",
            field="model.onnx",
            value=str(error).splitlines()[0][:200],
            expectation="a model that this ONNX Runtime can run",
            fix="restore the bundle from a copy, or run `hemostat train` again",
        ) from error
    model = Model(
        manifest=bundle.manifest,
        heads=tuple(to_head(head, output) for output, head in enumerate(bundle.manifest.heads)),
        explainers={name: make_explainer(trees) for name, trees in bundle.trees.items()},
        session=session,
        outputs=[head.name for head in bundle.manifest.heads],
    )
    outputs = model.predict(to_rows(bundle.manifest.golden))
    verify_golden_outputs(
        bundle.manifest, {head.name: outputs[head.output] for head in model.heads}
    )
    _warm(model)
    return model


def _warm(model: Model) -> None:
    """Run the shapes that calls will have once, so that the first call is not the slow one."""
    for n in (1, 2, 64):
        model.predict(np.full((n, N_FEATURES), np.nan, np.float32))
