"""Contract E1 to E5: what a picture can fail of, each by its code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from client import Client, merged, refused
from pictures import (
    HAND,
    cut_hand,
    flat,
    hand_png,
    headless_ring_mask,
    no_ring,
    noise_png,
    tiny_hand,
    two_hands,
)
from pictures import RING as RING_JPEG
from receiver import Answer, Receiver
from server import free_port

PALM = Path(__file__).resolve().parents[3] / "shared/data/photos/hands_bad/b005.jpg"
"""A photo that may not be passed on: where it is, it is tried."""

GIF = b"GIF89a" + bytes(200)
TOO_MANY_BYTES = 10 * 1024 * 1024

Answering = Callable[[object], Answer]
Dead = dict[str, str]


@pytest.fixture
def hand(client: Client) -> str:
    return client.upload(HAND)


@pytest.fixture
def ring(client: Client) -> str:
    return client.upload(RING_JPEG)


@pytest.fixture(autouse=True)
def _free_of_charge(client: Client) -> Iterator[None]:
    """No error of this file may cost a unit; what succeeds all the same costs one."""
    before, done = client.units(), n_successes(client)
    yield
    assert before - client.units() == n_successes(client) - done


def n_successes(client: Client) -> float:
    text = client.plain("GET", f"{client.base}/metrics").text
    found = re.search(r'^anello_tasks_ended_total\{outcome="success"\} (\S+)$', text, re.M)
    return float(found[1]) if found else 0.0


def test_e1_no_hand(client: Client, ring: str) -> None:
    data = client.run(merged(client.upload(RING_JPEG), [ring]))
    assert (data["error"], data["error_message"]) == ("PHOTO_DETECTION_FAIL", "No hand detected")
    assert client.error_of(merged(client.upload(flat(600, 800)), [ring])) == "PHOTO_DETECTION_FAIL"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (tiny_hand, "Hand size should fit in range"),
        (cut_hand, "Hand size should fit in range"),
        (two_hands, "Hand pose should be correct"),
    ],
)
def test_e1_a_hand_that_will_not_do(
    client: Client, ring: str, make: Callable[[], bytes], message: str
) -> None:
    data = client.run(merged(client.upload(make()), [ring]))
    assert (data["error"], data["error_message"]) == ("PHOTO_CHECK_INVALID", message)


@pytest.mark.skipif(not PALM.exists(), reason="the photo is not here")
def test_e1_a_palm(client: Client, ring: str) -> None:
    data = client.run(merged(client.upload(PALM.read_bytes()), [ring]))
    expected = ("PHOTO_CHECK_INVALID", "Hand pose should be correct")
    assert (data["error"], data["error_message"]) == expected


def test_e2_no_ring(client: Client, hand: str) -> None:
    data = client.run(merged(hand, [client.upload(no_ring())]))
    assert (data["error"], data["error_message"]) == ("OBJECT_DETECTION_FAIL", "No ring detected")
    nothing = client.upload(flat(500, 500, 255))
    assert client.error_of(merged(hand, [nothing])) == "OBJECT_DETECTION_FAIL"


def test_e2_one_bad_ring_of_two_fails_the_task(client: Client, hand: str, ring: str) -> None:
    body = merged(hand, [ring, client.upload(no_ring())])
    assert client.error_of(body) == "OBJECT_DETECTION_FAIL"


BROKEN = {
    "text": b"no picture at all",
    "gif": GIF,
    "webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(64),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "truncated jpeg": HAND[:9000],
    "jpeg header": HAND[:4],
    "mutated png": hand_png()[:5000] + bytes(64) + hand_png()[5064:],
    "one byte": b"\xff",
    "zeros": bytes(1000),
}


@pytest.mark.parametrize("what", BROKEN)
def test_e3_bytes_that_are_no_whole_jpeg_or_png(
    client: Client, receiver: Receiver, hand: str, ring: str, what: str
) -> None:
    data = BROKEN[what]
    for name in (client.upload(data), receiver.host(data, Content_Type="image/jpeg")):
        done = client.run(merged(name, [ring]))
        assert done["error"] == "INPUT_ERROR"
        assert done["error_message"].startswith("Input file format is incorrect")
        assert client.error_of(merged(hand, [name])) == "INPUT_ERROR"


def test_e3_an_empty_hand(client: Client, receiver: Receiver, ring: str) -> None:
    done = client.run(merged(receiver.host(b""), [ring]))
    expected = ("INPUT_MAIN_IMAGE_EMPTY", "User image is required")
    assert (done["error"], done["error_message"]) == expected


@pytest.mark.parametrize("bad", [b"no picture", HAND[:9000], flat(64, 64, 0)])
def test_e3_a_mask_that_is_none(
    client: Client, receiver: Receiver, hand: str, ring: str, bad: bytes
) -> None:
    by_id, by_url = client.upload(bad), receiver.host(bad)
    for field, value in (
        ("srcmsk_file_id", by_id),
        ("srcmsk_file_url", by_url),
        ("refmsk_file_ids", [by_id]),
        ("refmsk_file_urls", [by_url]),
    ):
        assert client.error_of(merged(hand, [ring]) | {field: value}) == "error_decode_mask", field


def test_e3_anchors_outside_the_product_photo(client: Client, hand: str, ring: str) -> None:
    for anchors in ([[10, 10], [9999, 20]], [[-5, 10], [200, 20]]):
        body = merged(hand, [ring], [{"ring_anchor_point": anchors}])
        assert client.error_of(body) == "invalid_parameter"


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 2), (3, 2), (1, 4096), (4096, 1)])
def test_e3_the_smallest_pictures_are_never_an_unexpected_error(
    client: Client, hand: str, ring: str, width: int, height: int
) -> None:
    name = client.upload(flat(width, height))
    assert client.error_of(merged(name, [ring])) == "PHOTO_DETECTION_FAIL"
    assert client.error_of(merged(hand, [name])) == "OBJECT_DETECTION_FAIL"
    for field, value in (("srcmsk_file_id", name), ("refmsk_file_ids", [name])):
        data = client.run(merged(hand, [ring]) | {field: value})
        assert data["task_status"] == "success" or data["error"] != "RUNTIME_ERROR", data


@pytest.mark.parametrize(
    "anchors",
    [
        [[44, 318], [414, 289]],
        [[0, 0], [1, 1]],
        [[0, 0], [699, 699]],
        [[350, 350], [351, 350]],
        [[100, 100], [100, 600]],
        [[699, 10], [690, 20]],
    ],
    ids=str,
)
def test_e3_anchors_beside_the_ring_are_never_an_unexpected_error(
    client: Client, hand: str, ring: str, anchors: list[list[int]]
) -> None:
    """Within the photo; so it is drawn as told, or said what is wrong with it."""
    data = client.run(merged(hand, [ring], [{"ring_anchor_point": anchors}]))
    assert data["error"] in {None, "invalid_parameter", "PHOTO_CHECK_INVALID"}


# --- addresses -----------------------------------------------------------------------------------


def redirect(to: str, status: int = 302) -> Answering:
    return lambda _: Answer(status, b"", {"Location": to})


@pytest.fixture
def dead(receiver: Receiver) -> Dead:
    """Addresses that give no picture."""
    return {
        "refused": f"http://127.0.0.1:{free_port()}/hand.jpg",
        "no such host": "http://nobody.invalid/hand.jpg",
        "404": receiver.host(HAND, status=404),
        "401": receiver.host(HAND, status=401),
        "500": receiver.host(HAND, status=500),
        "closed": receiver.on(lambda _: Answer(0)),
        "cut short": receiver.on(
            lambda _: Answer(200, HAND[:500], {"Content-Length": str(len(HAND))}, is_sized=False)
        ),
        "round and round": round_and_round(receiver),
        "redirected to a file": receiver.on(redirect("file:///etc/passwd")),
    }


def round_and_round(receiver: Receiver) -> str:
    """An address that redirects to itself."""
    here: list[str] = []
    here.append(receiver.on(lambda _: Answer(302, b"", {"Location": here[0]})))
    return here[0]


def test_e4_a_dead_address_of_a_picture(client: Client, hand: str, ring: str, dead: Dead) -> None:
    for name, url in dead.items():
        assert client.error_of(merged(url, [ring])) == "error_download_image", name
        assert client.error_of(merged(hand, [url])) == "error_download_image", name


def test_e4_a_dead_address_of_a_mask(client: Client, hand: str, ring: str, dead: Dead) -> None:
    for name, url in dead.items():
        body = merged(hand, [ring], srcmsk_file_url=url)
        assert client.error_of(body) == "error_download_mask", name
    body = merged(hand, [ring], refmsk_file_urls=[dead["404"]])
    assert client.error_of(body) == "error_download_mask"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/hand.jpg",
        "file:///etc/hostname",
        "gopher://127.0.0.1/",
        "data:image/png;base64,AAAA",
        "not an address",
        "http://",
        "http:///x.jpg",
        "http://[::1",
        "http://127.0.0.1:99999/x.jpg",
        "//127.0.0.1/x.jpg",
        "http://a b/x.jpg",
        "http://127.0.0.1\\@example.com/",
        "http://" + "a" * 5000 + ".example/",
        "http://127.0.0.1/\r\nX: y",
    ],
)
def test_e4_what_is_no_http_address_at_all(client: Client, ring: str, url: str) -> None:
    """Refused at once or by the task; never taken."""
    response = client.post({"src_file_url": url, "ref_file_ids": [ring]})
    if response.status_code == 200:
        task_id = response.json()["data"]["task_id"]
        assert client.wait(task_id)["error"] == "error_download_image"
    else:
        assert "src_file_url" in refused(response, 400, "InvalidParameters")


def test_e4_redirects_are_followed(client: Client, receiver: Receiver, ring: str) -> None:
    target = receiver.host(no_ring())
    for status in (301, 302, 303, 307, 308):
        url = receiver.on(redirect(target, status))
        assert client.error_of(merged(url, [ring])) == "PHOTO_DETECTION_FAIL"
    relative = receiver.on(redirect(target.removeprefix(receiver.base)))
    assert client.error_of(merged(relative, [ring])) == "PHOTO_DETECTION_FAIL"


def test_e4_no_credentials_go_along(client: Client, receiver: Receiver, ring: str) -> None:
    url = receiver.host(no_ring())
    client.run(merged(url, [ring]))
    (request,) = receiver.received(url)
    assert request.method == "GET"
    assert "authorization" not in request.headers
    assert "cookie" not in request.headers
    assert client.key is not None
    assert client.key not in str(request.headers)


@pytest.mark.parametrize("by", ["url", "id"])
def test_e4_4097_pixels(client: Client, receiver: Receiver, hand: str, ring: str, by: str) -> None:
    for width, height in ((4097, 16), (16, 4097)):
        large = flat(width, height)
        name = receiver.host(large) if by == "url" else client.upload(large)
        assert client.error_of(merged(name, [ring])) == "error_exceed_max_image_size"
        assert client.error_of(merged(hand, [name])) == "error_exceed_max_image_size"
    fits = flat(4096, 16)
    name = receiver.host(fits) if by == "url" else client.upload(fits)
    assert client.error_of(merged(name, [ring])) == "PHOTO_DETECTION_FAIL"


@pytest.mark.parametrize("is_sized", [True, False], ids=["sized", "unsized"])
def test_e4_10_mib_by_url(
    client: Client, receiver: Receiver, hand: str, ring: str, is_sized: bool
) -> None:
    exact = HAND + bytes(TOO_MANY_BYTES - len(HAND))
    url = receiver.on(lambda _: Answer(200, exact, is_sized=is_sized))
    assert client.error_of(merged(url, [ring])) == "exceed_max_filesize"
    assert client.error_of(merged(hand, [url])) == "exceed_max_filesize"
    fits = noise_png(9_900_000)
    less = receiver.on(lambda _: Answer(200, fits, is_sized=is_sized))
    assert client.error_of(merged(less, [ring])) == "PHOTO_DETECTION_FAIL"


def test_e4_a_mask_of_10_mib(client: Client, receiver: Receiver, hand: str, ring: str) -> None:
    url = receiver.host(headless_ring_mask() + bytes(TOO_MANY_BYTES))
    assert client.error_of(merged(hand, [ring], srcmsk_file_url=url)) == "exceed_max_filesize"


def test_e5_private_addresses_are_refused_by_default(
    strict_client: Client, receiver: Receiver
) -> None:
    url = receiver.host(HAND)
    port, path = receiver.port, url.removeprefix(receiver.base)
    ring = strict_client.upload(RING_JPEG)
    hosts = [
        "127.0.0.1",
        "localhost",
        "127.1",
        "127.0.0.2",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "user:pass@127.0.0.1",
        "example.com@127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "224.0.0.1",
        "255.255.255.255",
    ]
    tasks = {}
    for host in hosts:
        address = f"http://{host}:{port}{path}"
        body = {
            "src_file_url": address,
            "ref_file_ids": [ring],
            "source_info": {"name": address},
            "object_infos": [{"name": ring}],
        }
        response = strict_client.post(body)
        if response.status_code == 200:
            tasks[host] = response.json()["data"]["task_id"]
        else:
            refused(response, 400, "InvalidParameters")
    assert tasks, "a private address is an error of the task, not of the request"
    for host, task_id in tasks.items():
        data = strict_client.wait(task_id)
        assert data["error"] == "error_download_image", (host, data)
    assert receiver.received(url) == [], "a private address was asked"


def test_e5_the_message_tells_nothing_of_the_network(strict_client: Client) -> None:
    """Open and closed ports, and hosts that are there and not, all read the same."""
    ring = strict_client.upload(RING_JPEG)
    said = set()
    for host in (f"127.0.0.1:{free_port()}", "127.0.0.1:22", "10.1.2.3", "169.254.169.254"):
        address = f"http://{host}/latest/meta-data/"
        done = strict_client.run(merged(address, [ring]))
        said.add(done["error_message"].replace(host, "").replace(host.split(":")[0], ""))
    assert len(said) == 1, said
