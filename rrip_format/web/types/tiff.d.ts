import { RripError } from "./errors.js";
import { Index } from "./tiff_index.js";
export type Ranges = import("./ranges.js").Ranges;
export type Core = import("./core.js").Core;
export type Metadata = import("./metadata.js").Metadata;
export type Field = import("./tiff_index.js").Field;
export type Ifd = {
    offset: number;
    fields: Map<number, Field>;
    following: number;
};
/** A container in one BigTIFF. */
export declare class TiffContainer {
    kind: string;
    ranges: import("./ranges.js").Ranges;
    index: Index;
    visited: Set<any>;
    /** @type {{offsets: Field, lengths: Field}[]} */
    tables: {
        offsets: Field;
        lengths: Field;
    }[];
    /** @type {Map<string, {offset: number, length: number}>} */
    images: Map<string, {
        offset: number;
        length: number;
    }>;
    /** Set by `readRoot`. @type {Metadata} */
    metadata: Metadata;
    /** @type {Ifd} */
    root: Ifd;
    /**
     * Read all but tiles and attachments.
     *
     * @param {Ranges} ranges
     * @param {DataView} header First bytes of the file.
     * @param {Promise<Core>} core
     * @param {AbortSignal} [signal]
     */
    static open(ranges: Ranges, header: DataView, core: Promise<Core>, signal?: AbortSignal): Promise<TiffContainer>;
    /** @param {Ranges} ranges */
    constructor(ranges: Ranges);
    /** @param {string} rule @param {string} message */
    error(rule: string, message: string): RripError;
    /** @param {DataView} header @returns {number} */
    firstIfd(header: DataView): number;
    /** @param {number} start @param {Promise<Core>} core */
    readRoot(start: number, core: Promise<Core>): Promise<void>;
    /** @param {number} start */
    readIfds(start: number): Promise<void>;
    /** Levels 2 and coarser of a sealed file, whose IFD 0 is none of them (spec section 10.10). @param {number} start */
    sealedIfds(start: number): Promise<Ifd[]>;
    /** Levels 2 and coarser. @param {number} start */
    chainedIfds(start: number): Promise<Ifd[]>;
    /** @param {number} offset */
    visit(offset: number): void;
    /** @param {number} offset @returns {Promise<Ifd>} */
    readIfd(offset: number): Promise<Ifd>;
    /** @param {Field} field @param {number[]} kinds @param {number} tag */
    checkKind(field: Field, kinds: number[], tag: number): void;
    /** A field that must be there. @param {Ifd} ifd @param {number} tag @param {number[]} kinds @param {number} count */
    field(ifd: Ifd, tag: number, kinds: number[], count: number): import("./tiff_index.js").Field;
    /** @param {number} tag @param {number} count @returns {Promise<Ifd[]>} */
    privateIfds(tag: number, count: number): Promise<Ifd[]>;
    /** Spec section 10.3. @param {Ifd} ifd @param {number} level */
    readTable(ifd: Ifd, level: number): Promise<{
        offsets: import("./tiff_index.js").Field;
        lengths: import("./tiff_index.js").Field;
    }>;
    /** @param {Ifd} ifd @param {number} level */
    checkReference(ifd: Ifd, level: number): Promise<void>;
    /** Spec section 10.6. */
    readImages(): Promise<void>;
    /** One number of a table of tiles. @param {Field} table @param {number} at */
    entry(table: Field, at: number): Promise<number>;
    /**
     * A stored tile, unchecked, null where there is none.
     *
     * @param {number} level
     * @param {number} row
     * @param {number} col
     * @param {AbortSignal} [signal]
     */
    tile(level: number, row: number, col: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBufferLike> | null>;
    /**
     * An attachment followed by its checksum, null where there is none.
     *
     * @param {string} name
     * @param {Core} core
     */
    attachment(name: string, core: Core): Promise<Uint8Array<ArrayBufferLike> | null>;
}
