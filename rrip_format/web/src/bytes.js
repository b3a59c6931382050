// Small things about bytes: little-endian numbers, inflating with a bound, base64.

/**
 * A view of the same bytes for numbers of several bytes.
 *
 * @param {Uint8Array} data
 */
export const viewOf = (data) => new DataView(data.buffer, data.byteOffset, data.byteLength);

/**
 * A 64-bit number. Those beyond 2⁵³ lose their last bits, and are beyond any file.
 *
 * @param {DataView} view
 * @param {number} at
 * @returns {number}
 */
export const uint64 = (view, at) => Number(view.getBigUint64(at, true));

/**
 * Join pieces to one array.
 *
 * @param {Uint8Array[]} pieces
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * Read a stream to its end, or until more than `most` bytes have come, of which the rest is not asked for.
 *
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} most
 * @param {() => void} [onPiece] Called whenever something has come.
 * @returns {Promise<Uint8Array<ArrayBuffer>>} At most `most + 1` bytes: one more says that it is longer.
 */
export async function readAtMost(stream, most, onPiece) {
  const reader = stream.getReader();
  /** @type {Uint8Array[]} */
  const pieces = [];
  for (let size = 0; size <= most;) {
    const { done, value } = await reader.read();
    if (done) return joined(pieces);
    onPiece?.();
    pieces.push(size + value.length > most ? value.subarray(0, most + 1 - size) : value);
    size += value.length;
  }
  await reader.cancel().catch(() => {});
  return joined(pieces);
}

/**
 * Inflate at most `most` bytes, and one more if there are more.
 *
 * @param {Uint8Array} data
 * @param {"deflate" | "deflate-raw"} format With or without the frame of zlib.
 * @param {number} most
 * @returns {Promise<Uint8Array>}
 * @throws If the data are broken or end early; not if bytes follow them, which some browsers hide.
 */
export function inflate(data, format, most) {
  const copy = new Uint8Array(data); // a Blob takes no shared memory
  return readAtMost(new Blob([copy]).stream().pipeThrough(new DecompressionStream(format)), most);
}

/**
 * Checksum of RFC 1950, with which a zlib stream ends.
 *
 * @param {Uint8Array} data
 * @returns {number}
 */
export function adler32(data) {
  let a = 1;
  let b = 0;
  for (let at = 0; at < data.length;) {
    const end = Math.min(at + 3800, data.length); // so that no sum leaves 32 bits
    for (; at < end; at++) b += a += data[at];
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

/**
 * Bytes of base64 as RFC 4648 section 4 has it, null for anything else.
 *
 * @param {string} text
 * @returns {Uint8Array | null}
 */
export function fromBase64(text) {
  if (text.length % 4 || /[^A-Za-z0-9+/]/.test(text.replace(/={1,2}$/, ""))) return null;
  const letters = atob(text);
  const data = new Uint8Array(letters.length);
  for (let at = 0; at < data.length; at++) data[at] = letters.charCodeAt(at);
  return data;
}
