"""Write a trained network as .tflite: ``python export.py checkpoint.pt network.tflite``.

The graph is small, so its flatbuffer is written directly, operation by operation, with the schema
that the runtime brings along: no converter, no TensorFlow. Batch norms are folded, weights stored
as 16-bit floats that the runtime widens when it loads them. The file is then run and compared.
"""

from __future__ import annotations

import argparse
import copy
import operator
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import flatbuffers
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from contact_network import ContactNetwork
from network import GLOBALS, HEAT_PLANES, PLANES, SIZE, RingNetwork, SameConv
from patch_network import PatchNetwork
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

OUTPUTS = ("0_planes", "1_heat", "2_whole")
"""The runtime gives outputs no order but that of their names."""
TOLERANCE, HALF_TOLERANCE = 1e-3, 0.05
"""Largest difference from PyTorch's probabilities, of the graph itself and with 16-bit weights."""
Operator, Activation = schema.BuiltinOperator, schema.ActivationFunctionType


class _WithProbabilities(nn.Module):
    """The ring network with its planes and heat as probabilities."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        planes, heat, whole = self.network(x)
        return torch.sigmoid(planes), torch.sigmoid(heat), whole


class _WithProbability(_WithProbabilities):
    """The patch network with its answer as a probability."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.sigmoid(self.network(x)),)


class _WithLogits(_WithProbabilities):
    """The contact network; which of all cells it is, its logits tell together."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (self.network(x),)


def _with_probabilities(network: nn.Module) -> _WithProbabilities:
    kinds = {PatchNetwork: _WithProbability, ContactNetwork: _WithLogits}
    return kinds.get(type(network), _WithProbabilities)(network)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, SameConv) or super().is_leaf_module(module, name)


def folded(network: nn.Module) -> nn.Module:
    """The network with each batch norm folded into the convolution before it (in place)."""
    network.eval()
    for module in network.modules():
        if (
            isinstance(module, nn.Sequential)
            and len(module) > 1
            and isinstance(module[1], nn.BatchNorm2d)
        ):
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            del module[1]
    return network


class Writer:
    """A model under construction: tensors, buffers and operations, in the order they run."""

    def __init__(self, half: bool) -> None:
        self.half = half
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.name = "ring"
        self.buffers = [schema.BufferT()]
        self.codes: list[int] = []

    def tensor(self, name: str, shape: list[int], kind: int = 0, buffer: int = 0) -> int:
        """A tensor's index; ``kind`` as in the schema, 0 is float32."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, kind, buffer
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, name: str, values: Any) -> int:
        """A tensor with contents: float16, float32 or int32."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.buffers.append(buffer)
        kinds = {
            "float16": schema.TensorType.FLOAT16,
            "float32": 0,
            "int32": schema.TensorType.INT32,
        }
        kind = kinds[str(values.dtype)]
        return self.tensor(name, list(values.shape), kind, len(self.buffers) - 1)

    def weights(self, name: str, values: Any) -> int:
        """Weights kept as float16 and widened when the model is loaded."""
        if not self.half:
            return self.constant(name, values)
        small = self.constant(f"{name}/half", values.astype(np.float16))
        wide = self.tensor(name, list(values.shape))
        self.operation(Operator.DEQUANTIZE, [small], [wide])
        return wide

    def operation(
        self, code: int, inputs: list[int], outputs: list[int], options: Any = None, kind: int = 0
    ) -> None:
        """Append an operation; ``kind`` names the type of its options."""
        if code not in self.codes:
            self.codes.append(code)
        step = schema.OperatorT()
        step.opcodeIndex = self.codes.index(code)
        step.inputs, step.outputs = inputs, outputs
        step.builtinOptions, step.builtinOptionsType = options, kind
        self.graph.operators.append(step)

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        """The file."""
        self.graph.inputs, self.graph.outputs = inputs, outputs
        model = schema.ModelT()
        model.version, model.description = 3, "anello ring network"
        model.subgraphs, model.buffers = [self.graph], self.buffers
        model.operatorCodes = []
        for value in self.codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = value, min(value, 127), 1
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def traced_graph(network: nn.Module) -> fx.GraphModule:
    """The folded network's operations, in order; its modules are those under ``network.``."""
    model = _with_probabilities(folded(copy.deepcopy(network))).eval()
    return fx.GraphModule(model, _Tracer().trace(model))


