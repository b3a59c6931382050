// The TIFF binding (spec section 10): a strict BigTIFF parser, in which every number is held against the file.

import { uint64, viewOf } from "./bytes.js";
import { BASE_LEVEL } from "./coding.js";
import { RripError } from "./errors.js";
import { parseJson } from "./json.js";
import { MAX_ATTACHMENT_BYTES, MAX_METADATA_BYTES } from "./limits.js";
import { hex, readMetadata } from "./metadata.js";
import { Index, SIZES, TYPES, bytesOf, numberAt } from "./tiff_index.js";

/** @typedef {import("./ranges.js").Ranges} Ranges */
/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./metadata.js").Metadata} Metadata */
/** @typedef {import("./tiff_index.js").Field} Field */
/** @typedef {{offset: number, fields: Map<number, Field>, following: number}} Ifd */

const { ASCII, BYTE, SHORT, LONG, RATIONAL, UNDEFINED, LONG8, IFD8 } = TYPES;

const TILE_OFFSETS = 324;
const TILE_BYTES = 325;
const PAGE_NAME = 285;
const STRIP_OFFSETS = 273;
const STRIP_BYTES = 279;
const ICC_PROFILE = 34675;
const METADATA = 65380;
const RESIDUALS = 65381;
const ASSOCIATED = 65382;
const ICC_CHECKSUM = 65383;
const SEALED = 65384;
const IMAGE_NAMES = ["label", "macro", "thumbnail"];

const HEADER_BYTES = 16;
const ENTRY_BYTES = 20;
const MAX_FIELDS = 128;
/** What is read at the first IFD at once: all directories and metadata of most files. */
const FIRST_READ_BYTES = 1 << 16;
/** A container in one BigTIFF. */
export class TiffContainer {
  /**
   * Read all but tiles and attachments.
   *
   * @param {Ranges} ranges
   * @param {DataView} header First bytes of the file.
   * @param {Promise<Core>} core
   * @param {AbortSignal} [signal]
   */
  static async open(ranges, header, core, signal) {
    const container = new TiffContainer(ranges);
    const start = container.firstIfd(header);
    const first = await ranges.readNow(start, FIRST_READ_BYTES, signal);
    if (start > ranges.size - 16) {
      throw container.error("file.range", `its first IFD is at byte ${start} of ${ranges.size}: it is truncated`);
    }
    container.index.keep(start, start + first.length, Promise.resolve(first));
    await container.readRoot(start, core);
    await container.readIfds(start);
    return container;
  }

  /** @param {Ranges} ranges */
  constructor(ranges) {
    this.kind = "tiff";
    this.ranges = ranges;
    this.index = new Index(ranges);
    this.visited = new Set();
    /** @type {{offsets: Field, lengths: Field}[]} */
    this.tables = [];
    /** @type {Map<string, {offset: number, length: number}>} */
    this.images = new Map();
    /** Set by `readRoot`. @type {Metadata} */
    this.metadata = /** @type {any} */ (null);
    /** @type {Ifd} */
    this.root = /** @type {any} */ (null);
  }

  /** @param {string} rule @param {string} message */
  error(rule, message) {
    return new RripError(rule, `${this.ranges.name}: ${message}`);
  }

  /** @param {DataView} header @returns {number} */
  firstIfd(header) {
    const isWhole = header.byteLength >= HEADER_BYTES;
    if (!isWhole || header.getUint32(0, true) !== 0x002b4949 || header.getUint32(4, true) !== 8) {
      throw this.error(
        "tiff.header",
        "is not a little-endian BigTIFF, which RRIP files are; 'rrip convert' makes one of it",
      );
    }
    const start = uint64(header, 8);
    if (start === 0) throw this.error("tiff.header", "its header points nowhere: it was not written to the end");
    const size = this.ranges.file.size ?? Infinity;
    if (start < HEADER_BYTES || start > Math.min(size - 16, Number.MAX_SAFE_INTEGER)) {
      throw this.error("file.range", `its first IFD is at byte ${start}: it is truncated or its header damaged`);
    }
    return start;
  }

  /** @param {number} start @param {Promise<Core>} core */
  async readRoot(start, core) {
    this.root = await this.readIfd(start);
    const field = this.root.fields.get(METADATA);
    if (!field)
      throw this.error("metadata.absent", "is a TIFF file without RRIP metadata; 'rrip convert' makes one with them");
    this.checkKind(field, [UNDEFINED, BYTE], METADATA);
    if (bytesOf(field) > MAX_METADATA_BYTES)
      throw this.error("limit.metadata", "its metadata are larger than this reader accepts");
    const view = await this.index.read(field.offset, bytesOf(field));
    const data = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    this.metadata = await readMetadata(parseJson(data, `${this.ranges.name}: its metadata`), await core);
  }

  /** @param {number} start */
  async readIfds(start) {
    const { coding } = this.metadata;
    const base = this.root.fields.has(SEALED) ? await this.sealedIfds(start) : await this.chainedIfds(start);
    const ifds = [...(await this.privateIfds(RESIDUALS, BASE_LEVEL)), ...base];
    for (let level = 0; level < coding.levels; level++) this.tables[level] = await this.readTable(ifds[level], level);
    await this.readImages();
  }

