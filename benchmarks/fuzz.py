"""Mutated bodies, headers and files by the thousand: ``make fuzz``.

    python benchmarks/fuzz.py [--bodies 3000] [--headers 1000] [--files 500] [--seed 1]
        [--seconds 1800]

No answer may be a 5xx or take longer than it may, no picture may end in an unexpected error, memory
may not grow, and the server must be well afterwards. Exit code 1 if not; what was sent is kept in
benchmarks/out/fuzz. Everything stays on loopback.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import service
from client import DELETE, FILES, PRICES, RING, Client, Json, bare_answer, merged
from pictures import HAND, half_ring_mask, pixels, png
from pictures import RING as RING_JPEG
from receiver import Receiver
from server import Server, until

KEPT = Path(__file__).resolve().parent / "out" / "fuzz"
TASKS_AT_ONCE = 40
GROWTH_LIMIT, GROWTH_ALLOWANCE_MB = 1.15, 20.0
"""Memory after the second half over that after the first; and what does not count."""
EXPECTED_ENDS = {
    "success",
    "INPUT_ERROR",
    "INPUT_MAIN_IMAGE_EMPTY",
    "PHOTO_DETECTION_FAIL",
    "PHOTO_CHECK_INVALID",
    "OBJECT_DETECTION_FAIL",
    "error_exceed_max_image_size",
    "error_decode_mask",
    "error_download_image",
    "error_download_mask",
    "exceed_max_filesize",
    "invalid_parameter",
}
ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, 5e-324,
    "", " ", "null", "0", "\x00", "a\x00b", "é", "\U0001f48d", "\u202e", "../../etc/passwd", "%00",
    "' OR 1=1 --", "{{7*7}}", "${jndi:x}", "<script>", "A" * 300, "A" * 70_000, [], {}, [[]],
    [None], [0, 1], {"": ""}, {"__proto__": {}}, {"$ne": 1}, [[[[[[]]]]]], list(range(1000)),
]  # fmt: skip
ODD_BYTES = [0, 1, 0x7F, 0x80, 0xC0, 0xD8, 0xD9, 0xDA, 0xFE, 0xFF]


@dataclass
class Findings:
    answers: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory_mb: list[tuple[str, float, float]] = field(default_factory=list)

    def object(self, what: str, sent: bytes) -> None:
        """Note what is wrong, and keep what brought it about."""
        name = hashlib.sha256(sent).hexdigest()[:12]
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / name).write_bytes(sent)
        self.wrong.append(f"{what} (kept as {name})")


# --- bodies --------------------------------------------------------------------------------------


def good_bodies(client: Client, picture_url: str) -> list[tuple[str, Json]]:
    hand, ring = client.upload(HAND), client.upload(RING_JPEG)
    parameter = {
        "ring_need_remove_background": True,
        "ring_anchor_point": [[60, 330], [400, 300]],
        "ring_wearing_finger": 3,
        "ring_wearing_location": 0.3,
        "ring_shadow_intensity": 0.15,
        "ring_ambient_light_intensity": 1,
    }
    task = merged(hand, [ring, ring], [parameter, parameter])
    masks = {"srcmsk_file_id": client.upload(half_ring_mask()), "refmsk_file_ids": [ring]}
    entry = {"content_type": "image/jpg", "file_name": "hand.jpg", "file_size": 50_000}
    return [
        (RING, task),
        (RING, task | masks),
        (RING, merged(picture_url, [picture_url], [parameter])),
        (RING, {"src_file_id": hand, "ref_file_id": ring} | parameter),
        (FILES[0], {"files": [entry, entry]}),
        (FILES[1], {"files": [entry]}),
        (DELETE, {"task_id": "A" * 44}),
        ("/v1/inspect", {"kind": "hand", "file_id": hand, "finger": 3, "overlay": True}),
        ("/v1/inspect", {"kind": "ring", "file_url": picture_url, "overlay": False}),
    ]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a body, itself included."""
    yield path
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, one in inner:
        yield from places(one, (*path, key))


