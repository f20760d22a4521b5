"""A network read back from the file it was written to, so that it can learn on.

The file holds convolutions with their batch norms folded in. Each norm is made anew from what its
convolution gives for some pictures, and so that the network's answers stay those of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from export import traced_graph
from network import RingNetwork
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_VARIANCE = 1e-6


@torch.no_grad()
def restored(model: bytes, pictures: Tensor) -> RingNetwork:
    """The network of a .tflite of ``export.py``; (n, 3, s, s) sRGB in [0, 1] set its norms."""
    network = RingNetwork().eval()
    convolutions = _convolutions(model, network)
    handles = []
    for name, module in network.named_modules():
        if name in convolutions:
            weight, bias = convolutions[name]
            module.weight.copy_(weight)
            if module.bias is not None:
                module.bias.copy_(bias)
        elif isinstance(module, nn.BatchNorm2d):
            before, _, _ = name.rpartition(".")
            _, bias = convolutions[f"{before}.0"]
            handles.append(module.register_forward_pre_hook(_set_norm(bias)))
    network(pictures)
    for handle in handles:
        handle.remove()
    return network


def _set_norm(bias: Tensor) -> Callable[[nn.BatchNorm2d, tuple[Tensor]], None]:
    """Makes a norm that only adds this bias to what it gets."""

    def set_norm(norm: nn.BatchNorm2d, given: tuple[Tensor]) -> None:
        variance, mean = torch.var_mean(given[0], (0, 2, 3), correction=0)
        variance.clamp_(min=LEAST_VARIANCE)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + bias)

    return set_norm


def _convolutions(model: bytes, network: RingNetwork) -> dict[str, tuple[Tensor, Tensor]]:
    """Weight and bias of every convolution of a file, by its module's name."""
    held = _constants(model)
    traced = traced_graph(network)
    found = {}
    for node in traced.graph.nodes:
        layer = traced.get_submodule(str(node.target)) if node.op == "call_module" else None
        if not isinstance(layer, nn.Conv2d):
            continue
        weight, bias = held[f"{node.name}/weight/half"], held[f"{node.name}/bias"]
        weight = weight.transpose((3, 0, 1, 2) if layer.groups > 1 else (0, 3, 1, 2))
        if any(user.target is F.pixel_shuffle for user in node.users):
            order = np.arange(len(bias)).reshape(4, -1).T.ravel()  # corner by corner there
            weight, bias = weight[order], bias[order]
        name = str(node.target).removeprefix("network.")
        found[name] = torch.tensor(weight.copy()), torch.tensor(bias.copy())
    return found


def _constants(model: bytes) -> dict[str, Any]:
    """Tensors with contents, by name, as 32-bit floats."""
    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    kinds = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}
    held = {}
    for tensor in read.subgraphs[0].tensors:
        data = read.buffers[tensor.buffer].data
        if data is not None and len(data) and tensor.type in kinds:
            values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), kinds[tensor.type])
            held[tensor.name.decode()] = values.reshape(tensor.shape).astype(np.float32)
    return held
