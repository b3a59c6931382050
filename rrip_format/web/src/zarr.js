// The Zarr binding (spec section 9): a folder, or a zip archive read by its directory.

import { inflate, uint64, viewOf } from "./bytes.js";
import { tileKey } from "./coding.js";
import { RripError } from "./errors.js";
import { parseJson } from "./json.js";
import { MAX_ATTACHMENT_BYTES, MAX_DIRECTORY_BYTES, MAX_METADATA_BYTES } from "./limits.js";
import { attributeOf, readMetadata } from "./metadata.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./metadata.js").Metadata} Metadata */
/** @typedef {import("./ranges.js").Ranges} Ranges */

/**
 * Keys to bytes.
 *
 * @typedef {object} KeyStore
 * @property {string} name What errors call it.
 * @property {(key: string, most: number, signal?: AbortSignal) => Promise<Uint8Array | null>} get The value of a key, null where there is
 * none; of a longer one than `most`, more than `most` bytes or a `RripError` without bytes.
 */

/** Zarr key of an attachment (spec section 9.7). @param {string} name */
const attachmentKey = (name) => (name === "icc_profile" ? "icc_profile/c/0" : `associated/${name}/c/0/0/0`);

/** A container whose parts have Zarr keys. */
export class ZarrContainer {
  /** @param {KeyStore} store @param {Promise<Core>} core @param {AbortSignal} [signal] */
  static async open(store, core, signal) {
    const data = await store.get("zarr.json", MAX_METADATA_BYTES, signal);
    if (!data)
      throw new RripError(
        "metadata.absent",
        `${store.name}: has no zarr.json, so it is no RRIP container or an incomplete one`,
      );
    const document = parseJson(data, `${store.name}: its zarr.json`);
    return new ZarrContainer(store, await readMetadata(attributeOf(document), await core));
  }

  /** @param {KeyStore} store @param {Metadata} metadata */
  constructor(store, metadata) {
    this.kind = store instanceof ZipStore ? "zip" : "folder";
    this.store = store;
    this.metadata = metadata;
  }

  /** As in {@link import("./tiff.js").TiffContainer}. @param {number} level @param {number} row @param {number} col @param {AbortSignal} [signal] */
  async tile(level, row, col, signal) {
    const most = this.metadata.coding.tileLimit(level);
    const data = await this.store.get(tileKey(level, row, col), most, signal);
    if (data && data.length > most)
      throw new RripError("tile.size", `${this.store.name}: tile ${level}/${row}/${col} has more than ${most} bytes`);
    return data;
  }

  /** @param {string} name */
  async attachment(name) {
    const most = MAX_ATTACHMENT_BYTES + 4;
    const data = await this.store.get(attachmentKey(name), most);
    if (data && data.length > most)
      throw new RripError("limit.attachment", `${this.store.name}: ${name} has more than ${most} bytes`);
    return data;
  }
}

const END = 0x06054b50,
  END64 = 0x06064b50,
  END64_LOCATOR = 0x07064b50,
  ENTRY = 0x02014b50,
  MEMBER = 0x04034b50;
const END_BYTES = 22,
  LOCATOR_BYTES = 20,
  END64_BYTES = 56,
  ENTRY_BYTES = 46,
  MEMBER_BYTES = 30;
const MAX_COMMENT = 0xffff;
const STORED = 0,
  DEFLATED = 8;
/** Read beyond a member, for local headers with more extra fields than the directory tells. */
const SLACK_BYTES = 64;
const TAIL_BYTES = 1 << 16;

/** @typedef {{offset: number, packed: number, size: number, method: number, header: number}} Member */

/** The members of a zip archive by name. */
export class ZipStore {
  /** @param {Ranges} ranges @param {AbortSignal} [signal] */
  static async open(ranges, signal) {
    const size = await ranges.file.findSize(signal);
    const start = Math.max(0, size - TAIL_BYTES);
    const tail = await ranges.read(start, size - start, signal);
    const store = new ZipStore(ranges, start, tail);
    await store.readDirectory();
    return store;
  }

  /** @param {Ranges} ranges @param {number} start @param {Uint8Array} tail End of the file, from byte `start`. */
  constructor(ranges, start, tail) {
    this.ranges = ranges;
    this.name = ranges.name;
    this.start = start;
    this.tail = tail;
    /** @type {Map<string, Member>} */
    this.members = new Map();
  }

  /** @param {number} offset @param {number} length */
  async read(offset, length) {
    if (offset >= this.start) return viewOf(this.tail.subarray(offset - this.start, offset - this.start + length));
    return viewOf(await this.ranges.read(offset, length));
  }

  /** @param {string} what */
  broken(what) {
    return new RripError("zip.structure", `${this.name}: is no whole zip archive: ${what}`);
  }

