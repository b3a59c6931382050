// The compiled core: `rrip.wasm`, the decoder of rrip_format/core/src, whose contract is rrip.h.

import { RripError } from "./errors.js";

/** @typedef {import("./coding.js").Coding} Coding */

/**
 * The coding as the core takes it, small enough to go with every job to a worker.
 *
 * @typedef {Pick<Coding, "uuid" | "tile" | "residuals" | "background">} CodingNumbers
 */

/**
 * What to decode to which place of a picture.
 *
 * @typedef {object} Part
 * @property {number} level
 * @property {number} row
 * @property {number} col
 * @property {Uint8Array[]} tiles Stored tiles that it is made from, coarsest first; none for an empty tile.
 * @property {number[]} limits Most bytes that each of `tiles` can have (spec section 12).
 * @property {[number, number, number, number]} window First row, row behind the last, first column, column behind the last.
 * @property {number} top Row of the picture where the window's first row goes.
 * @property {number} left
 */

const PAGE = 65536;

/** Rules of the codes of `enum rrip_code` from 40 on. Below are those of streams. */
const TILE_RULES = ["tile.short", "tile.checksum", "tile.place", "tile.trailer", "stream.empty"];
const FIRST_OF_TILES = 40;

const PROBLEMS = /** @type {Record<number, string>} */ ({
  1: "is not a whole JPEG stream",
  2: "has a broken JPEG header",
  3: "has a JPEG segment that is longer than its stream",
  4: "has two JPEG frame headers",
  5: "is not a baseline JPEG of 8 bits",
  6: "is a JPEG of another size or number of components",
  7: "is a subsampled JPEG",
  8: "has a JPEG scan before its frame header",
  9: "has a broken JPEG scan header",
  10: "has a broken JPEG quantisation table",
  11: "has a broken JPEG Huffman table",
  12: "lacks a JPEG table",
  13: "has a broken JPEG restart interval",
  14: "has a JPEG marker that has no place there",
  20: "has a JPEG Huffman table of too many codes",
  21: "has an invalid JPEG Huffman code",
  22: "has a JPEG block of too many coefficients",
  23: "has a JPEG scan that ends early",
  24: "has a JPEG scan that goes on after its last block",
  25: "goes on after the JPEG end marker, or has a marker in its scan",
  26: "has JPEG restart markers missing or out of order",
  40: "has fewer bytes than its trailer",
  41: "is damaged: its CRC-32C is another one; restore it from a copy",
  42: "holds another tile, or one of another slide",
  43: "has a trailer that contradicts the metadata or itself",
  44: "has no picture",
});

/** Stored tiles to pixels; one at a time, so a thread has its own. */
export class Core {
  /**
   * Make one of the bytes of `rrip.wasm`, or of the compiled module.
   *
   * @param {BufferSource | WebAssembly.Module} wasm
   * @param {string} [kernels] `simd128` or `plain`; the faster one by default.
   * @returns {Promise<Core>}
   */
  static async load(wasm, kernels) {
    const module = wasm instanceof WebAssembly.Module ? wasm : await WebAssembly.compile(wasm);
    return new Core(await WebAssembly.instantiate(module, {}), kernels);
  }

  /** @param {WebAssembly.Instance} instance @param {string} [kernels] */
  constructor(instance, kernels) {
    this.wasm = /** @type {any} */ (instance.exports);
    this.start = this.wasm.__heap_base.value;
    this.next = this.start;
    if (kernels) {
      const name = this.put(new TextEncoder().encode(`${kernels}\0`));
      this.kernels = this.wasm.rrip_core_named(name);
    } else this.kernels = this.wasm.rrip_core_best();
  }

