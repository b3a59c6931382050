// How damage is drawn: hatched, so that it cannot be taken for tissue.

/** @typedef {import("./slide.js").Fault} Fault */

const HATCH_PX = 16;
const LIGHT = "#f5e6ef";
const DARK = "#b4005a";
const [LIGHT_RGBA, DARK_RGBA] = [0xffefe6f5, 0xff5a00b4]; // as little-endian numbers

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
 * The same without the rule id, in pixels, for viewers that take arrays.
 *
 * @param {Uint8ClampedArray<ArrayBuffer>} pixels RGBA.
 * @param {number} width Of the picture, px.
 * @param {Fault} fault
 */
export function hatch(pixels, width, fault) {
  const all = new Uint32Array(pixels.buffer, pixels.byteOffset, pixels.length / 4);
  for (let y = fault.top; y < fault.top + fault.height; y++) {
    for (let x = fault.left; x < fault.left + fault.width; x++) {
      all[y * width + x] = (x + y) % HATCH_PX < HATCH_PX / 4 ? DARK_RGBA : LIGHT_RGBA;
    }
  }
}
