"""Put the sample rings on the sample hands, through the API: ``make demo``.

Starts a server of its own on a free port, does for each pair what any client does (register and
upload both photos, create the task, poll it, download the picture), stops the server, and draws
out/demo.png: rings, fingers before, fingers after.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import cv2
import httpx
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"
OUT = ROOT / "out"

PAIRS: tuple[tuple[str, str, dict[str, float]], ...] = (
    ("hand-light", "ring-solitaire", {"ring_wearing_finger": 3}),
    ("hand-dark", "ring-cabochon", {"ring_wearing_finger": 1, "ring_wearing_location": 0.5}),
    ("hand-brown", "ring-signet", {"ring_wearing_finger": 4, "ring_wearing_location": 0.5}),
    ("hand-sun", "ring-halo", {"ring_wearing_finger": 2}),
)
TILE = 420
"""Side of a picture on the sheet, px."""
START_S, TASK_S = 60, 60


def main() -> None:
    OUT.mkdir(exist_ok=True)
    columns = []
    with serving() as api:
        for hand, ring, parameter in PAIRS:
            path = OUT / f"{hand}-{ring}.jpg"
            started = perf_counter()
            details = try_on(api, SAMPLES / f"{hand}.jpg", SAMPLES / f"{ring}.jpg", parameter, path)
            print(f"{path.relative_to(ROOT)}  {(perf_counter() - started) * 1000:.0f} ms")
            site = details["report"]["rings"][0]["site"]
            columns.append(
                draw_column(SAMPLES / f"{ring}.jpg", SAMPLES / f"{hand}.jpg", path, site)
            )
    sheet = OUT / "demo.png"
    cv2.imwrite(str(sheet), np.hstack(columns))
    print(f"\nAll of them, the rings, before and after: {sheet}")


def try_on(
    api: httpx.Client, hand: Path, ring: Path, parameter: dict[str, float], out: Path
) -> dict[str, Any]:
    """The finished picture to ``out``; what the server tells of the task."""
    hand_id, ring_id = upload(api, hand, ring)
    body = {
        "src_file_id": hand_id,
        "ref_file_ids": [ring_id],
        "source_info": {"name": hand_id},
        "object_infos": [{"name": ring_id, "parameter": parameter}],
    }
    task_id = ask(api, "POST", "/s2s/v2.0/task/2d-vto/ring", json=body)["data"]["task_id"]
    deadline, pause = monotonic() + TASK_S, 0.1
    while monotonic() < deadline:
        task = ask(api, "GET", f"/s2s/v2.0/task/2d-vto/ring/{task_id}")["data"]
        if task["task_status"] == "success":
            out.write_bytes(httpx.get(task["results"]["url"]).raise_for_status().content)
            details: dict[str, Any] = ask(api, "GET", f"/v1/tasks/{task_id}")["data"]
            return details
        if task["task_status"] == "error":
            sys.exit(f"{hand.name} with {ring.name}: {task['error']}: {task['error_message']}")
        sleep(pause)
        pause = min(1.5 * pause, 2.0)  # a slow machine is not asked 250 times, which is the limit
    sys.exit(f"{hand.name} with {ring.name}: not done after {TASK_S} s")


def upload(api: httpx.Client, *paths: Path) -> list[str]:
    """The ids of the files, which are uploaded."""
    files = [
        {"content_type": "image/jpeg", "file_name": path.name, "file_size": path.stat().st_size}
        for path in paths
    ]
    registered = ask(api, "POST", "/s2s/v2.0/file/2d-vto/ring", json={"files": files})
    for path, file in zip(paths, registered["data"]["files"], strict=True):
        put = file["requests"][0]
        httpx.put(put["url"], headers=put["headers"], content=path.read_bytes()).raise_for_status()
    return [file["file_id"] for file in registered["data"]["files"]]


def ask(api: httpx.Client, method: str, path: str, **body: Any) -> Any:
    answer = api.request(method, path, **body)
    if answer.status_code != 200:
        sys.exit(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json()


@contextmanager
def serving() -> Iterator[httpx.Client]:
    """A server with a data folder of its own, and a client with its first key."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="anello-") as data:
        log = Path(data, "server.log")
        command = [sys.executable, "-m", "anello.cli", "serve", "--port", str(port), "--data", data]
        with log.open("wb") as stderr:
            server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            assert server.stdout is not None
            key = server.stdout.readline().strip()
            if not key:
                sys.exit(f"The server did not start:\n{log.read_text()}")
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as api:
                wait_until_ready(api)
                yield api
        finally:
            server.terminate()
            server.wait()


def wait_until_ready(api: httpx.Client) -> None:
    deadline = monotonic() + START_S
    while monotonic() < deadline:
        try:
            if api.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        sleep(0.05)
    sys.exit(f"The server is not ready after {START_S} s")


def draw_column(ring: Path, hand: Path, worn: Path, site: dict[str, Any]) -> np.ndarray:
    """The ring, and the place where it is worn before and after."""
    product, before, after = (cv2.imread(str(path)) for path in (ring, hand, worn))
    pictures = (product, close_up(before, site), close_up(after, site))
    return np.vstack([tile(picture) for picture in pictures])


def close_up(picture: np.ndarray, site: dict[str, Any], widths: float = 1.7) -> np.ndarray:
    """The square of so many finger widths each way from the ring's place."""
    (x, y), reach = site["centre_xy"], widths * site["width_px"]
    x0, y0, x1, y1 = (max(0, round(v)) for v in (x - reach, y - reach, x + reach, y + reach))
    return picture[y0:y1, x0:x1]


def tile(picture: np.ndarray) -> np.ndarray:
    """The picture on a white square."""
    box = np.full((TILE, TILE, 3), 255, np.uint8)
    scale = TILE / max(picture.shape)
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=mode)[:TILE, :TILE]
    y, x = (TILE - small.shape[0]) // 2, (TILE - small.shape[1]) // 2
    box[y : y + small.shape[0], x : x + small.shape[1]] = small
    return box


if __name__ == "__main__":
    main()
