export type Slide = import("./slide.js").Slide;
export type PixelData = {
    data: Uint8Array;
    width: number;
    height: number;
};
/** @typedef {import("./slide.js").Slide} Slide */
/** @typedef {{data: Uint8Array, width: number, height: number}} PixelData */
/** One level of a slide, as Viv's interface `PixelSource<[]>` has it. */
export declare class RripPixelSource {
    slide: import("./slide.js").Slide;
    level: number;
    /** Rows, columns, and RGBA. @type {[number, number, number]} */
    shape: [number, number, number];
    labels: ["y", "x", "_c"];
    dtype: "Uint8";
    tileSize: number;
    meta: {
        photometricInterpretation: number;
        physicalSizes?: {
            x: {
                size: number;
                unit: string;
            };
            y: {
                size: number;
                unit: string;
            };
        } | undefined;
    };
    /** @param {Slide} slide @param {number} level */
    constructor(slide: Slide, level: number);
    /**
     * A tile, cut at the edges; what is damaged or missing is hatched.
     *
     * @param {{x: number, y: number, signal?: AbortSignal}} tile
     * @returns {Promise<PixelData>}
     */
    getTile({ x, y, signal }: {
        x: number;
        y: number;
        signal?: AbortSignal;
    }): Promise<PixelData>;
    /**
     * The whole level.
     *
     * @param {{signal?: AbortSignal}} [options]
     * @returns {Promise<PixelData>}
     */
    getRaster({ signal }?: {
        signal?: AbortSignal;
    }): Promise<PixelData>;
    /** @param {Error} error */
    onTileError(error: Error): void;
}
/**
 * The `loader` of Viv's layers: all levels, finest first.
 *
 * @param {Slide} slide
 * @returns {RripPixelSource[]}
 */
export declare const createPixelSources: (slide: Slide) => RripPixelSource[];