  /** Levels 2 and coarser of a sealed file, whose IFD 0 is none of them (spec section 10.10). @param {number} start */
  async sealedIfds(start) {
    this.visit(start);
    const { following } = this.root;
    if (following) throw this.error("tiff.chain", `another IFD at byte ${following} follows that of a sealed file`);
    return this.privateIfds(SEALED, this.metadata.coding.levels - BASE_LEVEL);
  }

  /** Levels 2 and coarser. @param {number} start */
  async chainedIfds(start) {
    const { coding } = this.metadata;
    /** @type {Ifd[]} */
    const ifds = [];
    let next = start;
    for (let level = BASE_LEVEL; level < coding.levels; level++) {
      if (next === 0)
        throw this.error(
          "tiff.chain",
          `there are ${level - BASE_LEVEL} IFDs, the metadata promise ${coding.levels - BASE_LEVEL}`,
        );
      this.visit(next);
      const ifd = level === BASE_LEVEL ? this.root : await this.readIfd(next);
      ifds.push(ifd);
      next = ifd.following;
    }
    if (next) throw this.error("tiff.chain", `another IFD at byte ${next} follows those of the metadata`);
    return ifds;
  }

  /** @param {number} offset */
  visit(offset) {
    if (this.visited.has(offset)) throw this.error("tiff.loop", `the IFD at byte ${offset} is met twice`);
    this.visited.add(offset);
  }

  /** @param {number} offset @returns {Promise<Ifd>} */
  async readIfd(offset) {
    const count = uint64(await this.index.read(offset, 8), 0);
    if (!(count >= 1 && count <= MAX_FIELDS)) {
      throw this.error("tiff.ifd", `the IFD at byte ${offset} has ${count} tags, expected 1 … ${MAX_FIELDS}`);
    }
    const view = await this.index.read(offset + 8, count * ENTRY_BYTES + 8);
    const fields = new Map();
    let last = -1;
    for (let at = 0; at < count * ENTRY_BYTES; at += ENTRY_BYTES) {
      const tag = view.getUint16(at, true);
      if (tag <= last)
        throw this.error("tiff.ifd", `tags ${last} and ${tag} at byte ${offset} are not in ascending order`);
      last = tag;
      const field = { kind: view.getUint16(at + 2, true), count: uint64(view, at + 4), offset: offset + 8 + at + 12 };
      if (bytesOf(field) > 8) field.offset = uint64(view, at + 12);
      if (field.offset + bytesOf(field) > this.ranges.size) {
        throw this.error(
          "file.range",
          `tag ${tag} has values at byte ${field.offset}, beyond the file's ${this.ranges.size} bytes`,
        );
      }
      fields.set(tag, field);
    }
    return { offset, fields, following: uint64(view, count * ENTRY_BYTES) };
  }

  /** @param {Field} field @param {number[]} kinds @param {number} tag */
  checkKind(field, kinds, tag) {
    if (!kinds.includes(field.kind))
      throw this.error("tiff.tag", `tag ${tag} is of TIFF type ${field.kind}, expected ${kinds.join(" or ")}`);
  }

  /** A field that must be there. @param {Ifd} ifd @param {number} tag @param {number[]} kinds @param {number} count */
  field(ifd, tag, kinds, count) {
    const field = ifd.fields.get(tag);
    if (!field) throw this.error("tiff.tag", `tag ${tag} of the IFD at byte ${ifd.offset} is absent`);
    this.checkKind(field, kinds, tag);
    if (field.count !== count) {
      const rule = tag === TILE_OFFSETS || tag === TILE_BYTES ? "tiff.tables" : "tiff.tag";
      throw this.error(
        rule,
        `tag ${tag} of the IFD at byte ${ifd.offset} has ${field.count} values, expected ${count}`,
      );
    }
    return field;
  }

  /** @param {number} tag @param {number} count @returns {Promise<Ifd[]>} */
  async privateIfds(tag, count) {
    const ifds = [];
    for (const offset of await this.index.numbers(this.field(this.root, tag, [IFD8, LONG8], count))) {
      this.visit(offset);
      ifds.push(await this.readIfd(offset));
    }
    return ifds;
  }

  /** Spec section 10.3. @param {Ifd} ifd @param {number} level */
  async readTable(ifd, level) {
    const { coding } = this.metadata;
    const [height, width] = coding.size(level);
    const isBase = level >= BASE_LEVEL;
    const side = coding.side(level);
    /** @type {[number, number, number[]][]} */
    const expected = [
      [254, LONG, [level > BASE_LEVEL ? 1 : 0]],
      [256, LONG, [width]],
      [257, LONG, [height]],
      [258, SHORT, isBase ? [8, 8, 8] : [8]],
      [259, SHORT, [7]],
      [262, SHORT, [isBase ? 6 : 1]],
      [277, SHORT, [isBase ? 3 : 1]],
      [284, SHORT, [1]],
      [322, LONG, [side]],
      [323, LONG, [side]],
    ];
    if (isBase) expected.push([530, SHORT, [1, 1]]);
    for (const [tag, kind, values] of expected) {
      const found = await this.index.numbers(this.field(ifd, tag, [kind], values.length));
      if (found.some((value, k) => value !== values[k])) {
        throw this.error("tiff.tag", `tag ${tag} of the IFD of level ${level} is ${found}, expected ${values}`);
      }
    }
    if (isBase) await this.checkReference(ifd, level);
    const [rows, cols] = coding.grid(level);
    const offsets = this.field(ifd, TILE_OFFSETS, [LONG8, LONG], rows * cols);
    return { offsets, lengths: this.field(ifd, TILE_BYTES, [LONG, LONG8, SHORT], rows * cols) };
  }