def to_tflite(network: nn.Module, size: int = SIZE, channels: int = 3, half: bool = True) -> bytes:
    """The network as a LiteRT model for pictures of (1, size, size, channels) in [0, 1]."""
    traced = traced_graph(network)
    ShapeProp(traced).propagate(torch.zeros(1, channels, size, size))
    modules = dict(traced.named_modules())
    writer, made = Writer(half), dict[fx.Node, int]()
    inputs: list[int] = []
    for node in traced.graph.nodes:
        if node.op == "output":
            return writer.finish(inputs, [made[value] for value in node.args[0]])
        if node.op == "placeholder":
            made[node] = writer.tensor("picture", _shape(node))
            inputs.append(made[node])
            continue
        step = modules[node.target] if node.op == "call_module" else node.target
        _write(writer, made, node, step)
    raise ValueError("a graph without an output")


def _write(writer: Writer, made: dict[fx.Node, int], node: fx.Node, step: Any) -> None:
    """Append what one node of the traced graph does."""
    sources = [made[a] for a in _flat(node.args) if isinstance(a, fx.Node)]
    if _is_relu(step) and _fuses(node.args[0]):
        made[node] = sources[0]
        return
    output = made[node] = writer.tensor(_name(node), _shape(node))
    rectified = Activation.RELU if any(_is_relu(_target(user)) for user in node.users) else 0
    if isinstance(step, nn.Conv2d):
        _write_convolution(writer, node, step, sources[0], output, rectified)
    elif step in (operator.add, torch.add):
        options = schema.AddOptionsT()
        options.fusedActivationFunction = rectified
        writer.operation(Operator.ADD, sources, [output], options, schema.BuiltinOptions.AddOptions)
    elif _is_relu(step):
        writer.operation(Operator.RELU, sources, [output])
    elif step is F.interpolate:
        size = writer.constant(f"{node.name}/size", np.array(_shape(node)[1:3], np.int32))
        options = schema.ResizeBilinearOptionsT()
        options.alignCorners, options.halfPixelCenters = False, True
        kind = schema.BuiltinOptions.ResizeBilinearOptions
        writer.operation(Operator.RESIZE_BILINEAR, [*sources, size], [output], options, kind)
    elif step == "mean" or isinstance(step, nn.AdaptiveAvgPool2d):
        axes = writer.constant(f"{node.name}/axes", np.array([1, 2], np.int32))
        options = schema.ReducerOptionsT()
        options.keepDims = True
        kind = schema.BuiltinOptions.ReducerOptions
        writer.operation(Operator.MEAN, [*sources, axes], [output], options, kind)
    elif step is F.pixel_shuffle:
        options = schema.DepthToSpaceOptionsT()
        options.blockSize = 2
        kind = schema.BuiltinOptions.DepthToSpaceOptions
        writer.operation(Operator.DEPTH_TO_SPACE, sources, [output], options, kind)
    elif step is torch.sigmoid:
        writer.operation(Operator.LOGISTIC, sources, [output])
    elif step == "flatten":
        shape = writer.constant(f"{node.name}/shape", np.array(_shape(node), np.int32))
        writer.operation(Operator.RESHAPE, [*sources, shape], [output])
    else:
        raise ValueError(f"no operator of the file stands for {node.format_node()}")


def _write_convolution(
    writer: Writer, node: fx.Node, step: nn.Conv2d, source: int, output: int, rectified: int
) -> None:
    assert step.bias is not None
    weight, bias = step.weight.detach().numpy(), step.bias.detach().numpy()
    if any(_target(user) is F.pixel_shuffle for user in node.users):
        # PyTorch's channels go plane by plane, TensorFlow's corner by corner.
        order = np.arange(len(bias)).reshape(-1, 4).T.ravel()
        weight, bias = weight[order], bias[order]
    depthwise = step.groups > 1
    weight = weight.transpose(1, 2, 3, 0) if depthwise else weight.transpose(0, 2, 3, 1)
    options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideW = options.strideH = step.stride[0]
    options.dilationWFactor = options.dilationHFactor = 1
    options.fusedActivationFunction = rectified
    if depthwise:
        options.depthMultiplier = 1
    kinds = schema.BuiltinOptions
    code, kind = (
        (Operator.DEPTHWISE_CONV_2D, kinds.DepthwiseConv2DOptions)
        if depthwise
        else (Operator.CONV_2D, kinds.Conv2DOptions)
    )
    held = [
        writer.weights(f"{node.name}/weight", weight),
        writer.constant(f"{node.name}/bias", bias),
    ]
    writer.operation(code, [source, *held], [output], options, kind)


