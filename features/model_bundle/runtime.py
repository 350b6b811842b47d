"""ONNX Runtime, imported so that it tells nobody.

From 1.29 on the Linux wheels of ONNX Runtime send telemetry (process, session
and model facts, under a device id kept in the home folder) unless
`ORT_DISABLE_TELEMETRY` is set before the library is loaded; its own call to
switch it off comes too late for the first event
(github.com/microsoft/onnxruntime/pull/27379). So this is the only module that
imports it. Who wants it on sets the variable to 0.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["ort"]
