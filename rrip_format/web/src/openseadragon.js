// A tile source for OpenSeadragon, and how damage is drawn.

import { RripError, isAbort } from "./errors.js";

/** @typedef {import("./slide.js").Slide} Slide */
/** @typedef {import("./slide.js").Fault} Fault */

const HATCH_PX = 16;
const LIGHT = "#f5e6ef";
const DARK = "#b4005a";

/**
 * Draw a rectangle hatched, with its rule id: it cannot be taken for tissue, and nothing blurred stands in its place.
 *
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 * @param {Fault} fault
 */
export function drawFault(context, { rule, left, top, width, height }) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.fillStyle = LIGHT;
  context.fillRect(left, top, width, height);
  context.strokeStyle = DARK;
  context.lineWidth = HATCH_PX / 8;
  context.beginPath();
  for (let x = left - height; x < left + width; x += HATCH_PX) {
    context.moveTo(x, top + height);
    context.lineTo(x + height, top);
  }
  context.stroke();
  const size = Math.min(24, (1.5 * width) / rule.length);
  context.font = `bold ${size}px sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const [x, y] = [left + width / 2, top + height / 2];
  context.fillStyle = LIGHT;
  context.fillRect(left, y - size, width, 2 * size);
  context.fillStyle = DARK;
  context.fillText(rule, x, y, width);
  context.restore();
}

/**
 * Options for `new OpenSeadragon.Viewer` without which slides are slow: the tiles of a frame are asked for together, so that their ranges merge.
 */
export const VIEWER_OPTIONS = Object.freeze({
  maxTilesPerFrame: 64,
  immediateRender: true,
  imageLoaderLimit: 0,
  maxImageCacheCount: 200,
  timeout: 120000,
});

/**
 * A slide as a tile source: squares of 4T px at every level.
 *
 * @param {any} OpenSeadragon The library, 5 or later.
 * @param {Slide} slide
 * @param {object} [options]
 * @param {(fault: Fault, place: {level: number, row: number, col: number}) => void} [options.onFault] Called for each part that is drawn hatched.
 * @returns {any} An `OpenSeadragon.TileSource`; `cancelOutside(viewport)` breaks off what is no longer looked at.
 */
export function createTileSource(OpenSeadragon, slide, { onFault } = {}) {
  const coarsest = slide.levels - 1;
  /** @type {Map<any, AbortController>} */
  const pending = new Map();
  const source = new OpenSeadragon.TileSource({
    width: slide.width,
    height: slide.height,
    tileSize: slide.blockSide,
    tileOverlap: 0,
    minLevel: 0,
    maxLevel: coarsest,
  });
  return Object.assign(source, {
    getTileUrl: (/** @type {number} */ level, /** @type {number} */ x, /** @type {number} */ y) => `rrip:${slide.coding.uuid}/${coarsest - level}/${y}/${x}`,
    getTilePostData: (/** @type {number} */ level, /** @type {number} */ x, /** @type {number} */ y) => ({ level: coarsest - level, row: y, col: x }),
    getTileHashKey: (/** @type {number} */ level, /** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ url) => url,
    hasTransparency: () => false,

    async downloadTileStart(/** @type {any} */ job) {
      const { level, row, col } = job.postData;
      const abort = new AbortController();
      pending.set(job, abort);
      try {
        const { pixels, width, height, faults } = await slide.block(level, row, col, { signal: abort.signal });
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [width, height];
        const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
        context.putImageData(new ImageData(pixels, width, height), 0, 0);
        for (const fault of faults) {
          drawFault(context, fault);
          onFault?.(fault, { level, row, col });
        }
        job.finish(context, null, "context2d");
      } catch (error) {
        if (!isAbort(error)) job.fail(error instanceof RripError ? error.rule : String(error), null);
        else if (pending.has(job)) {
          job.fail("no longer looked at", null);
          job.tile.exists = true; // it may be looked at again
        }
      } finally {
        pending.delete(job);
      }
    },

    downloadTileAbort(/** @type {any} */ job) {
      const abort = pending.get(job);
      pending.delete(job);
      abort?.abort();
    },

    cancelOutside(/** @type {any} */ viewport) {
      const seen = viewport.getBoundsWithMargins(true);
      for (const [job, abort] of pending) {
        const bounds = job.tile?.bounds;
        if (bounds && !seen.intersection(bounds)) abort.abort();
      }
    },
  });
}
