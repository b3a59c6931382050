// The conformance set in Node, over HTTP.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { runVectors } from "./conformance.js";
import { serve } from "./server.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

test("every valid, invalid and strict case", async () => {
  const server = await serve({ vectors: `${ROOT}/spec/vectors` });
  const { wrong, valid, invalid } = await runVectors(`${server.url}/vectors`, new URL("../rrip.wasm", import.meta.url));
  await server.close();
  assert.deepEqual(wrong, []);
  assert.ok(valid > 50 && invalid > 190, `${valid} valid and ${invalid} invalid cases`);
  console.log(`${valid} valid and ${invalid} invalid cases`);
});
