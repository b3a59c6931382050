// How the reader asks for bytes, and what it makes of servers and documents that are not as they should be.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Slide } from "../src/index.js";
import { HttpFile, patience } from "../src/http.js";
import { NotAnInteger, canonical, parseJson, plain } from "../src/json.js";
import { Lru } from "../src/lru.js";
import { Ranges } from "../src/ranges.js";
import { Shared } from "../src/shared.js";
import { formatPlace, parsePlace } from "../page/place.js";
import { scaleBar, zoomChoices } from "../page/scale.js";
import { serve } from "./server.mjs";

const CONTAINERS = fileURLToPath(new URL("../../../spec/vectors/containers", import.meta.url));
const json = (text) => parseJson(new TextEncoder().encode(text), "it");

/** A file of 4 MiB, each byte its place. */
async function numbers() {
  const folder = await mkdtemp(join(tmpdir(), "rrip-"));
  await writeFile(
    join(folder, "file"),
    Uint8Array.from({ length: 1 << 22 }, (_, at) => at % 251),
  );
  return folder;
}

test("ranges that are near each other are one request", async () => {
  const server = await serve({ data: await numbers() });
  const ranges = new Ranges(new HttpFile(`${server.url}/data/file`));
  await ranges.readNow(0, 16);
  const wanted = [0, 5000, 40_000, 500_000, 505_000, 3_000_000].map((offset) => [offset, 3000]);
  const found = await Promise.all(wanted.map(([offset, length]) => ranges.read(offset, length)));
  found.forEach((data, k) => {
    assert.equal(data.length, 3000);
    assert.equal(data[7], (wanted[k][0] + 7) % 251);
  });
  assert.equal(ranges.counts.requests, 1 + 3);
  await server.close();
});

test("a request that nobody waits for any more is not made, or broken off", async () => {
  const server = await serve({ data: await numbers() }, { delay: 50 });
  const ranges = new Ranges(new HttpFile(`${server.url}/data/file`));
  await ranges.readNow(0, 16);
  const [before, during] = [new AbortController(), new AbortController()];
  const early = ranges.read(0, 100, before.signal);
  const late = ranges.read(2_000_000, 100, during.signal);
  const other = ranges.read(2_000_200, 100);
  before.abort();
  setTimeout(() => during.abort(), 20);
  await assert.rejects(early, { name: "AbortError" });
  await assert.rejects(late, { name: "AbortError" });
  assert.equal((await other)[0], 2_000_200 % 251, "whoever shares a request still gets it");
  assert.equal(ranges.counts.requests, 2);
  await server.close();
});

