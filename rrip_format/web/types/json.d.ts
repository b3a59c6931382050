/** A number that was written with a fraction or an exponent, or as an integer beyond 2⁵³ − 1. */
export declare class NotAnInteger {
    value: number;
    isCanonical: boolean;
    /**
     * @param {number} value
     * @param {boolean} isCanonical Whether RFC 8785 has a form for it.
     */
    constructor(value: number, isCanonical: boolean);
}
/**
 * Parse a document.
 *
 * Objects have no prototype. Integers up to 2⁵³ − 1 are numbers, all other numbers are {@link NotAnInteger}.
 *
 * @param {Uint8Array} data
 * @param {string} what What errors call it.
 * @returns {any}
 */
export declare function parseJson(data: Uint8Array, what: string): any;
/**
 * The RFC 8785 form of a parsed value (spec section 8.5).
 *
 * @param {any} value
 * @returns {string}
 */
export declare function canonical(value: any): string;
/**
 * A parsed value with ordinary numbers and objects.
 *
 * @param {any} value
 * @returns {any}
 */
export declare function plain(value: any): any;
