"""The model bundle on disk: what training hands to scoring, and what scoring checks.

A bundle is a folder:

```
model.onnx      all heads in one graph: input `features` float32 [N, F] in the order of
                `definitions.FEATURES`; per head one output `<target>__<call>` float32 [N],
                a calibrated probability
trees.npz       the same trees as flat arrays, for attributions (see `trees`)
manifest.json   what the model is, what it was learned from, checksums, golden vectors
manifest.sig    who made it: a signature of manifest.json (see `signing`); may be absent
MODEL_CARD.md   the same for people
report/         one HTML page: figures, plots and card in English and Chinese
```

Bundles of one tenant stand side by side in one folder, each named by its version;
the symlink `current` there names the one in use. `resolve_bundle` accepts the
folder of bundles or one bundle.

To load: `read_bundle` verifies all that needs no ONNX runtime; then run the
golden rows through the session and pass the outputs to `verify_golden_outputs`.
"""

from __future__ import annotations

from features.model_bundle.manifest import (
    CURRENT,
    MANIFEST_FILE,
    MODEL_FILE,
    TREES_FILE,
    Calibration,
    CalibrationStanding,
    CheckQuality,
    FeatureRange,
    Golden,
    HeadManifest,
    HeadMetrics,
    Interval,
    Manifest,
    TrainingWindow,
    compute_version,
    decode_manifest,
    encode_manifest,
    to_rows,
)
from features.model_bundle.onnx_graph import GraphSummary, summarize_graph, verify_graph
from features.model_bundle.reading import (
    Bundle,
    load_manifest,
    read_bundle,
    resolve_bundle,
    verify_golden_outputs,
)
from features.model_bundle.signing import SIGNATURE_FILE, Trust, TrustedKeys
from features.model_bundle.trees import TreeArrays, bend, decode_trees, encode_trees

__all__ = [
    "CURRENT",
    "MANIFEST_FILE",
    "MODEL_FILE",
    "SIGNATURE_FILE",
    "TREES_FILE",
    "Bundle",
    "Calibration",
    "CalibrationStanding",
    "CheckQuality",
    "FeatureRange",
    "Golden",
    "GraphSummary",
    "HeadManifest",
    "HeadMetrics",
    "Interval",
    "Manifest",
    "TrainingWindow",
    "TreeArrays",
    "Trust",
    "TrustedKeys",
    "bend",
    "compute_version",
    "decode_manifest",
    "decode_trees",
    "encode_manifest",
    "encode_trees",
    "load_manifest",
    "read_bundle",
    "resolve_bundle",
    "summarize_graph",
    "to_rows",
    "verify_golden_outputs",
    "verify_graph",
]
