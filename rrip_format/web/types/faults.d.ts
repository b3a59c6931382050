export type Fault = import("./slide.js").Fault;
/**
 * Draw a rectangle hatched, with its rule id: it cannot be taken for tissue, and nothing blurred stands in its place.
 *
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 * @param {Fault} fault
 */
export declare function drawFault(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, { rule, left, top, width, height }: Fault): void;
/**
 * The same without the rule id, in pixels, for viewers that take arrays.
 *
 * @param {Uint8ClampedArray<ArrayBuffer>} pixels RGBA.
 * @param {number} width Of the picture, px.
 * @param {Fault} fault
 */
export declare function hatch(pixels: Uint8ClampedArray<ArrayBuffer>, width: number, fault: Fault): void;