test("the size of a file follows without Content-Range", async () => {
  const folder = await numbers();
  const server = createServer((request, response) => {
    const [from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range).slice(1);
    const last = to ? Number(to) : (1 << 22) - 1;
    response.writeHead(206, { "Content-Length": last + 1 - from });
    void readFile(join(folder, "file")).then((data) => response.end(data.subarray(Number(from), last + 1)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const ranges = new Ranges(new HttpFile(`http://127.0.0.1:${server.address().port}/file`));
  await ranges.readNow(0, 16);
  assert.throws(() => ranges.size, { rule: "storage.failed" });
  assert.equal((await ranges.readNow(1000, 5000)).length, 5000);
  assert.equal(ranges.size, 1 << 22);
  await assert.rejects(ranges.read(1 << 22, 1), { rule: "file.range" });
  server.closeAllConnections();
  server.close();
});

/** A server whose answer to request `count` is up to `behave`; it is left with its connections. */
async function misbehaving(behave) {
  let count = 0;
  const server = createServer((request, response) => behave(++count, request, response));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/slide.rrip.tif`,
    count: () => count,
    close: () => (server.closeAllConnections(), server.close()),
  };
}

const SIZE = 1000;
const byteAt = (at) => at % 251;

/** Answer a range as it should be, but for some headers. */
function answer({ headers: { range }, method }, response, other = {}) {
  const [from, to] = /bytes=(\d+)-(\d*)/.exec(range ?? "bytes=0-").slice(1);
  const last = Math.min(to ? Number(to) : SIZE - 1, SIZE - 1);
  const headers = { "Content-Range": `bytes ${from}-${last}/${SIZE}`, "Content-Length": last + 1 - from, ...other };
  for (const [name, value] of Object.entries(headers)) if (value === null) delete headers[name];
  response.writeHead(range ? 206 : 200, headers);
  const body = Uint8Array.from({ length: last + 1 - from }, (_, k) => byteAt(Number(from) + k));
  return method === "HEAD" ? response.end() : { body, end: () => response.end(body) };
}

const half = (request, response, end) => {
  const { body } = answer(request, response);
  response.write(body.subarray(0, body.length / 2), () => end && response.destroy());
};

const FAILING = {
  "status 503": (_, response) => response.writeHead(503).end(),
  "status 429": (_, response) => response.writeHead(429, { "Retry-After": "1" }).end(),
  "a dropped connection": (request) => request.socket.destroy(),
  "a body that breaks off": (request, response) => half(request, response, true),
  "a body that breaks off, of unknown length": (request) =>
    request.socket.end("HTTP/1.0 206 OK\r\nContent-Range: bytes 0-15/1000\r\n\r\nshort"),
  "no answer": () => {},
  "half an answer": (request, response) => half(request, response, false),
};

for (const [name, fail] of Object.entries(FAILING)) {
  test(`${name} is tried again, and named if it stays`, async (context) => {
    const before = { ...patience };
    Object.assign(patience, { tries: 3, pauseMs: 1, longestPauseMs: 5, silenceMs: 150 });
    context.after(() => Object.assign(patience, before));
    let fails = (count) => count === 1;
    const server = await misbehaving((count, request, response) =>
      fails(count) ? fail(request, response) : answer(request, response).end(),
    );
    context.after(server.close);
    const data = await new HttpFile(server.url).fetchRange(0, 16);
    assert.deepEqual(
      [...data],
      Array.from({ length: 16 }, (_, k) => byteAt(k)),
    );
    assert.equal(server.count(), 2);
    fails = () => true;
    await assert.rejects(new HttpFile(server.url).fetchRange(0, 16), { rule: "storage.failed" });
  });
}

const NAMED = {
  "other bytes than those asked for": [{ "Content-Range": "bytes 100-115/1000" }, /does not answer byte ranges as/],
  "more bytes than were asked for": [{ "Content-Range": null, "Content-Length": 64 }, /does not answer byte ranges as/],
  "another ETag": [{ ETag: '"2"' }, /was replaced since it was opened/],
  "another time": [{ "Last-Modified": "Tue, 01 Jan 2030 00:00:00 GMT" }, /was replaced since it was opened/],
  "another size": [{ "Content-Range": "bytes 16-31/2000" }, /was replaced since it was opened/],
};

for (const [name, [headers, pattern]] of Object.entries(NAMED)) {
  test(`${name} in a later answer is named`, async (context) => {
    const first = { ETag: '"1"', "Last-Modified": "Mon, 01 Jan 2029 00:00:00 GMT" };
    const server = await misbehaving((count, request, response) =>
      answer(request, response, count === 1 ? first : { ...first, ...headers }).end(),
    );
    context.after(server.close);
    const file = new HttpFile(server.url);
    await file.fetchRange(0, 16);
    if (name.startsWith("more")) file.size = SIZE;
    await assert.rejects(file.fetchRange(16, 16), { rule: "storage.failed", message: pattern });
  });
}

test("a web page instead of a slide, and a server that compresses, are named", async (context) => {
  const before = { ...patience };
  Object.assign(patience, { tries: 2, pauseMs: 1 });
  context.after(() => Object.assign(patience, before));
  const page = await misbehaving((_, request, response) =>
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end("<p>Log in"),
  );
  context.after(page.close);
  await assert.rejects(Slide.open(page.url, { workers: 0 }), { message: /a web page instead of the slide/ });
  const packed = await misbehaving((_, request, response) => {
    if (request.method === "HEAD") answer(request, response);
    else response.writeHead(206, { "Content-Encoding": "gzip", "Content-Length": 4 }).end("junk");
  });
  context.after(packed.close);
  await assert.rejects(Slide.open(packed.url, { workers: 0 }), { message: /Content-Encoding|connection broke off/ });
});

test("the size comes from HEAD where nothing else tells it", async (context) => {
  const server = await misbehaving((_, request, response) => {
    const hidden = request.method === "HEAD" ? {} : { "Content-Range": null, "Content-Length": null };
    answer(request, response, hidden)?.end?.();
  });
  context.after(server.close);
  const file = new HttpFile(server.url);
  await file.fetchRange(10, 20);
  assert.equal(file.size, SIZE);
});

test("the whole file in answer to a range is not read", async () => {
  let sent = 0;
  const server = createServer((request, response) => {
    response.writeHead(200, { "Content-Length": 1 << 30 });
    const pour = () => {
      while (!response.destroyed && response.write(Buffer.alloc(1 << 16))) sent += 1 << 16;
    };
    response.on("drain", pour);
    pour();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/slide.rrip.tif`;
  await assert.rejects(Slide.open(url, { workers: 0 }), { rule: "storage.failed", message: /ignores byte ranges/ });
  assert.ok(sent < 1 << 25, `${sent} bytes were taken`);
  server.closeAllConnections();
  server.close();
});

test("a part that is called 200 is one, if the server says which", async (context) => {
  const server = createServer((request, response) => {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range).map(Number);
    const end = Math.min(last || SIZE - 1, SIZE - 1);
    response.writeHead(200, { "Content-Range": `bytes ${first}-${end}/${SIZE}`, "Content-Length": end + 1 - first });
    response.end(Buffer.alloc(end + 1 - first, first));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => (server.closeAllConnections(), server.close()));
  const file = new HttpFile(`http://127.0.0.1:${server.address().port}`);
  assert.deepEqual(await file.fetchRange(7, 3), new Uint8Array([7, 7, 7]));
  assert.equal(file.size, SIZE);
});

test("a stored tile is asked for once, and shared work ends with its last caller", async () => {
  const server = await serve({ data: `${CONTAINERS}/tiff` });
  const slide = await Slide.open(`${server.url}/data/slide.rrip.tif`);
  await Promise.all([slide.block(0, 0, 0), slide.block(0, 0, 0)]);
  const { requests } = slide.counts;
  await slide.block(0, 0, 0);
  await slide.tile(2, 0, 0); // it was read for level 0
  assert.equal(slide.counts.requests, requests);
  await assert.rejects(slide.tile(0, 99, 0), RangeError);
  await assert.rejects(slide.region(0, 0, 0, 1, 10 ** 6), RangeError);
  await server.close();

  const shared = new Shared();
  const callers = [new AbortController(), new AbortController()];
  let stopped = false;
  const work = (signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => ((stopped = true), reject(signal.reason))));
  const waits = callers.map(({ signal }) => shared.join("key", signal, work));
  callers[0].abort();
  await assert.rejects(waits[0], { name: "AbortError" });
  assert.equal(stopped, false);
  callers[1].abort();
  await assert.rejects(waits[1], { name: "AbortError" });
  assert.equal(stopped, true);
});

test("JSON is bounded, and keeps what canonical form needs", () => {
  assert.deepEqual(plain(json('{"a": [1, -2.5e1, "\\u00e9\\n", true, null]}')).a, [1, -25, "é\n", true, null]);
  assert.ok(json("768.0") instanceof NotAnInteger);
  assert.equal(json("768"), 768);
  assert.equal(canonical(json('{"b": 1e30, "a": 0.1, "€": "\\u0007"}')), '{"a":0.1,"b":1e+30,"€":"\\u0007"}');
  assert.equal(Object.hasOwn(json('{"__proto__": 1}'), "__proto__"), true);
  assert.equal({}.polluted, undefined);
  for (const text of [
    "",
    "{",
    "[1,]",
    "01",
    "1.",
    "nul",
    '"\t"',
    '"\\x"',
    "[1] 2",
    "NaN",
    "1".repeat(401),
    "\ufeff1",
  ]) {
    assert.throws(() => json(text), { rule: "metadata.json" }, text);
  }
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), "it"), { rule: "metadata.json" });
  for (const text of ["[".repeat(65) + "]".repeat(65), `[${"1,".repeat(2 ** 17)}1]`]) {
    assert.throws(() => json(text), { rule: "limit.metadata" });
  }
  assert.equal(json("[".repeat(64) + "]".repeat(64)).length, 1);
  for (const text of ["9007199254740992", "1e999", '"\\ud800"']) {
    assert.throws(() => canonical(json(text)), { rule: "metadata.seal" }, text);
  }
});