  /** Take memory, which is free again at the next call. @param {number} size @returns {number} */
  take(size) {
    const at = Math.ceil(this.next / 64) * 64;
    this.next = at + size;
    const missing = this.next - this.wasm.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.wasm.memory.grow(Math.ceil(missing / PAGE));
      } catch {
        throw new RripError("limit.memory", "not enough memory to decode a tile");
      }
    }
    return at;
  }

  /** @param {Uint8Array} data */
  put(data) {
    const at = this.take(data.length);
    new Uint8Array(this.wasm.memory.buffer).set(data, at);
    return at;
  }

  /** @param {number[]} numbers */
  putNumbers(numbers) {
    return this.put(new Uint8Array(Int32Array.from(numbers).buffer));
  }

  /**
   * CRC-32C of bytes (spec section 7.1).
   *
   * @param {Uint8Array} data
   * @returns {number}
   */
  crc32c(data) {
    this.next = this.start;
    const at = this.take(Math.min(data.length, 16 * PAGE));
    let checksum = 0;
    for (let done = 0; done < data.length; done += 16 * PAGE) {
      const piece = data.subarray(done, done + 16 * PAGE);
      new Uint8Array(this.wasm.memory.buffer).set(piece, at);
      checksum = this.wasm.rrip_crc32c(this.kernels, checksum, at, piece.length);
    }
    return checksum >>> 0;
  }

  /** The struct rrip_coding. @param {CodingNumbers} coding */
  putCoding(coding) {
    const at = this.take(64);
    const view = new DataView(this.wasm.memory.buffer, at);
    const uuid = coding.uuid.replaceAll("-", "");
    for (let k = 0; k < 8; k++) view.setUint8(k, parseInt(uuid.slice(2 * k, 2 * k + 2), 16));
    view.setInt32(8, coding.tile, true);
    coding.residuals.forEach((how, level) => {
      const numbers = [...how.taps, ...how.chroma_taps, ...how.cfl, how.planes];
      numbers.forEach((number, k) => view.setInt16(12 + 22 * level + 2 * k, number, true));
    });
    const weights = coding.residuals[0].luma_filter ?? [0, 0, 0, 0];
    weights.forEach((number, k) => view.setInt16(56 + 2 * k, number, true));
    return at;
  }

  /**
   * Decode parts of a picture, which cover it.
   *
   * @param {CodingNumbers} coding
   * @param {Part[]} parts
   * @param {number} width Of the picture, px.
   * @param {number} height
   * @returns {{pixels: Uint8ClampedArray<ArrayBuffer>, faults: ({rule: string, message: string} | null)[]}} RGBA, and what is wrong with each
   * part; the pixels of one with a fault are transparent.
   */
  decode(coding, parts, width, height) {
    this.next = this.start;
    const numbers = this.putCoding(coding);
    const size = 4 * width * height;
    const out = this.take(size);
    const keep = this.next;
    const picture = { at: out, size, width };
    const faults = parts.map((part) => {
      this.next = keep;
      if (!part.tiles.length) return this.paint(part, picture, [...coding.background, 255]);
      return this.decodePart(numbers, coding.tile, part, picture);
    });
    const pixels = new Uint8ClampedArray(size);
    pixels.set(new Uint8Array(this.wasm.memory.buffer, out, size));
    return { pixels, faults };
  }

  /**
   * @param {number} numbers
   * @param {number} tile
   * @param {Part} part
   * @param {{at: number, size: number, width: number}} out
   */
  decodePart(numbers, tile, part, out) {
    const { level, row, col, tiles, window, top, left } = part;
    const long = tiles.findIndex((each, k) => each.length > part.limits[k]);
    if (long >= 0)
      return { rule: "tile.size", message: `tile ${level}/${row}/${col} has more bytes than a tile can have` };
    const places = this.putNumbers(tiles.map((each) => this.put(each)));
    const sizes = this.putNumbers(tiles.map((each) => each.length));
    const bounds = this.putNumbers(window);
    const target = this.take(48);
    const room = this.wasm.rrip_decode_scratch(tile, Math.max(...tiles.map((each) => each.length)));
    const scratch = this.take(room);
    const fault = this.take(48);
    const view = new DataView(this.wasm.memory.buffer);
    view.setUint32(target, out.at, true);
    [out.size, 4 * (top * out.width + left), 1, 4 * out.width, 4].forEach((number, k) => {
      view.setBigUint64(target + 8 + 8 * k, BigInt(number), true);
    });
    const code = this.wasm.rrip_decode_tile(
      this.kernels,
      numbers,
      level,
      row,
      col,
      places,
      sizes,
      bounds,
      target,
      scratch,
      room,
      fault,
    );
    if (!code) return null;
    this.paint(part, out, [0, 0, 0, 0]);
    if (code < 0) throw new Error(`the compiled core refuses its arguments (${code}); please report it`);
    const of = tiles.length > 1 ? 2 - view.getInt32(fault + 4, true) : level;
    const rule = code < FIRST_OF_TILES ? "stream.decode" : TILE_RULES[code - FIRST_OF_TILES];
    return { rule, message: `tile ${of}/${row}/${col} ${PROBLEMS[code]}` };
  }

  /**
   * Fill the place of a part.
   *
   * @param {Part} part
   * @param {{at: number, width: number}} out
   * @param {number[]} rgba
   * @returns {null}
   */
  paint({ window: [first, end, from, to], top, left }, out, rgba) {
    const [pixel] = new Uint32Array(Uint8Array.from(rgba).buffer);
    const all = new Uint32Array(this.wasm.memory.buffer);
    for (let y = 0; y < end - first; y++) {
      const at = out.at / 4 + (top + y) * out.width + left;
      all.fill(pixel, at, at + to - from);
    }
    return null;
  }
}
