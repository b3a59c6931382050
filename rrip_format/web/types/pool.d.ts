import { Core } from "./core.js";
export type CodingNumbers = import("./core.js").CodingNumbers;
export type Part = import("./core.js").Part;
export type Decoded = ReturnType<Core["decode"]>;
export type Work = {
    coding: CodingNumbers;
    parts: Part[];
    width: number;
    height: number;
};
export type Job = {
    work: Work;
    signal?: AbortSignal;
    resolve: (decoded: Decoded) => void;
    reject: (error: unknown) => void;
};
/**
 * Compile the core, once for each address.
 *
 * @param {string | URL | BufferSource | WebAssembly.Module} [wasm]
 * @returns {Promise<WebAssembly.Module>}
 */
export declare function loadWasm(wasm?: string | URL | BufferSource | WebAssembly.Module): Promise<WebAssembly.Module>;
/** Decodes in workers where there are any, else in the calling thread. */
export declare class Pool {
    module: Promise<WebAssembly.Module>;
    core: Promise<Core>;
    /** @type {Job[]} */
    waiting: Job[];
    /** @type {Worker[]} */
    idle: Worker[];
    /** @type {Set<Worker>} */
    all: Set<Worker>;
    count: number;
    /** @param {Promise<WebAssembly.Module>} module @param {Promise<Core>} core Of the calling thread. @param {number} [count] */
    constructor(module: Promise<WebAssembly.Module>, core: Promise<Core>, count?: number);
    /**
     * As {@link Core.decode}.
     *
     * @param {CodingNumbers} coding
     * @param {Part[]} parts
     * @param {number} width
     * @param {number} height
     * @param {AbortSignal} [signal] Keeps work from beginning.
     * @returns {Promise<Decoded>}
     */
    decode({ uuid, tile, residuals, background }: CodingNumbers, parts: Part[], width: number, height: number, signal?: AbortSignal): Promise<Decoded>;
    start(): void;
    /** @returns {Worker | null} */
    hire(): Worker | null;
    /** Go on without a worker that does not work. @param {Worker} worker */
    lose(worker: Worker): void;
    /** Go on without workers: a page may not be allowed to have any. */
    stopHiring(): void;
    /** @param {Worker} worker @param {Job} job */
    run(worker: Worker, job: Job): void;
    /** End all workers. */
    close(): void;
}
