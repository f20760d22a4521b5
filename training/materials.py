"""Blender materials: metals, stones, pearls, grounds. A ring's materials also write the truth."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

Rng = np.random.Generator

METALS: dict[str, tuple[float, float, float]] = {
    "yellow": (0.94, 0.66, 0.26),
    "yellow-24k": (0.97, 0.60, 0.14),
    "yellow-9k": (0.88, 0.70, 0.40),
    "rose": (0.92, 0.56, 0.42),
    "rose-pale": (0.93, 0.66, 0.54),
    "white-gold": (0.84, 0.81, 0.76),
    "silver": (0.95, 0.94, 0.92),
    "platinum": (0.76, 0.74, 0.72),
    "steel": (0.58, 0.57, 0.56),
    "oxidised": (0.72, 0.71, 0.69),
    "black": (0.05, 0.05, 0.055),
    "copper": (0.93, 0.50, 0.34),
}
WHITE = ("white-gold", "silver", "platinum", "steel")
STONES: dict[str, tuple[float, float, float]] = {
    "ruby": (0.85, 0.03, 0.10),
    "sapphire": (0.04, 0.08, 0.75),
    "emerald": (0.03, 0.60, 0.22),
    "amethyst": (0.50, 0.14, 0.80),
    "citrine": (0.98, 0.62, 0.08),
    "topaz": (0.35, 0.75, 0.95),
    "aquamarine": (0.70, 0.92, 0.96),
    "peridot": (0.55, 0.80, 0.12),
    "morganite": (0.97, 0.70, 0.66),
    "garnet": (0.55, 0.02, 0.05),
    "champagne": (0.88, 0.70, 0.48),
    "black": (0.01, 0.01, 0.012),
    "tanzanite": (0.25, 0.18, 0.85),
    "pink": (0.98, 0.40, 0.62),
}
OPAQUE: dict[str, tuple[float, float, float]] = {
    "turquoise": (0.08, 0.55, 0.55),
    "onyx": (0.01, 0.01, 0.01),
    "jade": (0.12, 0.42, 0.18),
    "lapis": (0.03, 0.08, 0.38),
    "coral": (0.80, 0.15, 0.08),
    "moonstone": (0.80, 0.84, 0.90),
    "opal": (0.75, 0.78, 0.80),
    "malachite": (0.01, 0.30, 0.14),
    "tiger": (0.35, 0.17, 0.04),
    "rose-quartz": (0.85, 0.55, 0.58),
    "white": (0.85, 0.84, 0.82),
    "carnelian": (0.62, 0.12, 0.03),
}


class Nodes:
    """A material's node tree with less to type."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self.out = self.tree.nodes.new("ShaderNodeOutputMaterial")

    def add(self, kind: str, **settings: Any) -> Any:
        """A node; keywords set its properties, or its inputs where they are names of inputs."""
        node = self.tree.nodes.new("ShaderNode" + kind)
        for key, value in settings.items():
            name = key.replace("_", " ")
            found = next((s for s in node.inputs if s.name.lower() == name.lower()), None)
            if found is None:
                setattr(node, key, value)
            elif isinstance(value, bpy.types.NodeSocket):
                self.link(value, found)
            else:
                found.default_value = (
                    (*value, 1)
                    if (isinstance(value, tuple) and len(value) == 3 and found.type == "RGBA")
                    else value
                )
        return node

    def link(self, source: Any, target: Any) -> None:
        self.tree.links.new(source, target)

    def surface(self, shader: Any) -> None:
        self.link(shader.outputs[0], self.out.inputs["Surface"])

    def ramp(self, value: Any, *stops: tuple[float, tuple[float, float, float]]) -> Any:
        node = self.add("ValToRGB")
        self.link(value, node.inputs[0])
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (at, colour) in zip(elements, stops, strict=True):
            element.position, element.color = at, (*colour, 1)
        return node.outputs[0]

    def bump(self, height: Any, strength: float, distance: float = 0.05) -> Any:
        return self.add("Bump", Strength=strength, Distance=distance, Height=height).outputs[0]

    def write_truth(self) -> None:
        """Red: front of the band, green: its rear, blue: head; from attributes near and head."""
        near = self.add("Attribute", attribute_name="near").outputs["Fac"]
        head = self.add("Attribute", attribute_name="head").outputs["Fac"]
        front = self.add("Math", operation="GREATER_THAN")
        self.link(near, front.inputs[0])
        front.inputs[1].default_value = 0.0
        parts = self.add("CombineXYZ")
        band = self.add("Math", operation="SUBTRACT")
        band.inputs[0].default_value = 1.0
        self.link(head, band.inputs[1])
        for k, source in enumerate([front.outputs[0], None, head]):
            if source is not None and k != 2:
                both = self.add("Math", operation="MULTIPLY")
                self.link(source, both.inputs[0])
                self.link(band.outputs[0], both.inputs[1])
                self.link(both.outputs[0], parts.inputs[k])
            elif k == 2:
                self.link(source, parts.inputs[2])
            else:
                rest = self.add("Math", operation="SUBTRACT")
                self.link(band.outputs[0], rest.inputs[0])
                both = self.add("Math", operation="MULTIPLY")
                self.link(front.outputs[0], both.inputs[0])
                self.link(band.outputs[0], both.inputs[1])
                self.link(both.outputs[0], rest.inputs[1])
                self.link(rest.outputs[0], parts.inputs[1])
        aov = self.add("OutputAOV")
        aov.aov_name = "truth"
        self.link(parts.outputs[0], aov.inputs["Color"])


