// An open slide: levels, metadata, tiles and regions as RGBA.

import { viewOf } from "./bytes.js";
import { BASE_LEVEL, ceilDiv, neededLevels } from "./coding.js";
import { Core } from "./core.js";
import { RripError, throwIfAborted } from "./errors.js";
import { checkPicture } from "./jpeg.js";
import { MAX_ATTACHMENT_BYTES } from "./limits.js";
import { Lru } from "./lru.js";
import { hex } from "./metadata.js";
import { openContainer } from "./open.js";
import { Pool, loadWasm } from "./pool.js";
import { Shared } from "./shared.js";

/** @typedef {import("./core.js").Part} Part */

/**
 * A part of a picture that could not be read or decoded. Show it as damage, never as something blurred.
 *
 * @typedef {object} Fault
 * @property {string} rule Rule id of spec section 12.
 * @property {string} message What was found; show it as text.
 * @property {number} left Where it is in the picture, px.
 * @property {number} top
 * @property {number} width
 * @property {number} height
 */

/**
 * Pixels of a rectangle.
 *
 * @typedef {object} Picture
 * @property {Uint8ClampedArray<ArrayBuffer>} pixels RGBA, row by row; transparent where there is a fault.
 * @property {number} width
 * @property {number} height
 * @property {Fault[]} faults
 */

/**
 * @typedef {object} Options
 * @property {string | URL | BufferSource | WebAssembly.Module} [wasm] The compiled core; by default `rrip.wasm` beside the folder of this module.
 * @property {number} [workers] How many workers decode; 0 decodes in the calling thread. By default one less than the processor's threads, 2 to 4.
 * @property {number} [storedBytes] Size of the cache of stored tiles, 32 MiB by default.
 * @property {number} [decodedBytes] Size of the cache of decoded tiles, 64 MiB by default.
 * @property {AbortSignal} [signal] Cancels the opening.
 */

const RGBA = 4;

/** A slide that is open. */
export class Slide {
  /**
   * Open a container: a URL of a `.rrip.tif`, a `.rrip.zarr.zip` or a folder `.rrip.zarr`, a file that the user has chosen, or a store of Zarr keys.
   *
   * @param {string | URL | Blob | import("./zarr.js").KeyStore} source
   * @param {Options} [options]
   * @returns {Promise<Slide>}
   * @throws {RripError} If no container is there, or it is broken, or the server does not answer as it should.
   */
  static async open(source, options = {}) {
    // Core, workers and container are on their way at the same time: each costs some requests one after another.
    const module = loadWasm(options.wasm);
    const core = module.then((compiled) => Core.load(compiled));
    const pool = new Pool(module, core, options.workers);
    try {
      const container = await openContainer(source, core, options.signal);
      return new Slide(container, await core, pool, options);
    } catch (error) {
      pool.close();
      throw error;
    }
  }

  /**
   * Use {@link Slide.open}.
   *
   * @param {import("./open.js").Container} container
   * @param {Core} core
   * @param {Pool} pool
   * @param {Options} [options]
   */
  constructor(container, core, pool, options = {}) {
    this.container = container;
    this.core = core;
    this.pool = pool;
    /** All that the container says of itself. */
    this.metadata = container.metadata;
    /** Levels and tiles. */
    this.coding = container.metadata.coding;
    /** Side of the blocks that {@link Slide.block} gives, px: that of a tile of level 0. */
    this.blockSide = this.coding.side(0);
    /** @type {Lru<Uint8Array>} */
    this.stored = new Lru(options.storedBytes ?? 2 ** 25);
    /** @type {Lru<Picture>} */
    this.decoded = new Lru(options.decodedBytes ?? 2 ** 26);
    /** @type {Shared<Picture>} */
    this.making = new Shared();
  }

  /** Width of level 0, px. */
  get width() {
    return this.coding.width;
  }

  /** Height of level 0, px. */
  get height() {
    return this.coding.height;
  }

  /** Number of levels. */
  get levels() {
    return this.coding.levels;
  }

