"""A model bundle in memory: the ONNX session, its heads and their trees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from features.attributes import AttributeFault, Encoder, read_attributes
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
from scoring.cases import Case
from scoring.heads import Head, to_head

_INPUT = "features"
_logger = structlog.get_logger()

Outputs = list[npt.NDArray[np.float32]]
"""What a model says of some rows: per head, one probability a row."""

Faults = dict[tuple[str, AttributeFault], int]
"""Values that were not used as they are, by column and fault."""


@dataclass(frozen=True, eq=False)
class Model:
    """A bundle that passed every check and is ready to answer.

    Attributes:
        manifest: What it says of itself.
        heads: All heads, in the order of the outputs.
        explainers: Per head name, for attributions.
        session: The runtime; one thread, which does not spin.
        outputs: Names of the heads, in their order.
        encoder: Makes the retailer's own columns; None: the model has none.
    """

    manifest: Manifest
    heads: tuple[Head, ...]
    explainers: dict[str, Explainer]
    session: Any
    outputs: list[str]
    encoder: Encoder | None = None

    @property
    def width(self) -> int:
        """Columns of a row."""
        return len(self.manifest.schema)

    def widen(
        self, vectors: npt.NDArray[np.float32], case: Case, faults: Faults | None = None
    ) -> npt.NDArray[np.float32]:
        """Return a case's rows with the retailer's own columns behind the features.

        Args:
            vectors: Shape `(1 + n_lines, N_FEATURES)`.
            case: Whose rows they are; lines get what their order says.
            faults: Counts values that were not used as they are, once a case; None: nobody asks.
        """
        if self.encoder is None:
            return vectors
        of_case = read_attributes(case.attributes)
        of_customer = read_attributes(case.customer_attributes)
        own = np.empty((len(vectors), self.encoder.width), np.float32)
        own[0] = self.encoder.encode(case.call, of_case, of_customer, faults)
        if len(vectors) > 1:
            own[1:] = self.encoder.encode(Call.ORDER_LINE, of_case, of_customer)
        return np.concatenate([vectors, own], axis=1)

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

    Blocks for some tenths of a second: off the event loop. Where no trusted keys are
    configured, a warning tells that nobody looked at who made it.

    Raises:
        MissingModelError: Absent, damaged, not loadable, or its golden vectors fail.
        UntrustedModelError: Trusted keys are configured, and none of them signed it.
        SchemaMismatchError: Trained with other features.
    """
    bundle = read_bundle(path)
    if bundle.trust.warning:
        _logger.warning(
            bundle.trust.warning,
            bundle=bundle.manifest.version,
            signature=bundle.trust.state,
        )
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
    plan = bundle.manifest.attributes
    model = Model(
        manifest=bundle.manifest,
        heads=tuple(to_head(head, output) for output, head in enumerate(bundle.manifest.heads)),
        explainers={name: make_explainer(trees) for name, trees in bundle.trees.items()},
        session=session,
        outputs=[head.name for head in bundle.manifest.heads],
        encoder=None if plan is None else Encoder(plan),
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
        model.predict(np.full((n, model.width), np.nan, np.float32))
