export type RangeFile = import("./http.js").HttpFile | import("./http.js").LocalFile;
export type Wanted = {
    offset: number;
    length: number;
    signal: AbortSignal | undefined;
    resolve: (data: Uint8Array) => void;
    reject: (error: unknown) => void;
};
/** Reads a file in few requests. */
export declare class Ranges {
    file: RangeFile;
    /** What errors call it. @type {string} */
    name: string;
    /** @type {Wanted[]} */
    waiting: Wanted[];
    running: number;
    isTimed: boolean;
    /** Requests and bytes so far, for whoever measures. */
    counts: {
        requests: number;
        bytes: number;
    };
    /** @param {RangeFile} file */
    constructor(file: RangeFile);
    /** Bytes of the file, once something was read. @returns {number} */
    get size(): number;
    /**
     * Bytes of a range, fewer where the file ends; at once, by a request of its own.
     *
     * @param {number} offset
     * @param {number} length
     * @param {AbortSignal} [signal]
     */
    readNow(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
    /**
     * Exactly `length` bytes from `offset`.
     *
     * @param {number} offset
     * @param {number} length
     * @param {AbortSignal} [signal]
     * @returns {Promise<Uint8Array>}
     */
    read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
    start(): void;
    /** The request that waits longest, and those that go with it. @returns {Wanted[]} */
    takeGroup(): Wanted[];
    /** @param {Wanted[]} group */
    run(group: Wanted[]): Promise<void>;
}