def mutated_json(body: Json, rng: random.Random) -> Any:
    """One to four values replaced, removed, repeated, wrapped or renamed."""
    body = copy.deepcopy(body)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        *way, last = rng.choice([path for path in places(body) if path] or [("x",)])
        holder: Any = body
        for key in way:
            holder = holder[key]
        match rng.randrange(6):
            case 0 | 1:
                holder[last] = copy.deepcopy(rng.choice(ODD_VALUES))
            case 2:
                holder.pop(last, None) if isinstance(holder, dict) else holder.pop(last)
            case 3:
                holder[last] = [holder.get(last) if isinstance(holder, dict) else holder[last]] * 3
            case 4 if isinstance(holder, dict):
                holder[str(rng.choice(ODD_VALUES))[:200]] = holder.pop(last, None)
            case _:
                value = holder[last] if not isinstance(holder, dict) else holder.get(last)
                if isinstance(value, int | float) and not isinstance(value, bool):
                    value = rng.choice((-value, value * 1e6, value + 0.1, str(value), -1 - value))
                elif isinstance(value, str) and not value.startswith("http"):
                    value = mutated_text(value, rng)
                holder[last] = value
    return body


def mutated_text(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return rng.choice((text[:at], text[:at] + chr(rng.randrange(1, 0x2FFF)) + text[at:], text * 2))


def mutated_bytes(data: bytes, rng: random.Random, most: int = 8) -> bytes:
    """Bytes changed, cut out, put in, repeated or lost at the end."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, most)):
        if not changed:
            break
        at, length = rng.randrange(len(changed)), rng.choice((1, 2, 4, 16, 300))
        match rng.randrange(6):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                changed[at] = rng.choice(ODD_BYTES)
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = rng.randbytes(length)
            case 4:
                changed[at:at] = changed[at : at + length]
            case _:
                if rng.random() < 0.3:
                    del changed[at:]
                else:
                    changed[at : at + length] = bytes(len(changed[at : at + length]))
    return bytes(changed)


def fuzz_bodies(
    client: Client, findings: Findings, rng: random.Random, n: int, url: str, deadline: float
) -> None:
    good, tasks = good_bodies(client, url), list[str]()
    for _ in range(n):
        if time.monotonic() > deadline:
            return findings.wrong.append("out of time: bodies")
        path, body = rng.choice(good)
        text = json.dumps(mutated_json(body, rng)).encode()
        if rng.random() < 0.25:
            text = mutated_bytes(json.dumps(body).encode(), rng)
            # A mutated address must not lead out of this machine.
            text = text if b"http" not in text else json.dumps(mutated_json(body, rng)).encode()
        elif rng.random() < 0.02:
            text = rng.randbytes(rng.randrange(2000))
        answer = send(client, findings, path, text)
        if answer is not None and answer.status_code == 200 and path == RING:
            tasks.append(answer.json()["data"]["task_id"])
        if len(tasks) >= TASKS_AT_ONCE:
            see_end(client, findings, tasks, text)
    see_end(client, findings, tasks, b"the last ones")


def send(client: Client, findings: Findings, path: str, text: bytes) -> requests.Response | None:
    headers = {"Content-Type": "application/json"}
    try:
        answer = client.call("POST", path, data=text, headers=headers)
    except (AssertionError, requests.RequestException, ValueError) as error:
        findings.object(f"{path}: {type(error).__name__} {error}"[:500], text)
        return None
    findings.answers[f"{path} {answer.status_code}"] += 1
    if answer.status_code >= 500:
        findings.object(f"{path}: {answer.status_code} {answer.text[:200]}", text)
    return answer


def see_end(client: Client, findings: Findings, tasks: list[str], sent: bytes) -> None:
    """Wait for all of them; forget them."""
    for task_id in tasks:
        try:
            data = client.wait(task_id)
        except AssertionError as error:
            findings.object(f"a task that does not end well: {error}"[:500], sent)
            continue
        end = data["error"] or "success"
        findings.ends[end] += 1
        if end not in EXPECTED_ENDS:
            request = json.dumps(client.call("GET", f"/v1/tasks/{task_id}").json())
            findings.object(f"a task ended in {end}", request.encode() + b"\n" + sent)
    tasks.clear()


# --- headers -------------------------------------------------------------------------------------

HEADERS = [
    "Authorization", "Content-Type", "Content-Length", "Transfer-Encoding", "Host", "Accept",
    "Accept-Encoding", "Connection", "Expect", "Range", "If-Range", "If-None-Match", "Origin",
    "Access-Control-Request-Method", "Access-Control-Request-Headers", "Cookie", "Idempotency-Key",
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Request-Id",
    "Upgrade", "X-HTTP-Method-Override", "Traceparent",
]  # fmt: skip
VALUES = [
    "", " ", "0", "-1", "1", "99999999999999999999", "chunked", "gzip, chunked", "100-continue",
    "bytes=0-", "bytes=-1", "bytes=5-2", "bytes=0-0,2-3,9-", "application/json", "image/jpeg",
    "multipart/form-data; boundary=x", "text/html; charset=utf-7", "*", "null", "https://a.example",
    "Bearer", "Bearer ", "Basic Og==", "127.0.0.1", "::1, unknown", "a" * 300, "a" * 9000, "\t",
    "é", "websocket", "close", "keep-alive", "GET", "../..", "%0d%0aX: y", '"', 'W/"x"', "\x01",
]  # fmt: skip
METHODS = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "FOO", "get", ""]


def fuzz_headers(
    server: Server, client: Client, findings: Findings, rng: random.Random, n: int, deadline: float
) -> None:
    """Over bare sockets, for no library would send them."""
    (file,) = client.register(len(HAND))
    upload = file["requests"][0]["url"].removeprefix(client.base)
    data = client.run(merged(client.upload(HAND), [client.upload(RING_JPEG)]))
    result = data["results"]["url"].removeprefix(client.base)
    paths = [RING, f"{RING}/x", *FILES, DELETE, PRICES, upload, result, "/v1/inspect", "/docs"]
    paths += ["/", "*", "//", "/%", "/%zz", "/..", "/\x01", "/" + "a" * 8000, "http://x.example/"]
    body = json.dumps(merged("a", ["b"])).encode()
    for _ in range(n):
        if time.monotonic() > deadline:
            return findings.wrong.append("out of time: headers")
        method = rng.choice(METHODS[:4] * 4 + METHODS)
        path = rng.choice(paths)
        if rng.random() < 0.2:
            path = mutated_text(path, rng)
        head = {"Host": "127.0.0.1", "Content-Length": str(len(body)), "Connection": "close"}
        if rng.random() < 0.8:
            head["Authorization"] = f"Bearer {client.key}"
        lines = [f"{name}: {value}" for name, value in head.items() if rng.random() > 0.1]
        n_odd = rng.choice((1, 1, 2, 5))
        lines += [f"{rng.choice(HEADERS)}: {rng.choice(VALUES)}" for _ in range(n_odd)]
        rng.shuffle(lines)
        text = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])
        raw = text.encode("latin-1", "replace") + body
        if rng.random() < 0.1:
            raw = mutated_bytes(raw, rng)
        status = status_of(server, raw)
        findings.answers[f"bare socket {status}"] += 1
        if status == "no end" or status.startswith("5"):
            findings.object(f"a bare socket's answer: {status}", raw)


def status_of(server: Server, raw: bytes) -> str:
    """The answer's status; how it went where there is none."""
    try:
        answer = bare_answer(server.port, raw)
    except TimeoutError:
        return "no end"
    return answer.split(b" ", 2)[1].decode("latin-1") if b" " in answer else "closed"


# --- files ---------------------------------------------------------------------------------------


def good_files() -> list[bytes]:
    """Small ones, so that a change hits something that matters; JPEGs of several kinds, PNGs."""
    import io

    from PIL import Image

    small = Image.fromarray(pixels(HAND)).resize((240, 300))
    files = []
    for how in ({}, {"progressive": True}, {"subsampling": 0, "restart_marker_rows": 1}):
        out = io.BytesIO()
        small.save(out, "JPEG", quality=80, **how)
        files.append(out.getvalue())
    for mode in ("RGBA", "P", "L", "I;16", "1"):
        out = io.BytesIO()
        image = small.convert("L").convert("I;16") if mode == "I;16" else small.convert(mode)
        image.save(out, "PNG")
        files.append(out.getvalue())
    return [*files, HAND, RING_JPEG, png(pixels(RING_JPEG)), half_ring_mask()]


def mutated_file(data: bytes, rng: random.Random) -> bytes:
    """Half of the changes to the head, where the meaning is."""
    if rng.random() < 0.5:
        at = min(len(data), 1000)
        return mutated_bytes(data[:at], rng, most=3) + data[at:]
    return mutated_bytes(data, rng)


def fuzz_files(
    client: Client, findings: Findings, rng: random.Random, n: int, deadline: float
) -> None:
    """Each mutated file as a hand, a ring, or a mask; and looked at by /v1/inspect."""
    hand, ring, good = client.upload(HAND), client.upload(RING_JPEG), good_files()
    makers: list[Callable[[str], Json]] = [
        lambda file_id: merged(file_id, [ring]),
        lambda file_id: merged(hand, [file_id]),
        lambda file_id: merged(hand, [ring], srcmsk_file_id=file_id),
        lambda file_id: merged(hand, [ring], refmsk_file_ids=[file_id]),
        lambda file_id: merged(
            hand, [file_id], [{"ring_anchor_point": [[rng.randrange(240) for _ in "xy"]] * 2}]
        ),
        lambda file_id: merged(
            hand,
            [ring],
            [{"ring_anchor_point": [[rng.randrange(700) for _ in "xy"] for _ in "ab"]}],
        ),
    ]
    for at in range(n):
        if time.monotonic() > deadline:
            return findings.wrong.append("out of time: files")
        data = mutated_file(rng.choice(good), rng) or b"\xff"
        file_id = client.upload(data, again=False)
        answer = client.post(rng.choice(makers)(file_id))
        findings.answers[f"{RING} with a mutated file {answer.status_code}"] += 1
        if answer.status_code == 200:
            see_end(client, findings, [answer.json()["data"]["task_id"]], data)
        if at % 4 == 0:
            body = {"kind": rng.choice(("hand", "ring")), "file_id": file_id, "overlay": True}
            send(client, findings, "/v1/inspect", json.dumps(body).encode())


# --- all of it -----------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=3000)
    parser.add_argument("--headers", type=int, default=1000)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1800, help="when to stop at the latest")
    asked = parser.parse_args()
    findings, rng = Findings(), random.Random(asked.seed)
    deadline = time.monotonic() + asked.seconds
    settings = {"ANELLO_WORKERS": "2", "ANELLO_ANALYSES_MB": "32"}
    with service.measured(**settings) as (server, client), Receiver() as receiver:
        url = receiver.host(HAND)
        for half in ("first", "second"):  # memory after the second is held against the first
            fuzz_bodies(client, findings, rng, asked.bodies // 2, url, deadline)
            fuzz_headers(server, client, findings, rng, asked.headers // 2, deadline)
            fuzz_files(client, findings, rng, asked.files // 2, deadline)
            findings.memory_mb.append((half, *service.resident_mb(server)))
            print(f"the {half} half is done", file=sys.stderr, flush=True)
        until(lambda: client.call("GET", "/readyz").status_code == 200, "the server to be well")
        body = merged(client.upload(HAND), [client.upload(RING_JPEG)])
        if client.run(body)["task_status"] != "success":
            findings.wrong.append("a good task fails afterwards")
        if "Traceback" in server.log_text():
            findings.wrong.append("a traceback in the log")
        errors = [line for line in server.log_text().splitlines() if '"level": "error"' in line]
        findings.wrong += errors[:20]
    sys.exit(report(findings))


def report(findings: Findings) -> int:
    print(service.head("answers", "number"))
    for what, count in sorted(findings.answers.items()):
        print(service.row(what, count))
    print()
    print(service.head("tasks ended in", "number"))
    for end, count in findings.ends.most_common():
        print(service.row(end, count))
    print()
    print(service.head("memory after the half", "server MB", "drawing processes MB"))
    for half, own, others in findings.memory_mb:
        print(service.row(half, f"{own:.0f}", f"{others:.0f}"))
    if len(findings.memory_mb) == 2:
        (_, *before), (_, *after) = findings.memory_mb
        for name, early, late in zip(("server", "drawing processes"), before, after, strict=True):
            if late > early * GROWTH_LIMIT + GROWTH_ALLOWANCE_MB:
                findings.wrong.append(f"{name}: memory grew from {early:.0f} to {late:.0f} MB")
    print()
    for line in findings.wrong:
        print(f"WRONG: {line}")
    print(f"{len(findings.wrong)} wrong")
    return int(bool(findings.wrong))


if __name__ == "__main__":
    main()