  /** @param {Ifd} ifd @param {number} level */
  async checkReference(ifd, level) {
    const field = this.field(ifd, 532, [RATIONAL], 6);
    const found = await this.index.numbers({ kind: LONG, count: 12, offset: field.offset });
    if (found.join() !== "0,1,255,1,128,1,255,1,128,1,255,1") {
      throw this.error("tiff.tag", `tag 532 of the IFD of level ${level} is ${found}`);
    }
  }

  /** Spec section 10.6. */
  async readImages() {
    const field = this.root.fields.get(ASSOCIATED);
    if (!field) return;
    if (!(field.count >= 1 && field.count <= IMAGE_NAMES.length)) {
      throw this.error("tiff.tag", `${field.count} associated images, expected 1 … ${IMAGE_NAMES.length}`);
    }
    for (const ifd of await this.privateIfds(ASSOCIATED, field.count)) {
      const title = ifd.fields.get(PAGE_NAME);
      const isShort = title && title.kind === ASCII && title.count < 64;
      const text = isShort ? String.fromCharCode(...(await this.index.numbers(title))) : "";
      const name = IMAGE_NAMES.find((each) => `${each}\0` === text);
      if (!name || this.images.has(name))
        throw this.error(
          "tiff.tag",
          `the IFD at byte ${ifd.offset} has no name of an associated image, or one that is there twice`,
        );
      const [offset] = await this.index.numbers(this.field(ifd, STRIP_OFFSETS, [LONG8, LONG], 1));
      const [length] = await this.index.numbers(this.field(ifd, STRIP_BYTES, [LONG, LONG8, SHORT], 1));
      if (length > MAX_ATTACHMENT_BYTES) throw this.error("limit.attachment", `the ${name} image has ${length} bytes`);
      this.images.set(name, { offset, length });
    }
  }

  /** One number of a table of tiles. @param {Field} table @param {number} at */
  async entry(table, at) {
    const size = SIZES[table.kind];
    const all = this.tables.flatMap(({ offsets, lengths }) => [offsets, lengths]).filter((field) => bytesOf(field) > 8);
    const low = Math.min(...all.map((field) => field.offset));
    const high = Math.max(...all.map((field) => field.offset + bytesOf(field)));
    const isOutside = bytesOf(table) > 8;
    const place = table.offset + at * size;
    return numberAt(
      await (isOutside ? this.index.readAround(place, size, low, high) : this.index.read(place, size)),
      0,
      size,
    );
  }

  /**
   * A stored tile, unchecked, null where there is none.
   *
   * @param {number} level
   * @param {number} row
   * @param {number} col
   * @param {AbortSignal} [signal]
   */
  async tile(level, row, col, signal) {
    const { coding } = this.metadata;
    const { offsets, lengths } = this.tables[level];
    const at = row * coding.grid(level)[1] + col;
    const [offset, length] = await Promise.all([this.entry(offsets, at), this.entry(lengths, at)]);
    if (length === 0) return null;
    const where = `tile ${level}/${row}/${col}`;
    if (length > coding.tileLimit(level))
      throw this.error(
        "tile.size",
        `${where} is said to have ${length} bytes, at most ${coding.tileLimit(level)} are accepted`,
      );
    return this.ranges.read(offset, length, signal);
  }

  /**
   * An attachment followed by its checksum, null where there is none.
   *
   * @param {string} name
   * @param {Core} core
   */
  async attachment(name, core) {
    const image = this.images.get(name);
    if (image) return this.ranges.read(image.offset, image.length);
    const field = name === "icc_profile" ? this.root.fields.get(ICC_PROFILE) : undefined;
    if (!field) return null;
    this.checkKind(field, [UNDEFINED, BYTE], ICC_PROFILE);
    if (field.count > MAX_ATTACHMENT_BYTES)
      throw this.error("limit.attachment", `the ICC profile has ${field.count} bytes`);
    const view = await this.index.read(field.offset, field.count);
    const profile = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const [checksum] = await this.index.numbers(this.field(this.root, ICC_CHECKSUM, [LONG], 1));
    if (core.crc32c(profile) !== checksum)
      throw this.error(
        "attachment.checksum",
        `the ICC profile does not match tag 65383, ${hex(checksum)}: restore it from a copy`,
      );
    const stored = new Uint8Array(profile.length + 4);
    stored.set(profile);
    viewOf(stored).setUint32(profile.length, checksum, true);
    return stored;
  }
}
