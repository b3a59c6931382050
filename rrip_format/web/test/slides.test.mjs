// Real slides, and a large one: the pixels of read_region, and few requests.
//
// RRIP_WEB_SLIDES is a folder with slides and what tests/web/test_slides.py expects of them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { Slide } from "../src/index.js";
import { serve } from "./server.mjs";

const { RRIP_WEB_SLIDES: SLIDES } = process.env;
const expected = SLIDES ? JSON.parse(await readFile(`${SLIDES}/expected.json`, "utf8")) : {};

for (const [name, { digests, frame, most }] of Object.entries(expected)) {
  test(name, async () => {
    for (const cors of [false, true]) {
      const server = await serve({ slides: SLIDES }, { cors });
      const slide = await Slide.open(`${server.url}/slides/${name}`);
      const opened = slide.counts;
      assert.ok(opened.requests <= 3 && opened.bytes <= 100_000, `opening took ${JSON.stringify(opened)}`);
      await Promise.all(frame.map(([row, col]) => slide.block(0, row, col)));
      const seen = slide.counts;
      const [requests, bytes] = [seen.requests - opened.requests, seen.bytes - opened.bytes];
      console.log(
        `${name}: opened by ${opened.requests} requests, ${opened.bytes} bytes; a frame by ${requests} requests, ${bytes} bytes`,
      );
      assert.ok(requests <= most.requests && bytes <= most.bytes, `a frame took ${requests} requests, ${bytes} bytes`);
      if (!cors) {
        for (const [place, digest] of Object.entries(digests)) {
          const { pixels, faults } = await slide.block(...place.split("/").map(Number));
          assert.deepEqual(faults, []);
          const found = createHash("sha256")
            .update(pixels.filter((_, k) => k % 4 !== 3))
            .digest("hex");
          assert.equal(found, digest, place);
        }
      }
      await server.close();
    }
  });
}
