/**
 * A view of the same bytes for numbers of several bytes.
 *
 * @param {Uint8Array} data
 */
export declare const viewOf: (data: Uint8Array) => DataView<ArrayBufferLike>;
/**
 * A 64-bit number. Those beyond 2⁵³ lose their last bits, and are beyond any file.
 *
 * @param {DataView} view
 * @param {number} at
 * @returns {number}
 */
export declare const uint64: (view: DataView, at: number) => number;
/**
 * Join pieces to one array.
 *
 * @param {Uint8Array[]} pieces
 * @returns {Uint8Array<ArrayBuffer>}
 */
export declare function joined(pieces: Uint8Array[]): Uint8Array<ArrayBuffer>;
/**
 * Read a stream to its end, or until more than `most` bytes have come, of which the rest is not asked for.
 *
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} most
 * @param {() => void} [onPiece] Called whenever something has come.
 * @returns {Promise<Uint8Array<ArrayBuffer>>} At most `most + 1` bytes: one more says that it is longer.
 */
export declare function readAtMost(stream: ReadableStream<Uint8Array>, most: number, onPiece?: () => void): Promise<Uint8Array<ArrayBuffer>>;
/**
 * Inflate at most `most` bytes, and one more if there are more.
 *
 * @param {Uint8Array} data
 * @param {"deflate" | "deflate-raw"} format With or without the frame of zlib.
 * @param {number} most
 * @returns {Promise<Uint8Array>}
 * @throws If the data are broken or end early; not if bytes follow them, which some browsers hide.
 */
export declare function inflate(data: Uint8Array, format: "deflate" | "deflate-raw", most: number): Promise<Uint8Array>;
/**
 * Checksum of RFC 1950, with which a zlib stream ends.
 *
 * @param {Uint8Array} data
 * @returns {number}
 */
export declare function adler32(data: Uint8Array): number;
/**
 * Bytes of base64 as RFC 4648 section 4 has it, null for anything else.
 *
 * @param {string} text
 * @returns {Uint8Array | null}
 */
export declare function fromBase64(text: string): Uint8Array | null;
