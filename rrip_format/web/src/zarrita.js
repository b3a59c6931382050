// A slide as a store for zarrita: OME-Zarr 0.5 with raw chunks, decoded when they are asked for.

import { RripError } from "./errors.js";

/** @typedef {import("./slide.js").Slide} Slide */

const CHUNK = /^\/(0|[1-9]\d{0,2})\/c\/0\/(0|[1-9]\d{0,9})\/(0|[1-9]\d{0,9})$/;
const DOCUMENT = /^\/(?:(0|[1-9]\d{0,2})\/)?zarr\.json$/;

/**
 * What zarrita calls an `AsyncReadable`: a group with an array (3, height, width) of each level, in chunks of 4T px.
 *
 * A chunk that is damaged or missing is an error, never absent: Zarr would fill it.
 */
export class RripStore {
  /** @param {Slide} slide */
  constructor(slide) {
    this.slide = slide;
  }

  /**
   * The value of a key, undefined where there is none.
   *
   * @param {string} key With a slash at its beginning.
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Uint8Array | undefined>}
   */
  async get(key, { signal } = {}) {
    const document = DOCUMENT.exec(key);
    if (document) return this.document(document[1] === undefined ? null : Number(document[1]));
    const chunk = CHUNK.exec(key);
    if (!chunk) return undefined;
    const [level, row, col] = chunk.slice(1).map(Number);
    const side = this.slide.blockSide;
    const [height, width] = level < this.slide.levels ? this.slide.coding.size(level) : [0, 0];
    if (row * side >= height || col * side >= width) return undefined;
    const picture = await this.slide.block(level, row, col, { signal });
    const [fault] = picture.faults;
    if (fault) throw new RripError(fault.rule, fault.message);
    return planesOf(picture, side);
  }

  /** @param {number | null} level */
  document(level) {
    if (level !== null && level >= this.slide.levels) return undefined;
    const found = level === null ? this.group() : this.array(level);
    return new TextEncoder().encode(JSON.stringify(found));
  }

  /** @param {number} level */
  array(level) {
    const side = this.slide.blockSide;
    return {
      zarr_format: 3,
      node_type: "array",
      shape: [3, ...this.slide.coding.size(level)],
      data_type: "uint8",
      chunk_grid: { name: "regular", configuration: { chunk_shape: [3, side, side] } },
      chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
      fill_value: this.slide.coding.background[0],
      codecs: [{ name: "bytes" }],
      dimension_names: ["c", "y", "x"],
      attributes: {},
    };
  }

  group() {
    const { mpp, source } = this.slide.metadata.slide;
    const [width, height] = mpp ?? [1, 1];
    const unit = mpp ? { unit: "micrometer" } : {};
    const datasets = Array.from({ length: this.slide.levels }, (_, level) => ({
      path: String(level),
      coordinateTransformations: [
        { type: "scale", scale: [1, height * 2 ** level, width * 2 ** level] },
        { type: "translation", translation: [0, (height * (2 ** level - 1)) / 2, (width * (2 ** level - 1)) / 2] },
      ],
    }));
    const axes = [
      { name: "c", type: "channel" },
      { name: "y", type: "space", ...unit },
      { name: "x", type: "space", ...unit },
    ];
    const window = { min: 0, max: 255, start: 0, end: 255 };
    const colours = { red: "FF0000", green: "00FF00", blue: "0000FF" };
    const channels = Object.entries(colours).map(([label, color]) => ({ label, color, active: true, window }));
    const multiscales = [{ name: source.name, axes, datasets, type: "mean" }];
    const omero = { name: source.name, channels, rdefs: { model: "color" } };
    return { zarr_format: 3, node_type: "group", attributes: { ome: { version: "0.5", multiscales, omero } } };
  }
}

/** R, G and B of a picture one after another, with the padding of a chunk. @param {import("./slide.js").Picture} picture @param {number} side */
function planesOf({ pixels, width, height }, side) {
  const planes = new Uint8Array(3 * side * side);
  for (let y = 0; y < height; y++) {
    for (let x = 0, from = 4 * y * width, to = y * side; x < width; x++, from += 4, to++) {
      planes[to] = pixels[from];
      planes[to + side * side] = pixels[from + 1];
      planes[to + 2 * side * side] = pixels[from + 2];
    }
  }
  return planes;
}
