"""The runtime that the networks run on: LiteRT, one thread."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from anello.imaging.arrays import Bytes, Float


class Network:
    """One .tflite file: 8-bit picture in, its outputs in the order of their names."""

    def __init__(self, path: str | Path) -> None:
        from ai_edge_litert.interpreter import Interpreter  # slow to import: only when needed

        self._interpreter: Any = Interpreter(model_path=str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        entry = self._interpreter.get_input_details()[0]
        self._input, self.input_side = entry["index"], int(entry["shape"][1])
        self._one_at_a_time = Lock()
        outputs = sorted(self._interpreter.get_output_details(), key=lambda d: str(d["name"]))
        self._outputs = [d["index"] for d in outputs]

    def run(self, rgb: Bytes) -> list[Float]:
        """The outputs, (1, ...) each, for an (s, s, 3) picture."""
        values = rgb[None].astype(np.float32) / np.float32(255)
        with self._one_at_a_time:
            self._interpreter.set_tensor(self._input, values)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index) for index in self._outputs]
