// The header of an associated image (spec section 9.7), whose pixels the browser's own decoder may show.

import { viewOf } from "./bytes.js";
import { RripError } from "./errors.js";
import { MAX_ATTACHMENT_PX } from "./limits.js";

const SOI = 0xffd8,
  SOF0 = 0xffc0;

/**
 * Height and width of a baseline JPEG of three components that is not subsampled.
 *
 * @param {Uint8Array} jpeg
 * @param {string} what
 * @returns {{height: number, width: number}}
 */
export function checkPicture(jpeg, what) {
  const view = viewOf(jpeg);
  const frame = jpeg.length > 4 && view.getUint16(0) === SOI ? frameAt(view) : null;
  const isOurs =
    frame !== null && view.getUint16(frame) === 17 && view.getUint8(frame + 2) === 8 && view.getUint8(frame + 7) === 3;
  if (!isOurs || [0, 1, 2].some((k) => view.getUint8(frame + 9 + 3 * k) !== 0x11)) {
    throw new RripError("attachment.jpeg", `${what} is not a baseline 4:4:4 JPEG of three components`);
  }
  const [height, width] = [view.getUint16(frame + 3), view.getUint16(frame + 5)];
  if (height * width > MAX_ATTACHMENT_PX)
    throw new RripError("limit.attachment", `${what} has ${width} × ${height} px`);
  return { height, width };
}

/** Where the segment of the frame header begins, null if there is none before the scan. @param {DataView} view */
function frameAt(view) {
  for (
    let at = 2;
    at + 21 < view.byteLength && view.getUint8(at) === 0xff;
    at += 2 + Math.max(2, view.getUint16(at + 2))
  ) {
    if (view.getUint16(at) === SOF0) return at + 2;
  }
  return null;
}