def metal(rng: Rng, name: str, finish: str) -> Any:
    """A metal: polished, satin, brushed, hammered, sanded."""
    n = Nodes(name)
    colour = tuple(float(np.clip(c * (1 + rng.normal() * 0.025), 0, 1)) for c in METALS[name])
    rough = {
        "polished": rng.uniform(0.02, 0.12),
        "satin": rng.uniform(0.18, 0.38),
        "brushed": rng.uniform(0.15, 0.3),
        "hammered": rng.uniform(0.04, 0.15),
        "sanded": rng.uniform(0.25, 0.45),
    }[finish]
    shader = n.add("BsdfPrincipled", Metallic=1.0, Roughness=float(rough), Base_Color=colour)
    where = n.add("TexCoord").outputs["Object"]
    if finish == "brushed":
        stretch = n.add("Mapping", Vector=where, Scale=(4.0, 90.0, 4.0))
        noise = n.add("TexNoise", Vector=stretch.outputs[0], Scale=3.0, Detail=2.0)
        n.link(n.bump(noise.outputs[0], 0.25, 0.02), shader.inputs["Normal"])
    elif finish == "hammered":
        cells = n.add(
            "TexVoronoi", Vector=where, Scale=float(rng.uniform(4, 9)), feature="SMOOTH_F1"
        )
        n.link(n.bump(cells.outputs[0], 0.6, 0.12), shader.inputs["Normal"])
    elif finish == "sanded":
        noise = n.add("TexNoise", Vector=where, Scale=float(rng.uniform(40, 90)))
        n.link(n.bump(noise.outputs[0], 0.4, 0.03), shader.inputs["Normal"])
    elif rng.random() < 0.4:
        noise = n.add("TexNoise", Vector=where, Scale=float(rng.uniform(1.5, 6)))
        n.link(n.bump(noise.outputs[0], 0.06, 0.1), shader.inputs["Normal"])
    if name == "oxidised":
        edge = n.add("NewGeometry").outputs["Pointiness"]
        noise = n.add("TexNoise", Vector=where, Scale=5.0, Detail=3.0)
        mixed = n.add("Math", operation="MULTIPLY_ADD")
        n.link(noise.outputs[0], mixed.inputs[0])
        mixed.inputs[1].default_value = 0.16
        n.link(edge, mixed.inputs[2])
        low = float(rng.uniform(0.5, 0.56))
        n.link(
            n.ramp(mixed.outputs[0], (low, (0.06, 0.06, 0.06)), (low + 0.09, colour)),
            shader.inputs["Base Color"],
        )
    n.surface(shader)
    n.write_truth()
    return n.material


def gem(rng: Rng, name: str) -> Any:
    """A transparent stone; some show their fire, and clear ones are lifted as retouchers do."""
    n = Nodes(name)
    clear = name == "clear"
    ior = 2.42 if clear else float(rng.uniform(1.6, 1.85))
    if name == "black":
        shader = n.add("BsdfPrincipled", Base_Color=STONES[name], Roughness=0.03, IOR=2.2)
        n.surface(shader)
        n.write_truth()
        return n.material
    colour = np.array((0.985,) * 3 if clear else STONES[name]) ** (1.0 if clear else 0.6)
    if rng.random() < 0.35:  # dispersion: a glass for each of red, green and blue
        spread = 0.018 if clear else 0.008
        glasses = [
            n.add("BsdfGlass", Color=tuple(colour * row), Roughness=0.0, IOR=ior + (k - 1) * spread)
            for k, row in enumerate(np.eye(3))
        ]
        shader = added(n, added(n, glasses[0], glasses[1]), glasses[2])
    else:
        shader = n.add("BsdfGlass", Color=tuple(map(float, colour)), Roughness=0.0, IOR=ior)
    if clear and rng.random() < 0.75:
        lift = n.add("Emission", Color=(1, 1, 1), Strength=float(rng.uniform(0.05, 0.4)))
        shader = added(n, shader, lift)
    n.surface(shader)
    n.write_truth()
    return n.material


