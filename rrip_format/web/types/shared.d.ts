export type Running<V> = {
    promise: Promise<V>;
    abort: AbortController;
    waiting: number;
};
/**
 * @template V
 * @typedef {{promise: Promise<V>, abort: AbortController, waiting: number}} Running
 */
/** @template V */
export declare class Shared<V> {
    /** @type {Map<string, Running<V>>} */
    running: Map<string, Running<V>>;
    constructor();
    /**
     * Wait for the work of a key, which begins with the first caller.
     *
     * @param {string} key
     * @param {AbortSignal | undefined} signal Of this caller.
     * @param {(signal: AbortSignal) => Promise<V>} work
     * @returns {Promise<V>}
     */
    join(key: string, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<V>): Promise<V>;
    /** @param {string} key @param {(signal: AbortSignal) => Promise<V>} work @returns {Running<V>} */
    begin(key: string, work: (signal: AbortSignal) => Promise<V>): Running<V>;
}