  /** Requests and bytes so far of a single file; null for a folder. */
  get counts() {
    const ranges =
      "ranges" in this.container ? this.container.ranges : /** @type {any} */ (this.container.store).ranges;
    return ranges ? { ...ranges.counts } : null;
  }

  /**
   * A whole stored tile as RGBA, padding included.
   *
   * @param {number} level
   * @param {number} row
   * @param {number} col
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Picture>} Without faults.
   * @throws {RripError} If one of the stored tiles that it is made from is missing or damaged.
   */
  async tile(level, row, col, { signal } = {}) {
    this.checkPlace(level, row, col);
    const side = this.coding.side(level);
    const picture = await this.compose(
      [{ level, row, col, window: [0, side, 0, side], top: 0, left: 0 }],
      side,
      side,
      signal,
    );
    const [fault] = picture.faults;
    if (fault) throw new RripError(fault.rule, fault.message);
    return picture;
  }

  /**
   * A square of 4T px of any level, cut at the level's edges: one tile of levels 0, 3 and coarser, 2 × 2 tiles of level 1, 4 × 4 of level 2.
   *
   * What is damaged or missing is in `faults`, and the rest is there all the same.
   *
   * @param {number} level
   * @param {number} row In units of {@link Slide.blockSide}.
   * @param {number} col
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Picture>} It is shared with a cache: do not change it.
   */
  async block(level, row, col, { signal } = {}) {
    const key = `${level}/${row}/${col}`;
    const known = this.decoded.get(key);
    if (known) return known;
    const side = this.blockSide;
    const { width, height } = this.blockSize(level, row, col);
    return this.making.join(key, signal, async (shared) => {
      const picture = await this.region(level, row * side, col * side, height, width, { signal: shared });
      // What the network has failed to bring may come the next time.
      if (!picture.faults.some(({ rule }) => rule === "storage.failed"))
        this.decoded.set(key, picture, picture.pixels.length);
      return picture;
    });
  }

  /**
   * Size of a block: less than {@link Slide.blockSide} at the right and the lower edge.
   *
   * @param {number} level
   * @param {number} row
   * @param {number} col
   */
  blockSize(level, row, col) {
    const side = this.blockSide;
    const [height, width] = this.coding.size(level);
    return { width: Math.min(side, width - col * side), height: Math.min(side, height - row * side) };
  }

  /**
   * A rectangle of a level.
   *
   * @param {number} level
   * @param {number} top First row, px of the level.
   * @param {number} left First column.
   * @param {number} height
   * @param {number} width
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Picture>}
   */
  async region(level, top, left, height, width, { signal } = {}) {
    const [rows, cols] =
      Number.isInteger(level) && level >= 0 && level < this.levels ? this.coding.size(level) : [0, 0];
    if (!(0 <= top && height > 0 && top + height <= rows && 0 <= left && width > 0 && left + width <= cols)) {
      throw new RangeError(
        `there is no rectangle of ${height} × ${width} px at row ${top}, column ${left} of level ${level}`,
      );
    }
    const side = this.coding.side(level);
    /** @type {Omit<Part, "tiles" | "limits">[]} */
    const parts = [];
    for (let row = Math.floor(top / side); row < ceilDiv(top + height, side); row++) {
      for (let col = Math.floor(left / side); col < ceilDiv(left + width, side); col++) {
        const [y, x] = [row * side, col * side];
        const [first, from] = [Math.max(top - y, 0), Math.max(left - x, 0)];
        const [end, to] = [Math.min(top + height - y, side), Math.min(left + width - x, side)];
        parts.push({ level, row, col, window: [first, end, from, to], top: y + first - top, left: x + from - left });
      }
    }
    return this.compose(parts, width, height, signal);
  }

  /**
   * Bytes of the ICC profile, null where the slide has none.
   *
   * @returns {Promise<Uint8Array | null>}
   */
  async iccProfile() {
    return "icc_profile" in this.metadata.attachments ? this.attachment("icc_profile") : null;
  }

  /** Names of the associated images: of `label`, `macro` and `thumbnail` those that the slide has. @returns {string[]} */
  get associatedNames() {
    return ["label", "macro", "thumbnail"].filter((name) => name in this.metadata.attachments);
  }

