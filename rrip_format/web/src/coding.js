// All that a decoder needs besides tiles (spec sections 4 and 8.2).

/** The finest level that is stored as ordinary JPEG. */
export const BASE_LEVEL = 2;

/** @typedef {{taps: number[], chroma_taps: number[], cfl: number[], planes: number, luma_filter?: number[]}} Residual */

/** @param {number} numerator @param {number} denominator */
export const ceilDiv = (numerator, denominator) => Math.ceil(numerator / denominator);

/** The sealed and checked object `coding`, with the geometry that follows from it. */
export class Coding {
  /**
   * @param {any} document The object, of which every rule holds.
   * @param {Uint8Array | null} empty Bitmap of empty families, null where none is.
   */
  constructor(document, empty) {
    /** The slide's UUID. @type {string} */
    this.uuid = document.uuid;
    /** Width of level 0, px. @type {number} */
    this.width = document.width;
    /** Height of level 0, px. @type {number} */
    this.height = document.height;
    /** Side T of a base tile, px. @type {number} */
    this.tile = document.tile;
    /** How levels 0 and 1 are coded. @type {Residual[]} */
    this.residuals = document.residuals;
    /** RGB of empty families. @type {number[]} */
    this.background = document.background;
    this.empty = empty;
    let level = BASE_LEVEL;
    while (Math.max(...this.grid(level)) > 1) level++;
    /** Number of levels, at least 3. @type {number} */
    this.levels = level + 1;
  }

  /** Height and width of a level, px. @param {number} level @returns {[number, number]} */
  size(level) {
    return [ceilDiv(this.height, 2 ** level), ceilDiv(this.width, 2 ** level)];
  }

  /** Side of a stored tile of a level, px. @param {number} level @returns {number} */
  side(level) {
    return level > BASE_LEVEL ? 4 * this.tile : this.tile * 2 ** (BASE_LEVEL - level);
  }

  /** Rows and columns of stored tiles of a level. @param {number} level @returns {[number, number]} */
  grid(level) {
    const [height, width] = this.size(level);
    return [ceilDiv(height, this.side(level)), ceilDiv(width, this.side(level))];
  }

  /** Whether there is such a tile. @param {number} level @param {number} row @param {number} col */
  has(level, row, col) {
    if (!(Number.isInteger(level) && level >= 0 && level < this.levels)) return false;
    const [rows, cols] = this.grid(level);
    return Number.isInteger(row) && Number.isInteger(col) && row >= 0 && row < rows && col >= 0 && col < cols;
  }

  /** Most bytes of a stored tile (spec section 12). @param {number} level @returns {number} */
  tileLimit(level) {
    return 65536 + 6 * this.side(level) ** 2;
  }

  /** Whether a tile shows empty families alone (spec section 7.3). @param {number} level @param {number} row @param {number} col */
  isEmpty(level, row, col) {
    if (!this.empty) return false;
    const span = level > BASE_LEVEL ? 4 * 2 ** (level - BASE_LEVEL) : 1;
    const [rows, cols] = this.grid(BASE_LEVEL);
    for (let y = row * span; y < Math.min((row + 1) * span, rows); y++) {
      for (let x = col * span; x < Math.min((col + 1) * span, cols); x++) {
        const bit = y * cols + x;
        if (!((this.empty[Math.floor(bit / 8)] >> (7 - (bit % 8))) & 1)) return false;
      }
    }
    return true;
  }
}

/** Levels whose stored tiles a tile is made from, coarsest first (spec section 5.7). @param {number} level @returns {number[]} */
export const neededLevels = (level) =>
  [2, 1, 0].filter((other) => other >= level && level < BASE_LEVEL).concat(level >= BASE_LEVEL ? [level] : []);

/** Zarr key of a stored tile (spec section 9.2). @param {number} level @param {number} row @param {number} col */
export const tileKey = (level, row, col) =>
  `${level < BASE_LEVEL ? level : `base/${level - BASE_LEVEL}`}/c/0/${row}/${col}`;
