/**
 * Height and width of a baseline JPEG of three components that is not subsampled.
 *
 * @param {Uint8Array} jpeg
 * @param {string} what
 * @returns {{height: number, width: number}}
 */
export declare function checkPicture(jpeg: Uint8Array, what: string): {
    height: number;
    width: number;
};
