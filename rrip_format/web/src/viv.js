// A slide as pixel sources for Viv (`MultiscaleImageLayer`), one a level, in RGBA.

import { isAbort } from "./errors.js";
import { hatch } from "./faults.js";

/** @typedef {import("./slide.js").Slide} Slide */
/** @typedef {{data: Uint8Array, width: number, height: number}} PixelData */

/** One level of a slide, as Viv's interface `PixelSource<[]>` has it. */
export class RripPixelSource {
  /** @param {Slide} slide @param {number} level */
  constructor(slide, level) {
    const [height, width] = slide.coding.size(level);
    const { mpp } = slide.metadata.slide;
    const sizeOf = (/** @type {number} */ axis) => ({
      size: /** @type {number[]} */ (mpp)[axis] * 2 ** level,
      unit: "µm",
    });
    this.slide = slide;
    this.level = level;
    /** Rows, columns, and RGBA. @type {[number, number, number]} */
    this.shape = [height, width, 4];
    this.labels = /** @type {["y", "x", "_c"]} */ (["y", "x", "_c"]);
    this.dtype = /** @type {"Uint8"} */ ("Uint8");
    this.tileSize = slide.blockSide;
    this.meta = { photometricInterpretation: 2, ...(mpp && { physicalSizes: { x: sizeOf(0), y: sizeOf(1) } }) };
  }

  /**
   * A tile, cut at the edges; what is damaged or missing is hatched.
   *
   * @param {{x: number, y: number, signal?: AbortSignal}} tile
   * @returns {Promise<PixelData>}
   */
  async getTile({ x, y, signal }) {
    return hatched(await this.slide.block(this.level, y, x, { signal }));
  }

  /**
   * The whole level.
   *
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<PixelData>}
   */
  async getRaster({ signal } = {}) {
    const [height, width] = this.shape;
    return hatched(await this.slide.region(this.level, 0, 0, height, width, { signal }));
  }

  /** @param {Error} error */
  onTileError(error) {
    if (!isAbort(error)) console.error(error);
  }
}

/** @param {import("./slide.js").Picture} picture @returns {PixelData} */
function hatched({ pixels, width, height, faults }) {
  const own = faults.length ? pixels.slice() : pixels; // a cache has the picture too
  for (const fault of faults) hatch(own, width, fault);
  return { data: new Uint8Array(own.buffer), width, height };
}

/**
 * The `loader` of Viv's layers: all levels, finest first.
 *
 * @param {Slide} slide
 * @returns {RripPixelSource[]}
 */
export const createPixelSources = (slide) =>
  Array.from({ length: slide.levels }, (_, level) => new RripPixelSource(slide, level));
