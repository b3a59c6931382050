import { RripError } from "./errors.js";
/**
 * Ask a server, again where it fails for a moment.
 *
 * Without `no-store` Chromium lets ranges of one URL wait for each other, because they would share a cache entry.
 *
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export declare function request(url: string, init?: RequestInit): Promise<Response>;
/**
 * The error of a status that is none of those that were hoped for; its body is not read.
 *
 * @param {Response} response
 * @param {string} url
 * @returns {Promise<RripError>}
 */
export declare function statusError(response: Response, url: string): Promise<RripError>;
/**
 * The body of an answer, of which at most `most` bytes are taken.
 *
 * @param {Response} response
 * @param {number} most
 * @param {string} url
 * @returns {Promise<Uint8Array<ArrayBuffer>>} One byte more than `most` says that there are more.
 */
export declare function bodyOf(response: Response, most: number, url: string): Promise<Uint8Array<ArrayBuffer>>;
/** A folder of files behind a URL. */
export declare class HttpFolder {
    root: URL;
    /** What errors call it. */
    name: string;
    /** @param {string} url */
    constructor(url: string);
    /**
     * A file, null where there is none.
     *
     * @param {string} key Path below the folder.
     * @param {number} most
     * @param {AbortSignal} [signal]
     * @returns {Promise<Uint8Array<ArrayBuffer> | null>} At most `most + 1` bytes.
     */
    get(key: string, most: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer> | null>;
}
/** Ranges of one file behind a URL. */
export declare class HttpFile {
    /** What errors call it. */
    name: string;
    /** Bytes of the file, null before they are known. @type {number | null} */
    size: number | null;
    /** @param {string} url */
    constructor(url: string);
    /**
     * Bytes of a range, fewer where the file ends.
     *
     * @param {number} offset
     * @param {number} length
     * @param {AbortSignal} [signal]
     * @returns {Promise<Uint8Array<ArrayBuffer>>}
     */
    fetchRange(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
    /** @param {Response} response @param {number} offset @param {boolean} isOpen */
    learnSize(response: Response, offset: number, isOpen: boolean): void;
    /** Ask for the size alone. @param {AbortSignal} [signal] @returns {Promise<number>} */
    findSize(signal?: AbortSignal): Promise<number>;
}
/** Ranges of a file that the user has chosen. */
export declare class LocalFile {
    blob: Blob;
    name: any;
    size: number;
    /** @param {Blob} blob @param {string} [name] */
    constructor(blob: Blob, name?: string);
    /** @param {number} offset @param {number} length */
    fetchRange(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
    findSize(): Promise<number>;
}