def _flat(args: Any) -> list[Any]:
    return [v for a in args for v in (_flat(a) if isinstance(a, (list, tuple)) else [a])]


def _target(node: fx.Node) -> Any:
    if node.op != "call_module":
        return node.target
    return node.graph.owning_module.get_submodule(str(node.target))


def _is_relu(step: Any) -> bool:
    return step is F.relu or isinstance(step, nn.ReLU)


def _fuses(node: Any) -> bool:
    """Whether an operation rectifies its own result."""
    return isinstance(_target(node), nn.Conv2d) or _target(node) in (operator.add, torch.add)


def _shape(node: fx.Node) -> list[int]:
    """As TensorFlow orders it: channels last."""
    shape = list(node.meta["tensor_meta"].shape)
    return [shape[0], shape[2], shape[3], shape[1]] if len(shape) == 4 else shape


def _name(node: fx.Node) -> str:
    for user in node.users:
        if user.op == "output":
            return OUTPUTS[list(user.args[0]).index(node)]
    return str(node.name)


def runner(model: bytes | Path) -> Callable[[Any], list[Any]]:
    """Runs a model as the package does: one thread, outputs in the order of their names."""
    where = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    interpreter = Interpreter(num_threads=1, **where)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    exits = sorted(interpreter.get_output_details(), key=lambda detail: str(detail["name"]))

    def run(rgb: Any) -> list[Any]:
        interpreter.set_tensor(entry, rgb[None].astype(np.float32) / np.float32(255))
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in exits]

    return run


@torch.no_grad()
def differences(model: bytes, network: nn.Module, pictures: list[Any]) -> list[float]:
    """Largest difference of each output from PyTorch's, over the pictures."""
    run, network = runner(model), _with_probabilities(network)
    worst: list[float] = []
    for picture in pictures:
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        wanted = [w.permute(0, 2, 3, 1) if w.ndim == 4 else w for w in network(x)]
        off = [
            float(np.abs(a - b.numpy()).max()) for a, b in zip(run(picture), wanted, strict=True)
        ]
        worst = [max(pair) for pair in zip(worst, off, strict=True)] if worst else off
    return worst


def main() -> None:
    """Export, compare, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("pictures", type=Path, nargs="*", help="more to compare on")
    parser.add_argument("--size", type=int, default=SIZE, help="side of the network's picture, px")
    options = parser.parse_args()
    size = options.size
    torch.set_num_threads(1)
    network = RingNetwork()
    network.load_state_dict(torch.load(options.checkpoint, weights_only=True)["average"])
    network.eval()
    model, full = (to_tflite(network, size, half=half) for half in (True, False))
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (size, size, 3), np.uint8) for _ in range(3)]
    pictures += [np.full((size, size, 3), value, np.uint8) for value in (0, 128, 255)]
    for path in options.pictures:
        pictures.append(cv2.resize(cv2.imread(str(path)), (size, size))[..., ::-1].copy())
    whole, halved = differences(full, network, pictures), differences(model, network, pictures)
    print(f"outputs {PLANES}, {HEAT_PLANES}, {GLOBALS}")
    print(f"largest differences from PyTorch {whole}, with 16-bit weights {halved}")
    if (
        max(whole) > TOLERANCE * 10
        or max(whole[:2]) > TOLERANCE
        or max(halved[:2]) > HALF_TOLERANCE
    ):
        raise SystemExit("the exported network differs from the trained one")
    options.out.write_bytes(model)
    run, times = runner(options.out), []
    for _ in range(30):
        start = time.perf_counter()
        run(pictures[0])
        times.append(1000 * (time.perf_counter() - start))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{len(model) / 1e6:.2f} MB, {np.median(times):.1f} ms (least {min(times):.1f}), "
        f"{peak} MB with PyTorch"
    )


if __name__ == "__main__":
    main()
