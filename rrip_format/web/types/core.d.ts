export type Coding = import("./coding.js").Coding;
export type CodingNumbers = Pick<Coding, "uuid" | "tile" | "residuals" | "background">;
export type Part = {
    level: number;
    row: number;
    col: number;
    /**
     * Stored tiles that it is made from, coarsest first; none for an empty tile.
     */
    tiles: Uint8Array[];
    /**
     * Most bytes that each of `tiles` can have (spec section 12).
     */
    limits: number[];
    /**
     * First row, row behind the last, first column, column behind the last.
     */
    window: [number, number, number, number];
    /**
     * Row of the picture where the window's first row goes.
     */
    top: number;
    left: number;
};
/** Stored tiles to pixels; one at a time, so a thread has its own. */
export declare class Core {
    wasm: any;
    start: any;
    next: any;
    kernels: any;
    /**
     * Make one of the bytes of `rrip.wasm`, or of the compiled module.
     *
     * @param {BufferSource | WebAssembly.Module} wasm
     * @param {string} [kernels] `simd128` or `plain`; the faster one by default.
     * @returns {Promise<Core>}
     */
    static load(wasm: BufferSource | WebAssembly.Module, kernels?: string): Promise<Core>;
    /** @param {WebAssembly.Instance} instance @param {string} [kernels] */
    constructor(instance: WebAssembly.Instance, kernels?: string);
    /** Take memory, which is free again at the next call. @param {number} size @returns {number} */
    take(size: number): number;
    /** @param {Uint8Array} data */
    put(data: Uint8Array): number;
    /** @param {number[]} numbers */
    putNumbers(numbers: number[]): number;
    /**
     * CRC-32C of bytes (spec section 7.1).
     *
     * @param {Uint8Array} data
     * @returns {number}
     */
    crc32c(data: Uint8Array): number;
    /** The struct rrip_coding. @param {CodingNumbers} coding */
    putCoding(coding: CodingNumbers): number;
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
    decode(coding: CodingNumbers, parts: Part[], width: number, height: number): {
        pixels: Uint8ClampedArray<ArrayBuffer>;
        faults: ({
            rule: string;
            message: string;
        } | null)[];
    };
    /**
     * @param {number} numbers
     * @param {number} tile
     * @param {Part} part
     * @param {{at: number, size: number, width: number}} out
     */
    decodePart(numbers: number, tile: number, part: Part, out: {
        at: number;
        size: number;
        width: number;
    }): {
        rule: string;
        message: string;
    } | null;
    /**
     * Fill the place of a part.
     *
     * @param {Part} part
     * @param {{at: number, width: number}} out
     * @param {number[]} rgba
     * @returns {null}
     */
    paint({ window: [first, end, from, to], top, left }: Part, out: {
        at: number;
        width: number;
    }, rgba: number[]): null;
}