def added(n: Nodes, first: Any, second: Any) -> Any:
    """The light of both."""
    both = n.add("AddShader")
    n.link(first.outputs[0], both.inputs[0])
    n.link(second.outputs[0], both.inputs[1])
    return both


def opaque(rng: Rng, name: str) -> Any:
    n = Nodes(name)
    colour = OPAQUE[name]
    shader = n.add(
        "BsdfPrincipled",
        Base_Color=colour,
        Roughness=float(rng.uniform(0.05, 0.4)),
        Coat_Weight=0.6,
        Coat_Roughness=0.05,
    )
    where = n.add("TexCoord").outputs["Object"]
    dark = tuple(c * 0.35 for c in colour)
    if name in ("malachite", "tiger"):
        wave = n.add("TexWave", Vector=where, Scale=2.5, Distortion=6.0, Detail=2.0)
        n.link(n.ramp(wave.outputs["Fac"], (0.2, dark), (0.8, colour)), shader.inputs["Base Color"])
    elif name in ("turquoise", "lapis", "jade", "coral"):
        noise = n.add("TexNoise", Vector=where, Scale=float(rng.uniform(3, 9)), Detail=4.0)
        n.link(n.ramp(noise.outputs[0], (0.35, dark), (0.6, colour)), shader.inputs["Base Color"])
    elif name == "opal":
        noise = n.add("TexNoise", Vector=where, Scale=6.0, Detail=1.0)
        n.link(
            n.ramp(
                noise.outputs[0],
                (0.3, (0.3, 0.7, 0.9)),
                (0.45, (0.8, 0.82, 0.85)),
                (0.55, (0.5, 0.85, 0.6)),
                (0.68, (0.95, 0.6, 0.4)),
            ),
            shader.inputs["Base Color"],
        )
    n.surface(shader)
    n.write_truth()
    return n.material


def pearl(rng: Rng) -> Any:
    n = Nodes("pearl")
    kinds = [
        (0.86, 0.82, 0.76),
        (0.88, 0.76, 0.70),
        (0.80, 0.82, 0.84),
        (0.12, 0.13, 0.14),
        (0.85, 0.72, 0.45),
    ]
    colour = kinds[int(rng.choice(5, p=[0.45, 0.2, 0.15, 0.12, 0.08]))]
    n.surface(
        n.add(
            "BsdfPrincipled",
            Base_Color=colour,
            Roughness=0.28,
            Coat_Weight=0.9,
            Coat_Roughness=0.12,
            Sheen_Weight=0.3,
        )
    )
    n.write_truth()
    return n.material


def inlay(rng: Rng) -> Any:
    """Enamel, ceramic, carbon or wood."""
    n = Nodes("inlay")
    colour = tuple(float(c) for c in rng.uniform(0.02, 0.7, 3) ** 1.5)
    if rng.random() < 0.4:
        colour = (0.015, 0.015, 0.018)
    shader = n.add(
        "BsdfPrincipled",
        Base_Color=colour,
        Roughness=float(rng.uniform(0.08, 0.4)),
        Coat_Weight=0.5,
    )
    if rng.random() < 0.25:
        where = n.add("TexCoord").outputs["Object"]
        noise = n.add("TexNoise", Vector=where, Scale=7.0, Detail=4.0, Distortion=2.0)
        n.link(
            n.ramp(noise.outputs[0], (0.3, (0.08, 0.03, 0.01)), (0.7, (0.4, 0.2, 0.08))),
            shader.inputs["Base Color"],
        )
    n.surface(shader)
    n.write_truth()
    return n.material


def matt(
    name: str,
    colour: tuple[float, float, float],
    rough: float = 0.7,
    metallic: float = 0.0,
    specular: float = 0.5,
    sheen: float = 0.0,
    coat: float = 0.0,
) -> tuple[Nodes, Any]:
    """A plain ground or thing: its nodes and shader, for more to be added."""
    n = Nodes(name)
    shader = n.add(
        "BsdfPrincipled",
        Base_Color=tuple(map(float, colour)),
        Roughness=float(rough),
        Metallic=float(metallic),
        Specular_IOR_Level=float(specular),
        Sheen_Weight=float(sheen),
        Coat_Weight=float(coat),
    )
    n.surface(shader)
    return n, shader
