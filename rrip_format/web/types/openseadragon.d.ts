export type Slide = import("./slide.js").Slide;
export type Fault = import("./slide.js").Fault;
/**
 * Options for `new OpenSeadragon.Viewer`: the tiles of a frame are asked for together, so that their ranges merge, and
 * memory is bounded, whatever the size of a slide's tiles.
 *
 * @param {Slide} slide
 */
export declare function viewerOptions(slide: Slide): {
    maxTilesPerFrame: number;
    immediateRender: boolean;
    imageLoaderLimit: number;
    maxImageCacheCount: number;
    timeout: number;
};
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