  /**
   * The JPEG file of an associated image, its header checked, so that a decoder of the browser takes no more than its limit.
   *
   * @param {string} name
   * @returns {Promise<{jpeg: Uint8Array, width: number, height: number}>}
   */
  async associated(name) {
    const jpeg = await this.attachment(name);
    return { jpeg, ...checkPicture(jpeg, `the ${name} image`) };
  }

  /**
   * An attachment that the metadata list (spec section 8.7), checked.
   *
   * @param {string} name
   * @returns {Promise<Uint8Array>}
   */
  async attachment(name) {
    const listed = this.metadata.attachments[name];
    const stored = listed === undefined ? null : await this.container.attachment(name, this.core);
    if (!stored)
      throw new RripError("attachment.missing", `the attachment ${name} is listed but absent: restore it from a copy`);
    if (stored.length > MAX_ATTACHMENT_BYTES + 4)
      throw new RripError("limit.attachment", `the attachment ${name} has ${stored.length} bytes`);
    const data = stored.subarray(0, Math.max(0, stored.length - 4));
    const checksum = this.core.crc32c(data);
    if (stored.length < 4 || viewOf(stored).getUint32(data.length, true) !== checksum || hex(checksum) !== listed) {
      throw new RripError(
        "attachment.checksum",
        `the attachment ${name} is damaged, or not the listed one: restore it from a copy`,
      );
    }
    return data;
  }

  /** Release workers and caches. */
  close() {
    this.pool.close();
    this.stored.clear();
    this.decoded.clear();
  }

  /** @param {number} level @param {number} row @param {number} col */
  checkPlace(level, row, col) {
    if (!this.coding.has(level, row, col)) throw new RangeError(`there is no tile ${level}/${row}/${col}`);
  }

  /** @param {Omit<Part, "tiles" | "limits">[]} places @param {number} width @param {number} height @param {AbortSignal} [signal] @returns {Promise<Picture>} */
  async compose(places, width, height, signal) {
    /** @type {(unknown)[]} */
    const failures = [];
    const parts = await Promise.all(
      places.map(async (place, k) => {
        const limits = neededLevels(place.level).map((level) => this.coding.tileLimit(level));
        try {
          return { ...place, limits, tiles: await this.storedTiles(place.level, place.row, place.col, signal) };
        } catch (error) {
          if (!(error instanceof RripError)) throw error;
          failures[k] = error;
          return null;
        }
      }),
    );
    throwIfAborted(signal);
    const ready = parts.filter((part) => part !== null);
    const { pixels, faults } = await this.pool.decode(this.coding, ready, width, height, signal);
    const found = places.map((place, k) => {
      const error = /** @type {RripError | undefined} */ (failures[k]);
      const fault = error ?? faults[ready.indexOf(/** @type {any} */ (parts[k]))];
      if (!fault) return null;
      const [first, end, from, to] = place.window;
      return {
        rule: fault.rule,
        message: fault.message,
        left: place.left,
        top: place.top,
        width: to - from,
        height: end - first,
      };
    });
    return { pixels, width, height, faults: found.filter((fault) => fault !== null) };
  }

  /** What a tile is made from, coarsest first; nothing of an empty one (spec section 7.3). @param {number} level @param {number} row @param {number} col @param {AbortSignal} [signal] */
  async storedTiles(level, row, col, signal) {
    if (this.coding.isEmpty(level, row, col)) return [];
    return Promise.all(neededLevels(level).map((each) => this.storedTile(each, row, col, signal)));
  }

  /** @param {number} level @param {number} row @param {number} col @param {AbortSignal} [signal] @returns {Promise<Uint8Array>} */
  async storedTile(level, row, col, signal) {
    const key = `${level}/${row}/${col}`;
    const known = this.stored.get(key);
    if (known) return known;
    const data = await this.container.tile(level, row, col, signal);
    if (!data) throw new RripError("tile.missing", `tile ${key} is missing: the container is incomplete`);
    this.stored.set(key, data, data.length);
    return data;
  }
}
