import { Core } from "./core.js";
import { Lru } from "./lru.js";
import { Pool } from "./pool.js";
import { Shared } from "./shared.js";
export type Part = import("./core.js").Part;
export type Fault = {
    /**
     * Rule id of spec section 12.
     */
    rule: string;
    /**
     * What was found; show it as text.
     */
    message: string;
    /**
     * Where it is in the picture, px.
     */
    left: number;
    top: number;
    width: number;
    height: number;
};
export type Picture = {
    /**
     * RGBA, row by row; transparent where there is a fault.
     */
    pixels: Uint8ClampedArray<ArrayBuffer>;
    width: number;
    height: number;
    faults: Fault[];
};
export type Options = {
    /**
     * The compiled core; by default `rrip.wasm` beside the folder of this module.
     */
    wasm?: string | URL | BufferSource | WebAssembly.Module;
    /**
     * How many workers decode; 0 decodes in the calling thread. By default one less than the processor's threads, 2 to 4.
     */
    workers?: number;
    /**
     * Size of the cache of stored tiles, 32 MiB by default.
     */
    storedBytes?: number;
    /**
     * Size of the cache of decoded tiles, 64 MiB by default.
     */
    decodedBytes?: number;
    /**
     * Cancels the opening.
     */
    signal?: AbortSignal;
};
/** A slide that is open. */
export declare class Slide {
    container: import("./open.js").Container;
    core: Core;
    pool: Pool;
    /** All that the container says of itself. */
    metadata: import("./metadata.js").Metadata;
    /** Levels and tiles. */
    coding: import("./coding.js").Coding;
    /** Side of the blocks that {@link Slide.block} gives, px: that of a tile of level 0. */
    blockSide: number;
    /** @type {Lru<Uint8Array>} */
    stored: Lru<Uint8Array>;
    /** @type {Lru<Picture>} */
    decoded: Lru<Picture>;
    /** @type {Shared<Picture>} */
    making: Shared<Picture>;
    /**
     * Open a container: a URL of a `.rrip.tif`, a `.rrip.zarr.zip` or a folder `.rrip.zarr`, a file that the user has chosen, or a store of Zarr keys.
     *
     * @param {string | URL | Blob | import("./zarr.js").KeyStore} source
     * @param {Options} [options]
     * @returns {Promise<Slide>}
     * @throws {RripError} If no container is there, or it is broken, or the server does not answer as it should.
     */
    static open(source: string | URL | Blob | import("./zarr.js").KeyStore, options?: Options): Promise<Slide>;
    /**
     * Use {@link Slide.open}.
     *
     * @param {import("./open.js").Container} container
     * @param {Core} core
     * @param {Pool} pool
     * @param {Options} [options]
     */
    constructor(container: import("./open.js").Container, core: Core, pool: Pool, options?: Options);
    /** Width of level 0, px. */
    get width(): number;
    /** Height of level 0, px. */
    get height(): number;
    /** Number of levels. */
    get levels(): number;
    /** Requests and bytes so far of a single file; null for a folder. */
    get counts(): any;
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
    tile(level: number, row: number, col: number, { signal }?: {
        signal?: AbortSignal;
    }): Promise<Picture>;
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
    block(level: number, row: number, col: number, { signal }?: {
        signal?: AbortSignal;
    }): Promise<Picture>;
    /**
     * Size of a block: less than {@link Slide.blockSide} at the right and the lower edge.
     *
     * @param {number} level
     * @param {number} row
     * @param {number} col
     */
    blockSize(level: number, row: number, col: number): {
        width: number;
        height: number;
    };
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
    region(level: number, top: number, left: number, height: number, width: number, { signal }?: {
        signal?: AbortSignal;
    }): Promise<Picture>;
    /**
     * Bytes of the ICC profile, null where the slide has none.
     *
     * @returns {Promise<Uint8Array | null>}
     */
    iccProfile(): Promise<Uint8Array | null>;
    /** Names of the associated images: of `label`, `macro` and `thumbnail` those that the slide has. @returns {string[]} */
    get associatedNames(): string[];
    /**
     * The JPEG file of an associated image, its header checked, so that a decoder of the browser takes no more than its limit.
     *
     * @param {string} name
     * @returns {Promise<{jpeg: Uint8Array, width: number, height: number}>}
     */
    associated(name: string): Promise<{
        jpeg: Uint8Array;
        width: number;
        height: number;
    }>;
    /**
     * An attachment that the metadata list (spec section 8.7), checked.
     *
     * @param {string} name
     * @returns {Promise<Uint8Array>}
     */
    attachment(name: string): Promise<Uint8Array>;
    /** Release workers and caches. */
    close(): void;
    /** @param {number} level @param {number} row @param {number} col */
    checkPlace(level: number, row: number, col: number): void;
    /** @param {Omit<Part, "tiles" | "limits">[]} places @param {number} width @param {number} height @param {AbortSignal} [signal] @returns {Promise<Picture>} */
    compose(places: Omit<Part, "tiles" | "limits">[], width: number, height: number, signal?: AbortSignal): Promise<Picture>;
    /** What a tile is made from, coarsest first; nothing of an empty one (spec section 7.3). @param {number} level @param {number} row @param {number} col @param {AbortSignal} [signal] */
    storedTiles(level: number, row: number, col: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBufferLike>[]>;
    /** @param {number} level @param {number} row @param {number} col @param {AbortSignal} [signal] @returns {Promise<Uint8Array>} */
    storedTile(level: number, row: number, col: number, signal?: AbortSignal): Promise<Uint8Array>;
}
