// The numbers of a BigTIFF (spec section 10.1), as far as they are in memory; the rest is read on demand.

import { uint64, viewOf } from "./bytes.js";

/** @typedef {import("./ranges.js").Ranges} Ranges */
/** @typedef {{kind: number, count: number, offset: number}} Field Where the values of a tag are. */

/** Types of values, by their TIFF numbers. */
export const TYPES = Object.freeze({
  BYTE: 1,
  ASCII: 2,
  SHORT: 3,
  LONG: 4,
  RATIONAL: 5,
  UNDEFINED: 7,
  LONG8: 16,
  IFD8: 18,
});

/** Bytes of a value of each type. */
export const SIZES = /** @type {Record<number, number>} */ ({ 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 16: 8, 18: 8 });

/** Tables of tiles up to this size are read at once, larger ones by windows. */
const TABLES_BYTES = 1 << 19;
const WINDOW_BYTES = 1 << 15;

/** Bytes of all values of a field, 0 for a type that is not used here. @param {Field} field */
export const bytesOf = (field) => field.count * (SIZES[field.kind] ?? 0);

/** Parts of the file that are in memory; the rest is read on demand. */
export class Index {
  /** @param {Ranges} ranges */
  constructor(ranges) {
    this.ranges = ranges;
    /** @type {{start: number, data: Promise<Uint8Array>, end: number}[]} */
    this.windows = [];
  }

  /** @param {number} start @param {number} end @param {Promise<Uint8Array>} data */
  keep(start, end, data) {
    const window = { start, end, data };
    this.windows.push(window);
    if (this.windows.length > 64) this.windows.splice(1, 1); // the first has the directories
    data.catch(() => {
      this.windows = this.windows.filter((each) => each !== window); // to be tried again
    });
  }

  /** @param {number} offset @param {number} length @returns {Promise<DataView>} */
  async read(offset, length) {
    const kept = this.windows.find(({ start, end }) => start <= offset && offset + length <= end);
    if (!kept) return viewOf(await this.ranges.read(offset, length));
    const data = await kept.data;
    return viewOf(data.subarray(offset - kept.start, offset - kept.start + length));
  }

  /** Read around a place, if that is not there yet. @param {number} offset @param {number} length @param {number} low @param {number} high */
  async readAround(offset, length, low, high) {
    if (!this.windows.some(({ start, end }) => start <= offset && offset + length <= end)) {
      const isSmall = high - low <= TABLES_BYTES;
      const start = isSmall ? low : Math.max(low, Math.floor(offset / WINDOW_BYTES) * WINDOW_BYTES);
      const end = isSmall ? high : Math.min(high, Math.max(start + WINDOW_BYTES, offset + length));
      this.keep(start, end, this.ranges.read(start, end - start));
    }
    return this.read(offset, length);
  }

  /** Whole numbers of a field. @param {Field} field @returns {Promise<number[]>} */
  async numbers(field) {
    const view = await this.read(field.offset, bytesOf(field));
    return Array.from({ length: field.count }, (_, k) => numberAt(view, k * SIZES[field.kind], SIZES[field.kind]));
  }
}

/** @param {DataView} view @param {number} at @param {number} size */
export function numberAt(view, at, size) {
  if (size === 8) return uint64(view, at);
  return size === 4 ? view.getUint32(at, true) : size === 2 ? view.getUint16(at, true) : view.getUint8(at);
}
