// Viv's pixel sources and zarrita's store, and zarrita on `rrip serve`.
//
// RRIP_WEB_SLIDES and RRIP_WEB_SERVE are what tests/web/test_page.py makes and serves.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { Slide } from "../src/index.js";
import { createPixelSources } from "../src/viv.js";
import { RripStore } from "../src/zarrita.js";

const { RRIP_WEB_SLIDES: SLIDES, RRIP_WEB_SERVE: SERVE } = process.env;
const zarr = await import("zarrita").catch(() => null);
const skip = !SLIDES ? "RRIP_WEB_SLIDES is not set" : !zarr ? "zarrita is not installed: npm ci" : false;

const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const open = async (name = "slide.rrip.tif") => Slide.open(await openAsBlob(`${SLIDES}/${name}`));

/** SHA-256 of RGB, pixel by pixel, of planes that zarrita has read. */
function digestOf({ data, shape: [, height, width] }) {
  const rgb = new Uint8Array(3 * height * width);
  for (let at = 0; at < height * width; at++)
    for (let c = 0; c < 3; c++) rgb[3 * at + c] = data[c * height * width + at];
  return sha256(rgb);
}

async function compare(group, side) {
  const expected = JSON.parse(await readFile(`${SLIDES}/digests.json`, "utf8"));
  const arrays = {};
  for (const [place, digest] of Object.entries(expected)) {
    const [level, row, col] = place.split("/").map(Number);
    arrays[level] ??= await zarr.open(group.resolve(String(level)), { kind: "array" });
    const [, height, width] = arrays[level].shape;
    const part = (at, most) => zarr.slice(at * side, Math.min((at + 1) * side, most));
    assert.equal(digestOf(await zarr.get(arrays[level], [null, part(row, height), part(col, width)])), digest, place);
  }
}

describe("adapters", { skip }, () => {
  test("zarrita reads a container through our store", async () => {
    const slide = await open();
    const group = await zarr.open(new RripStore(slide), { kind: "group" });
    assert.equal(group.attrs.ome.multiscales[0].datasets.length, slide.levels);
    await compare(group, slide.blockSide);
  });

  test("a damaged chunk is an error of the store, and hatched for Viv", async () => {
    const slide = await open("damaged.rrip.tif");
    const array = await zarr.open((await zarr.open(new RripStore(slide), { kind: "group" })).resolve("0"), {
      kind: "array",
    });
    await assert.rejects(zarr.get(array, [null, zarr.slice(256, 512), zarr.slice(256, 512)]), {
      rule: "tile.checksum",
    });
    const { data, width, height } = await createPixelSources(slide)[0].getTile({ x: 1, y: 1 });
    assert.deepEqual([width, height], [256, 256]);
    const colours = new Set(new Uint32Array(data.buffer));
    assert.deepEqual([...colours].map((each) => each.toString(16)).sort(), ["ff5a00b4", "ffefe6f5"]);
  });

  test("Viv's sources have the interface and the pixels", async () => {
    const slide = await open();
    const sources = createPixelSources(slide);
    assert.equal(sources.length, slide.levels);
    const [first] = sources;
    assert.deepEqual(
      [first.shape, first.labels, first.dtype, first.tileSize],
      [[700, 900, 4], ["y", "x", "_c"], "Uint8", 256],
    );
    const expected = JSON.parse(await readFile(`${SLIDES}/digests.json`, "utf8"));
    for (const [level, source] of sources.entries()) {
      const { data } = await source.getTile({ x: 0, y: 0 });
      assert.equal(sha256(data.filter((_, k) => k % 4 !== 3)), expected[`${level}/0/0`]);
    }
    const whole = await sources.at(-1).getRaster();
    assert.deepEqual([whole.height, whole.width], sources.at(-1).shape.slice(0, 2));
  });

  test("zarrita reads what rrip serve gives", { skip: SERVE ? false : "RRIP_WEB_SERVE is not set" }, async () => {
    const group = await zarr.open(new zarr.FetchStore(`${SERVE}/slide.rrip.tif.raw.zarr`), { kind: "group" });
    await compare(group, 256);
    const damaged = await zarr.open(new zarr.FetchStore(`${SERVE}/damaged.rrip.tif.raw.zarr/0`), { kind: "array" });
    await assert.rejects(zarr.get(damaged, [null, zarr.slice(256, 512), zarr.slice(256, 512)]));
  });
});
