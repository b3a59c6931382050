// How the reader asks for bytes, and what it makes of servers and documents that are not as they should be.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Slide } from "../src/index.js";
import { HttpFile } from "../src/http.js";
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

test("a server that fails for a moment is asked again, one that sends less is found out", async () => {
  let count = 0;
  const server = createServer((request, response) => {
    count++;
    if (count === 1) response.writeHead(503).end();
    else response.writeHead(206, { "Content-Range": "bytes 0-15/1000" }).end(Buffer.alloc(count === 2 ? 16 : 5));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const ranges = new Ranges(new HttpFile(`http://127.0.0.1:${server.address().port}/file`));
  assert.equal((await ranges.readNow(0, 16)).length, 16);
  assert.equal(count, 2);
  await assert.rejects(ranges.read(100, 16), { rule: "file.range" });
  server.closeAllConnections();
  server.close();
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
