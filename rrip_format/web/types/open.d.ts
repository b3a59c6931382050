import { TiffContainer } from "./tiff.js";
import { ZarrContainer } from "./zarr.js";
export type Core = import("./core.js").Core;
export type Container = TiffContainer | ZarrContainer;
/**
 * Open a URL by its extension, or else by what is there; a file of the user by its first bytes.
 *
 * @param {string | URL | Blob | import("./zarr.js").KeyStore} source
 * @param {Promise<Core>} core
 * @param {AbortSignal} [signal]
 * @returns {Promise<Container>}
 */
export declare function openContainer(source: string | URL | Blob | import("./zarr.js").KeyStore, core: Promise<Core>, signal?: AbortSignal): Promise<Container>;