  /** Where the directory is, and how many bytes and entries it has. */
  async findDirectory() {
    const { size } = this.ranges;
    let end = await this.findEnd(size, 0);
    end ??= await this.findEnd(size, MAX_COMMENT);
    if (!end) throw this.broken("it has no end record");
    const { view, at } = end;
    let [length, offset] = [view.getUint32(12, true), view.getUint32(16, true)];
    let behind = at;
    if (at >= LOCATOR_BYTES) {
      const locator = await this.read(at - LOCATOR_BYTES, LOCATOR_BYTES);
      if (locator.getUint32(0, true) === END64_LOCATOR) {
        behind = at - LOCATOR_BYTES - END64_BYTES;
        const record = behind >= 0 ? await this.read(behind, END64_BYTES) : null;
        if (!record || record.getUint32(0, true) !== END64) throw this.broken("it has no end record of 64 bits");
        [length, offset] = [uint64(record, 40), uint64(record, 48)];
      }
    }
    // Bytes may stand before the archive: offsets count from its first member then.
    const shift = behind - length - offset;
    if (shift < 0) throw this.broken("its directory reaches outside");
    return { length, offset: offset + shift, shift };
  }

  /** @param {number} size @param {number} comment Longest comment behind the record. */
  async findEnd(size, comment) {
    const from = Math.max(0, size - END_BYTES - comment);
    if (size < END_BYTES) return null;
    const view = await this.read(from, size - from);
    for (let at = view.byteLength - END_BYTES; at >= 0; at--) {
      if (view.getUint32(at, true) === END) {
        return { at: from + at, view: new DataView(view.buffer, view.byteOffset + at, END_BYTES) };
      }
    }
    return null;
  }

  async readDirectory() {
    const { length, offset, shift } = await this.findDirectory();
    if (length > MAX_DIRECTORY_BYTES)
      throw new RripError("limit.directory", `${this.name}: its directory has ${length} bytes`);
    const view = await this.read(offset, length);
    const text = new TextDecoder();
    for (let at = 0; at < length;) {
      if (at + ENTRY_BYTES > length || view.getUint32(at, true) !== ENTRY)
        throw this.broken("its directory has no entry where one has to be");
      const sizes = [28, 30, 32].map((each) => view.getUint16(at + each, true));
      const [nameBytes, extraBytes, commentBytes] = sizes;
      if (at + ENTRY_BYTES + nameBytes + extraBytes > length)
        throw this.broken("an entry reaches outside its directory");
      const name = text.decode(new Uint8Array(view.buffer, view.byteOffset + at + ENTRY_BYTES, nameBytes));
      const extra = new DataView(view.buffer, view.byteOffset + at + ENTRY_BYTES + nameBytes, extraBytes);
      const [size, packed, place] = this.wide(
        extra,
        [24, 20, 42].map((each) => view.getUint32(at + each, true)),
      );
      const header = MEMBER_BYTES + nameBytes + extraBytes + SLACK_BYTES;
      this.members.set(name, { offset: place + shift, packed, size, method: view.getUint16(at + 10, true), header });
      at += ENTRY_BYTES + nameBytes + extraBytes + commentBytes;
    }
  }

  /** Size, packed size and offset, each from the extra field where it is too large for 32 bits. @param {DataView} extra @param {number[]} numbers */
  wide(extra, numbers) {
    if (!numbers.includes(0xffffffff)) return numbers;
    for (let at = 0; at + 4 <= extra.byteLength;) {
      const [id, length] = [extra.getUint16(at, true), extra.getUint16(at + 2, true)];
      if (id !== 1) {
        at += 4 + length;
        continue;
      }
      let next = at + 4;
      return numbers.map((number) => {
        if (number !== 0xffffffff) return number;
        if (next + 8 > Math.min(extra.byteLength, at + 4 + length))
          throw this.broken("an entry lacks its sizes of 64 bits");
        next += 8;
        return uint64(extra, next - 8);
      });
    }
    return numbers;
  }

  /**
   * The member of a name.
   *
   * @param {string} key
   * @param {number} most
   * @param {AbortSignal} [signal]
   */
  async get(key, most, signal) {
    const member = this.members.get(key);
    if (!member) return null;
    if (Math.max(member.size, member.packed) > most)
      throw new RripError(tooLarge(key), `${this.name}: ${key} has ${member.size} bytes, this reader accepts ${most}`);
    const { offset, packed, method } = member;
    const length = Math.max(MEMBER_BYTES, Math.min(member.header + packed, this.ranges.size - offset));
    const data = await this.ranges.read(offset, length, signal);
    const view = viewOf(data);
    if (view.getUint32(0, true) !== MEMBER)
      throw new RripError("zip.member", `${this.name}: there is no member of the archive at byte ${offset}`);
    const start = MEMBER_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
    const isWhole = start + packed <= data.length;
    const found = isWhole
      ? data.subarray(start, start + packed)
      : await this.ranges.read(offset + start, packed, signal);
    if (method === STORED) return found;
    if (method !== DEFLATED)
      throw new RripError(
        "zip.method",
        `${this.name}: ${key} is compressed by method ${method}, which this reader does not know`,
      );
    try {
      const inflated = await inflate(found, "deflate-raw", Math.max(1, member.size));
      return inflated.subarray(0, member.size);
    } catch {
      throw new RripError("zip.member", `${this.name}: ${key} does not inflate: it is damaged`);
    }
  }
}

/** @param {string} key */
function tooLarge(key) {
  if (key.endsWith("zarr.json")) return "limit.metadata";
  return key.startsWith("icc_profile/") || key.startsWith("associated/") ? "limit.attachment" : "tile.size";
}
