import { Coding } from "./coding.js";
export type Core = import("./core.js").Core;
export type Metadata = {
    /**
     * All that decoding needs.
     */
    coding: Coding;
    /**
     * What the slide is; no pixel depends on it.
     */
    slide: SlideInfo;
    /**
     * What made the container.
     */
    writer: any;
    /**
     * CRC-32C of the ICC profile and the associated images, by name.
     */
    attachments: Record<string, string>;
};
export type SlideInfo = {
    /**
     * Width and height of a pixel of level 0, µm.
     */
    mpp: [number, number] | null;
    /**
     * Objective power.
     */
    objective: number | null;
    vendor: string | null;
    /**
     * The vendor's own.
     */
    properties: Record<string, string>;
    /**
     * File that it was made from.
     */
    source: {
        name: string;
        bytes: number | null;
        compressions: Compression[] | null;
        missing_tiles: number | null;
    };
};
export type Compression = {
    /**
     * DICOM's term, such as `ISO_10918_1` for JPEG, or a usual name.
     */
    method: string;
    lossy?: boolean | null;
    quality?: number | null;
    subsampling?: string | null;
    ratio?: number | null;
};
/** Eight hexadecimal digits. @param {number} checksum @returns {string} */
export declare const hex: (checksum: number) => string;
/**
 * Judge an object `coding`.
 *
 * @param {any} document What {@link import("./json.js").parseJson} made of it.
 * @param {Core} core
 * @returns {Promise<Coding>}
 */
export declare function readCoding(document: any, core: Core): Promise<Coding>;
/**
 * Judge the attribute `rrip` of a container.
 *
 * @param {any} document What {@link import("./json.js").parseJson} made of it.
 * @param {Core} core
 * @returns {Promise<Metadata>}
 */
export declare function readMetadata(document: any, core: Core): Promise<Metadata>;
/**
 * The attribute `rrip` of a root's `zarr.json` (spec section 9.2).
 *
 * @param {any} document
 */
export declare const attributeOf: (document: any) => any;
