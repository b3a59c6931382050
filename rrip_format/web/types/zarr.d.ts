import { RripError } from "./errors.js";
export type Core = import("./core.js").Core;
export type Metadata = import("./metadata.js").Metadata;
export type Ranges = import("./ranges.js").Ranges;
export type KeyStore = {
    /**
     * What errors call it.
     */
    name: string;
    /**
     * The value of a key, null where there is
     * none; of a longer one than `most`, more than `most` bytes or a `RripError` without bytes.
     */
    get: (key: string, most: number, signal?: AbortSignal) => Promise<Uint8Array | null>;
};
/** A container whose parts have Zarr keys. */
export declare class ZarrContainer {
    kind: string;
    store: KeyStore;
    metadata: import("./metadata.js").Metadata;
    /** @param {KeyStore} store @param {Promise<Core>} core @param {AbortSignal} [signal] */
    static open(store: KeyStore, core: Promise<Core>, signal?: AbortSignal): Promise<ZarrContainer>;
    /** @param {KeyStore} store @param {Metadata} metadata */
    constructor(store: KeyStore, metadata: Metadata);
    /** As in {@link import("./tiff.js").TiffContainer}. @param {number} level @param {number} row @param {number} col @param {AbortSignal} [signal] */
    tile(level: number, row: number, col: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBufferLike> | null>;
    /** @param {string} name */
    attachment(name: string): Promise<Uint8Array<ArrayBufferLike> | null>;
}
export type Member = {
    offset: number;
    packed: number;
    size: number;
    method: number;
    header: number;
};
/** @typedef {{offset: number, packed: number, size: number, method: number, header: number}} Member */
/** The members of a zip archive by name. */
export declare class ZipStore {
    ranges: import("./ranges.js").Ranges;
    name: string;
    start: number;
    tail: Uint8Array<ArrayBufferLike>;
    /** @type {Map<string, Member>} */
    members: Map<string, Member>;
    /** @param {Ranges} ranges @param {AbortSignal} [signal] */
    static open(ranges: Ranges, signal?: AbortSignal): Promise<ZipStore>;
    /** @param {Ranges} ranges @param {number} start @param {Uint8Array} tail End of the file, from byte `start`. */
    constructor(ranges: Ranges, start: number, tail: Uint8Array);
    /** @param {number} offset @param {number} length */
    read(offset: number, length: number): Promise<DataView<ArrayBufferLike>>;
    /** @param {string} what */
    broken(what: string): RripError;
    /** Where the directory is, and how many bytes and entries it has. */
    findDirectory(): Promise<{
        length: number;
        offset: number;
        shift: number;
    }>;
    /** @param {number} size @param {number} comment Longest comment behind the record. */
    findEnd(size: number, comment: number): Promise<{
        at: number;
        view: DataView<ArrayBufferLike>;
    } | null>;
    readDirectory(): Promise<void>;
    /** Size, packed size and offset, each from the extra field where it is too large for 32 bits. @param {DataView} extra @param {number[]} numbers */
    wide(extra: DataView, numbers: number[]): number[];
    /**
     * The member of a name.
     *
     * @param {string} key
     * @param {number} most
     * @param {AbortSignal} [signal]
     */
    get(key: string, most: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBufferLike> | null>;
}
