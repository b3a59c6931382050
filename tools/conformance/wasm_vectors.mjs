// Decode the stored tiles of the conformance set by the WebAssembly module, with each of its kernels.
//
//     node tools/conformance/wasm_vectors.mjs rrip.wasm spec/vectors
//
// Valid tiles have to give the pixels whose digest the case names; of invalid cases, those whose tiles are all there and
// whose fault is in the bytes of a tile have to be refused. Prints a line for each difference, then the counts.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const BASE_LEVEL = 2;
const [modulePath, vectors] = process.argv.slice(2);
const { exports: core } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(modulePath)));

/** Hands out memory behind what the module has for itself; `reset` makes all of it free again. */
const heap = {
  next: core.__heap_base.value,
  reset() {
    this.next = core.__heap_base.value;
  },
  take(size) {
    const at = (this.next + 63) & ~63;
    this.next = at + size;
    const missing = this.next - core.memory.buffer.byteLength;
    if (missing > 0) core.memory.grow(Math.ceil(missing / 65536));
    return at;
  },
};

const view = () => new DataView(core.memory.buffer);
const bytes = () => new Uint8Array(core.memory.buffer);

function text(at) {
  let end = at;
  while (bytes()[end]) end++;
  return new TextDecoder().decode(bytes().slice(at, end));
}

function put(data) {
  const at = heap.take(data.length);
  bytes().set(data, at);
  return at;
}

/** The struct rrip_coding of a `coding` object. */
function putCoding(coding) {
  const at = heap.take(64);
  const uuid = Buffer.from(coding.uuid.replaceAll("-", ""), "hex");
  bytes().set(uuid.subarray(0, 8), at);
  view().setInt32(at + 8, coding.tile, true);
  coding.residuals.forEach((how, level) => {
    const numbers = [...how.taps, ...how.chroma_taps, ...how.cfl, how.planes];
    numbers.forEach((number, k) => view().setInt16(at + 12 + 22 * level + 2 * k, number, true));
  });
  const weights = coding.residuals[0].luma_filter ?? [0, 0, 0, 0];
  weights.forEach((number, k) => view().setInt16(at + 56 + 2 * k, number, true));
  return at;
}

function putNumbers(numbers) {
  const at = heap.take(4 * numbers.length);
  numbers.forEach((number, k) => view().setInt32(at + 4 * k, number, true));
  return at;
}

/** Planes of R, G and B of a whole tile, or the code that says what is wrong with it. */
function decode(kernels, coding, level, row, col, tiles) {
  heap.reset();
  const side = coding.tile * (level < BASE_LEVEL ? 2 ** (BASE_LEVEL - level) : level > BASE_LEVEL ? 4 : 1);
  const size = 3 * side * side;
  const numbers = putCoding(coding);
  const places = putNumbers(tiles.map(put));
  const sizes = putNumbers(tiles.map((tile) => tile.length));
  const window = putNumbers([0, side, 0, side]);
  const out = heap.take(size);
  const target = heap.take(48);
  view().setUint32(target, out, true);
  [size, 0, side * side, side, 1].forEach((n, k) => view().setBigUint64(target + 8 + 8 * k, BigInt(n), true));
  const room = core.rrip_decode_scratch(coding.tile, Math.max(...tiles.map((tile) => tile.length)));
  const scratch = heap.take(room);
  const fault = heap.take(48);
  const code = core.rrip_decode_tile(
    kernels, numbers, level, row, col, places, sizes, window, target, scratch, room, fault,
  );
  return code ? { code } : { planes: bytes().slice(out, out + size) };
}

function cases(folder) {
  return readdirSync(folder)
    .map((name) => ({ name, folder: join(folder, name) }))
    .filter((each) => existsSync(join(each.folder, "case.json")))
    .map((each) => ({ ...each, ...JSON.parse(readFileSync(join(each.folder, "case.json"))) }))
    .filter((each) => each.kind === "family" || each.kind === "overview");
}

const needed = (level) => (level >= BASE_LEVEL ? [level] : [2, 1, 0].filter((other) => other >= level));

function tilesOf(each, level) {
  const names = needed(level).map((other) => each.tiles[other]);
  return names.some((name) => !name) ? null : names.map((name) => readFileSync(join(each.folder, name)));
}

let failed = 0;
for (let index = 0, name; (name = core.rrip_core_list(index)); index++) {
  const kernels = core.rrip_core_named(name);
  const differs = (each, level, what) => {
    failed++;
    console.log(`${text(name)}: ${each.name}, level ${level}: ${what}`);
  };
  let valid = 0;
  let invalid = 0;
  for (const each of cases(vectors)) {
    for (const [level, expected] of Object.entries(each.expected).map(([key, value]) => [Number(key), value])) {
      const { code, planes } = decode(kernels, each.coding, level, each.row, each.col, tilesOf(each, level));
      const digest = planes && createHash("sha256").update(planes).digest("hex");
      if (digest !== expected.rgb_sha256) differs(each, level, code ? `refused with code ${code}` : "other pixels");
      valid++;
    }
  }
  for (const each of cases(join(vectors, "invalid"))) {
    const tiles = tilesOf(each, each.level);
    if (!tiles || !/^(tile|stream)\./.test(each.rule)) continue;
    const { code } = decode(kernels, each.coding, each.level, each.row, each.col, tiles);
    if (!(code > 0)) differs(each, each.level, code ? `code ${code}` : "accepted");
    invalid++;
  }
  console.log(`${text(name)}: ${valid} tiles decoded, ${invalid} refused`);
  if (!valid || !invalid) failed++;
}
process.exit(failed ? 1 : 0);
