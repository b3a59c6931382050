/**
 * How long and how often a server is asked: tries of one request, the first pause between them, which doubles, the
 * longest one, and the time without any byte after which a try has failed. Tests make them shorter.
 */
export declare const patience: {
    tries: number;
    pauseMs: number;
    longestPauseMs: number;
    silenceMs: number;
};
/** One try: it ends with its caller's signal, or when nothing has come for too long. */
declare class Attempt {
    signal: AbortSignal;
    isSilent: boolean;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    timer: ReturnType<typeof setTimeout> | undefined;
    /** Begin to wait for the next bytes. */
    heard: () => void;
    /** Break off what is left of the answer. */
    end: () => void;
    /** @param {AbortSignal} [signal] */
    constructor(signal?: AbortSignal);
}
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
    /** What is known of the version that is read, as the server tells it. @type {Map<string, string>} */
    version: Map<string, string>;
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
    /** @param {Response} response @param {number} offset @param {number} length @param {boolean} isOpen @param {Attempt} attempt */
    takeRange(response: Response, offset: number, length: number, isOpen: boolean, attempt: Attempt): Promise<Uint8Array<ArrayBuffer>>;
    /** Throw if the file is another one than that which was opened. @param {Response} response */
    checkVersion({ headers }: Response): void;
    /** @param {Response} response @param {number} offset @param {boolean} isOpen */
    learnSize(response: Response, offset: number, isOpen: boolean): void;
    /** Ask for the size alone, if it is not known. @param {AbortSignal} [signal] @returns {Promise<number>} */
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
export {};