test("a cache forgets what was not used for longest", () => {
  const cache = new Lru(10);
  cache.set("a", 1, 4);
  cache.set("b", 2, 4);
  cache.get("a");
  cache.set("c", 3, 4);
  assert.deepEqual([cache.get("a"), cache.get("b"), cache.get("c"), cache.size], [1, undefined, 3, 8]);
  cache.set("d", 4, 100);
  assert.equal(cache.size, 0);
});

test("places and scale bars", () => {
  assert.deepEqual(parsePlace("#10,20,0.5"), { x: 10, y: 20, zoom: 0.5, degrees: 0 });
  assert.equal(formatPlace(parsePlace("#10,20,0.5,90")), "#10,20,0.5,90");
  for (const text of ["", "#", "#1,2", "#1,2,x", "#1,2,-1", "#1,2,0", "#1,2,3,4,5"])
    assert.equal(parsePlace(text), null);
  assert.deepEqual(scaleBar(0.25, 180), { width: 80, text: "20 µm" });
  assert.equal(scaleBar(25, 180).text, "2 mm");
  for (const size of [1e-6, 3e-4, 1, 7, 999.9999999, 1e6]) assert.ok(scaleBar(size, 180).width <= 181);
  const choices = zoomChoices({ mpp: [0.25, 0.25], objective: 20 });
  assert.deepEqual(choices.at(-1), { name: "40×", zoom: 1 });
});
