// A client as shops write it, with nothing but fetch: upload, create, poll, download.
//   node node_client.mjs ORIGIN KEY HAND RING        prints the picture's width and height
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

const [origin, key, hand, ring] = process.argv.slice(2);
const RING = "/s2s/v2.0/task/2d-vto/ring";

async function call(method, path, body) {
  const response = await fetch(origin + path, {
    method,
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const result = await response.json();
  if (response.status !== 200 || result?.status !== 200 || result.error) {
    throw new Error(`${method} ${path}: ${response.status} ${result?.error ?? ""}`);
  }
  return result;
}

async function upload(path) {
  const bytes = await readFile(path);
  const file = { content_type: "image/jpg", file_name: basename(path), file_size: bytes.length };
  const result = await call("POST", "/s2s/v2.0/file/2d-vto/ring", { files: [file] });
  const { file_id, requests } = result.data.files[0];
  const { method, url, headers } = requests[0];
  if (typeof headers["Content-Type"] !== "string") throw new Error("no Content-Type to send");
  // The headers go out as they came: fetch rejects a Content-Length that is not the body's.
  const response = await fetch(url, { method, headers, body: bytes });
  if (!response.ok) throw new Error(`upload: ${response.status}`);
  return file_id;
}

async function poll(taskId) {
  for (let tries = 0; tries < 100; tries += 1) {
    const { data } = await call("GET", `${RING}/${encodeURIComponent(taskId)}`);
    switch (data.task_status) {
      case "success":
        return data.results.url;
      case "error":
        throw new Error(data.error_message ?? data.error);
      case "running":
        await new Promise((resolve) => setTimeout(resolve, 200));
        break;
      default:
        throw new Error(`unknown status ${data.task_status}`);
    }
  }
  throw new Error("gave up");
}

function sizeOfJpeg(bytes) {
  let at = 2;
  while (at < bytes.length) {
    const marker = bytes.readUInt16BE(at);
    if (marker >= 0xffc0 && marker <= 0xffc3) {
      return [bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5)];
    }
    at += 2 + bytes.readUInt16BE(at + 2);
  }
  throw new Error("not a JPEG");
}

const [src_file_id, ref_file_id] = await Promise.all([upload(hand), upload(ring)]);
const { data } = await call("POST", RING, {
  src_file_id,
  ref_file_ids: [ref_file_id],
  source_info: { name: src_file_id },
  object_infos: [
    {
      name: ref_file_id,
      parameter: {
        ring_wearing_finger: 3,
        ring_wearing_location: 0.5,
        ring_shadow_intensity: 0.15,
        ring_ambient_light_intensity: 1,
        ring_anchor_point: null,
      },
    },
  ],
});
const picture = await fetch(await poll(data.task_id));
if (!picture.ok) throw new Error(`download: ${picture.status}`);
if (!picture.headers.get("content-type").startsWith("image/")) throw new Error("no picture");
console.log(sizeOfJpeg(Buffer.from(await picture.arrayBuffer())).join(" "));
