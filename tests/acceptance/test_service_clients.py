"""Contract X2, in the manner of clients that others wrote: from upload to picture, strictly."""

from __future__ import annotations

import shutil
import subprocess
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from client import CREDIT, PRICES, RING, Client
from pictures import HAND, SAMPLES, SIZE
from pictures import RING as RING_JPEG
from PIL import Image
from server import PATIENCE_S

NODE_CLIENT = Path(__file__).with_name("node_client.mjs")


class StrictClient:
    """A client that believes the documentation to the letter and raises on anything else."""

    def __init__(self, origin: str, key: str) -> None:
        if not (key.startswith("sk-") and len(key) > 20):
            raise ValueError("this does not look like an API key")
        self.origin, self.key = origin, key

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        response = requests.request(
            method,
            self.origin + path,
            json=body,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
            timeout=PATIENCE_S,
        )
        if response.status_code != 200:
            raise RuntimeError(f"HTTP {response.status_code}: {response.text}")
        parsed: dict[str, Any] = response.json()
        if type(parsed["status"]) is not int or parsed["status"] != 200:
            raise RuntimeError(f"status {parsed['status']!r}")
        if parsed.get("error") or parsed.get("error_code"):
            raise RuntimeError(str(parsed["error"]))
        return parsed

    def upload(self, data: bytes, content_type: str, path: str) -> str:
        entry = {"content_type": content_type, "file_name": "a.jpg", "file_size": len(data)}
        file = self.call("POST", path, {"files": [entry]})["data"]["files"][0]
        request = file["requests"][0]
        for name, value in request["headers"].items():
            if type(name) is not str or type(value) is not str:
                raise TypeError(f"header {name!r}: {value!r}")
        answer = requests.put(
            request["url"], data=data, headers=request["headers"], timeout=PATIENCE_S
        )
        if not 200 <= answer.status_code < 300:
            raise RuntimeError(f"upload: {answer.status_code}")
        return str(file["file_id"])

    def run(self, body: dict[str, Any]) -> bytes:
        task_id = self.call("POST", RING, body)["data"]["task_id"]
        if type(task_id) is not str:
            raise TypeError(f"task_id {task_id!r}")
        for _ in range(200):
            data = self.call("GET", f"{RING}/{task_id}")["data"]
            if data["task_status"] == "success":
                answer = requests.get(data["results"]["url"], timeout=PATIENCE_S)
                answer.raise_for_status()
                return answer.content
            if data["task_status"] == "error":
                raise RuntimeError(data.get("error_message") or data["error"])
            if data["task_status"] != "running":
                raise ValueError(f"unknown status {data['task_status']}")
            time.sleep(0.1)
        raise TimeoutError(task_id)


@pytest.fixture
def strictly(client: Client) -> StrictClient:
    return StrictClient(client.base, client.key or "")


def is_the_hands_size(data: bytes) -> bool:
    with Image.open(BytesIO(data)) as image:
        image.load()
        return image.size == SIZE


def test_x2_a_strict_python_client(strictly: StrictClient) -> None:
    path = "/s2s/v2.0/file/2d-vto/ring"
    hand = strictly.upload(HAND, "image/jpg", path)
    ring = strictly.upload(RING_JPEG, "image/jpg", path)
    body = {
        "src_file_id": hand,
        "ref_file_ids": [ring],
        "source_info": {"name": hand},
        "object_infos": [{"name": ring, "parameter": {"ring_wearing_finger": 3}}],
    }
    assert is_the_hands_size(strictly.run(body))


def test_x2_a_client_as_the_vendors_command_line(strictly: StrictClient) -> None:
    """Universal uploads, one singular reference, the balance before and after, prices by page."""

    def balance() -> float:
        lines = strictly.call("GET", CREDIT)["results"]
        return float(sum(one["amount_dec"] for one in lines if one["type"].startswith("Api")))

    before = balance()
    hand = strictly.upload(HAND, "image/jpeg", "/s2s/v2.0/file")
    ring = strictly.upload(RING_JPEG, "image/jpeg", "/s2s/v2.0/file")
    assert is_the_hands_size(strictly.run({"src_file_id": hand, "ref_file_id": ring}))

    token, costs = "null", {}
    while token:
        path = f"{PRICES}?page_size=1&starting_token={token}"
        page = strictly.call("GET", path)["result"]
        for sku in page["skus"]:
            costs.setdefault(sku["run_task_url"].partition("/task/")[2], []).append(sku["amount"])
        token = page["next_token"]
    assert costs == {"2d-vto/ring": [1, 2]}
    assert before - balance() == costs["2d-vto/ring"][0]


def test_x2_a_node_client(client: Client) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.strip().lstrip("v").split(".")[0]) < 18:
        pytest.skip("node is too old for fetch")
    pictures = (SAMPLES / "hand-light.jpg", SAMPLES / "ring-solitaire.jpg")
    words = [node, str(NODE_CLIENT), client.base, client.key or "", *map(str, pictures)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=2 * PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(side) for side in SIZE]
