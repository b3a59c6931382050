/** The finest level that is stored as ordinary JPEG. */
export declare const BASE_LEVEL = 2;
export type Residual = {
    taps: number[];
    chroma_taps: number[];
    cfl: number[];
    planes: number;
    luma_filter?: number[];
};
/** @typedef {{taps: number[], chroma_taps: number[], cfl: number[], planes: number, luma_filter?: number[]}} Residual */
/** @param {number} numerator @param {number} denominator */
export declare const ceilDiv: (numerator: number, denominator: number) => number;
/** The sealed and checked object `coding`, with the geometry that follows from it. */
export declare class Coding {
    /** The slide's UUID. @type {string} */
    uuid: string;
    /** Width of level 0, px. @type {number} */
    width: number;
    /** Height of level 0, px. @type {number} */
    height: number;
    /** Side T of a base tile, px. @type {number} */
    tile: number;
    /** How levels 0 and 1 are coded. @type {Residual[]} */
    residuals: Residual[];
    /** RGB of empty families. @type {number[]} */
    background: number[];
    empty: Uint8Array<ArrayBufferLike> | null;
    /** Number of levels, at least 3. @type {number} */
    levels: number;
    /**
     * @param {any} document The object, of which every rule holds.
     * @param {Uint8Array | null} empty Bitmap of empty families, null where none is.
     */
    constructor(document: any, empty: Uint8Array | null);
    /** Height and width of a level, px. @param {number} level @returns {[number, number]} */
    size(level: number): [number, number];
    /** Side of a stored tile of a level, px. @param {number} level @returns {number} */
    side(level: number): number;
    /** Rows and columns of stored tiles of a level. @param {number} level @returns {[number, number]} */
    grid(level: number): [number, number];
    /** Whether there is such a tile. @param {number} level @param {number} row @param {number} col */
    has(level: number, row: number, col: number): boolean;
    /** Most bytes of a stored tile (spec section 12). @param {number} level @returns {number} */
    tileLimit(level: number): number;
    /** Whether a tile shows empty families alone (spec section 7.3). @param {number} level @param {number} row @param {number} col */
    isEmpty(level: number, row: number, col: number): boolean;
}
/** Levels whose stored tiles a tile is made from, coarsest first (spec section 5.7). @param {number} level @returns {number[]} */
export declare const neededLevels: (level: number) => number[];
/** Zarr key of a stored tile (spec section 9.2). @param {number} level @param {number} row @param {number} col */
export declare const tileKey: (level: number, row: number, col: number) => string;
