/**
 * What is wrong with a container, or with the server that holds it.
 *
 * `message` says what was found, what was expected and what to do; it may quote a few characters of the container, so
 * show it as text, never as markup.
 */
export declare class RripError extends Error {
    /** Rule id of spec section 12. */
    rule: string;
    /** Class of spec section 12: `damaged`, `missing`, `format`, `newer`, `limit` or `storage`. */
    kind: string;
    /**
     * @param {string} rule Rule id of spec section 12, such as `tile.checksum`.
     * @param {string} message
     */
    constructor(rule: string, message: string);
}
/**
 * A few characters of a value from outside, for a message.
 *
 * @param {unknown} value
 * @returns {string}
 */
export declare function shown(value: unknown): string;
/**
 * Throw the reason of a signal that was aborted.
 *
 * @param {AbortSignal | undefined} signal
 */
export declare function throwIfAborted(signal: AbortSignal | undefined): void;
/**
 * Whether an error says that a request was cancelled, not that it failed.
 *
 * @param {unknown} error
 * @returns {boolean}
 */
export declare const isAbort: (error: unknown) => boolean;
