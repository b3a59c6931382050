/** @template V */
export declare class Lru<V> {
    most: number;
    size: number;
    /** @type {Map<string, {value: V, size: number}>} */
    entries: Map<string, {
        value: V;
        size: number;
    }>;
    /** @param {number} most Sum of the sizes of what it keeps. */
    constructor(most: number);
    /** @param {string} key @returns {V | undefined} */
    get(key: string): V | undefined;
    /** @param {string} key @param {V} value @param {number} size */
    set(key: string, value: V, size: number): void;
    /** @param {string} key */
    delete(key: string): void;
    clear(): void;
}
