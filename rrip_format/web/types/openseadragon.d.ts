export type Slide = import("./slide.js").Slide;
export type Fault = import("./slide.js").Fault;
/**
 * Options for `new OpenSeadragon.Viewer` without which slides are slow: the tiles of a frame are asked for together, so that their ranges merge.
 */
export declare const VIEWER_OPTIONS: Readonly<{
    maxTilesPerFrame: 64;
    immediateRender: true;
    imageLoaderLimit: 0;
    maxImageCacheCount: 200;
    timeout: 120000;
}>;
/**
 * A slide as a tile source: squares of 4T px at every level.
 *
 * @param {any} OpenSeadragon The library, 5 or later.
 * @param {Slide} slide
 * @param {object} [options]
 * @param {(fault: Fault, place: {level: number, row: number, col: number}) => void} [options.onFault] Called for each part that is drawn hatched.
 * @returns {any} An `OpenSeadragon.TileSource`; `cancelOutside(viewport)` breaks off what is no longer looked at.
 */
export declare function createTileSource(OpenSeadragon: any, slide: Slide, { onFault }?: {
    onFault?: (fault: Fault, place: {
        level: number;
        row: number;
        col: number;
    }) => void;
}): any;
