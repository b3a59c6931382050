// A tile source for OpenSeadragon.

import { RripError, isAbort } from "./errors.js";
import { drawFault } from "./faults.js";

/** @typedef {import("./slide.js").Slide} Slide */
/** @typedef {import("./slide.js").Fault} Fault */

/** Time in which decoded tiles gather, ms. */
const GATHER_MS = 40;

/** Bytes of decoded tiles that OpenSeadragon keeps, and how many it keeps even if they are larger: those of a view. */
const MOST_BYTES = 2 ** 28;
const LEAST_TILES = 16;

/** Time after which OpenSeadragon would leave a tile blurred for good, ms: never, the reader itself gives up and says so. */
const TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Options for `new OpenSeadragon.Viewer`: the tiles of a frame are asked for together, so that their ranges merge, and
 * memory is bounded, whatever the size of a slide's tiles.
 *
 * @param {Slide} slide
 */
export function viewerOptions(slide) {
  return {
    maxTilesPerFrame: 64,
    immediateRender: true,
    imageLoaderLimit: 0,
    maxImageCacheCount: Math.max(LEAST_TILES, Math.floor(MOST_BYTES / (4 * slide.blockSide ** 2))),
    timeout: TIMEOUT_MS,
  };
}

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
  /** @type {(() => void)[]} */
  const finished = [];
  let timer = 0;

  /** Hand tiles over together: each time, OpenSeadragon draws the whole view. */
  function flush() {
    clearTimeout(timer);
    timer = 0;
    for (const finish of finished.splice(0)) finish();
  }

  /** @param {any} job @param {CanvasRenderingContext2D} context */
  function hand(job, context) {
    finished.push(() => job.finish(context, null, "context2d"));
    timer ||= Number(setTimeout(flush, GATHER_MS));
  }

  /** @param {number} width @param {number} height @param {Uint8ClampedArray<ArrayBuffer> | null} pixels @param {Fault[]} faults @param {{level: number, row: number, col: number}} place */
  function drawn(width, height, pixels, faults, place) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    if (pixels) context.putImageData(new ImageData(pixels, width, height), 0, 0);
    for (const fault of faults) {
      drawFault(context, fault);
      onFault?.(fault, place);
    }
    return context;
  }

  const source = new OpenSeadragon.TileSource({
    width: slide.width,
    height: slide.height,
    tileSize: slide.blockSide,
    tileOverlap: 0,
    minLevel: 0,
    maxLevel: coarsest,
  });
  return Object.assign(source, {
    getTileUrl: (/** @type {number} */ level, /** @type {number} */ x, /** @type {number} */ y) =>
      `rrip:${slide.coding.uuid}/${coarsest - level}/${y}/${x}`,
    getTilePostData: (/** @type {number} */ level, /** @type {number} */ x, /** @type {number} */ y) => ({
      level: coarsest - level,
      row: y,
      col: x,
    }),
    getTileHashKey: (
      /** @type {number} */ level,
      /** @type {number} */ x,
      /** @type {number} */ y,
      /** @type {string} */ url,
    ) => url,
    hasTransparency: () => false,

    async downloadTileStart(/** @type {any} */ job) {
      const { level, row, col } = job.postData;
      const abort = new AbortController();
      pending.set(job, abort);
      try {
        const { pixels, width, height, faults } = await slide.block(level, row, col, { signal: abort.signal });
        hand(job, drawn(width, height, pixels, faults, { level, row, col }));
      } catch (error) {
        if (isAbort(error)) {
          if (pending.has(job)) {
            job.fail("no longer looked at", null);
            job.tile.exists = true; // it may be looked at again
          }
        } else {
          // A tile that has failed would stay blurred for good, without a sign.
          const { width, height } = slide.blockSize(level, row, col);
          const fault = {
            rule: error instanceof RripError ? error.rule : "storage.failed",
            message: error instanceof Error ? error.message : String(error),
          };
          hand(job, drawn(width, height, null, [{ ...fault, left: 0, top: 0, width, height }], { level, row, col }));
        }
      } finally {
        pending.delete(job);
        if (!pending.size) flush();
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
