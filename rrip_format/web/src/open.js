// Which kind of container is at an address (spec sections 9.1 and 10).

import { viewOf } from "./bytes.js";
import { RripError } from "./errors.js";
import { HttpFile, HttpFolder, LocalFile } from "./http.js";
import { Ranges } from "./ranges.js";
import { TiffContainer } from "./tiff.js";
import { ZarrContainer, ZipStore } from "./zarr.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {TiffContainer | ZarrContainer} Container */

const FIRST_BYTES = 16;
/** First four bytes of TIFF files of every kind, as little-endian numbers. */
const TIFF = new Set([0x002b4949, 0x002a4949, 0x2b004d4d, 0x2a004d4d]);
const PK = 0x4b50;

/**
 * Open a URL by its extension, or else by what is there; a file of the user by its first bytes.
 *
 * @param {string | URL | Blob | import("./zarr.js").KeyStore} source
 * @param {Promise<Core>} core
 * @param {AbortSignal} [signal]
 * @returns {Promise<Container>}
 */
export async function openContainer(source, core, signal) {
  if (source instanceof Blob) return openFile(new LocalFile(source), core, signal);
  if (typeof source === "object" && "get" in source) return ZarrContainer.open(source, core, signal);
  const url = new URL(source, globalThis.location?.href);
  if (/\.(tiff?|zip|rrip)$/i.test(url.pathname)) return openFile(new HttpFile(url.href), core, signal);
  try {
    return await ZarrContainer.open(new HttpFolder(url.href), core, signal);
  } catch (error) {
    const isOther = error instanceof RripError && error.rule === "metadata.absent";
    if (!isOther || /\.zarr\/?$/.test(url.pathname)) throw error;
    return openFile(new HttpFile(url.href), core, signal);
  }
}

/** @param {HttpFile | LocalFile} file @param {Promise<Core>} core @param {AbortSignal} [signal] */
async function openFile(file, core, signal) {
  const ranges = new Ranges(file);
  const first = viewOf(await ranges.readNow(0, FIRST_BYTES, signal));
  const magic = first.byteLength >= 4 ? first.getUint32(0, true) : 0;
  if (TIFF.has(magic)) return TiffContainer.open(ranges, first, core, signal);
  if ((magic & 0xffff) === PK) return ZarrContainer.open(await ZipStore.open(ranges, signal), core, signal);
  throw new RripError(
    "container.kind",
    `${file.name}: neither a TIFF file nor a zip archive, expected an RRIP container`,
  );
}
