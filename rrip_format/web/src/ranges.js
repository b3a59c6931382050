// Ranges that are asked for at about the same time, merged where they are near each other.

import { RripError, isAbort } from "./errors.js";

/** @typedef {import("./http.js").HttpFile | import("./http.js").LocalFile} RangeFile */

/**
 * @typedef {object} Wanted
 * @property {number} offset
 * @property {number} length
 * @property {AbortSignal | undefined} signal
 * @property {(data: Uint8Array) => void} resolve
 * @property {(error: unknown) => void} reject
 */

/** Bytes between two ranges that are rather read than left out: about what a request more costs. */
const LARGEST_GAP = 1 << 16;
/** Bytes of a merged range: no longer, so that its first tiles do not wait for its last ones. */
const LARGEST_RANGE = 1 << 20;
/** Requests at the same time: browsers have six connections to a server without HTTP/2. */
const AT_ONCE = 6;
/** Time in which requests gather, ms. */
const GATHER_MS = 2;

/** Reads a file in few requests. */
export class Ranges {
  /** @param {RangeFile} file */
  constructor(file) {
    this.file = file;
    /** What errors call it. @type {string} */
    this.name = file.name;
    /** @type {Wanted[]} */
    this.waiting = [];
    this.running = 0;
    this.isTimed = false;
    /** Requests and bytes so far, for whoever measures. */
    this.counts = { requests: 0, bytes: 0 };
  }

  /** Bytes of the file, once something was read. @returns {number} */
  get size() {
    if (this.file.size === null) throw new RripError("storage.failed", `${this.name}: its size is not known yet`);
    return this.file.size;
  }

  /**
   * Bytes of a range, fewer where the file ends; at once, by a request of its own.
   *
   * @param {number} offset
   * @param {number} length
   * @param {AbortSignal} [signal]
   */
  async readNow(offset, length, signal) {
    this.counts.requests++;
    const data = await this.file.fetchRange(offset, length, signal);
    this.counts.bytes += data.length;
    return data;
  }

  /**
   * Exactly `length` bytes from `offset`.
   *
   * @param {number} offset
   * @param {number} length
   * @param {AbortSignal} [signal]
   * @returns {Promise<Uint8Array>}
   */
  read(offset, length, signal) {
    if (length === 0) return Promise.resolve(new Uint8Array(0));
    return new Promise((resolve, reject) => {
      if (offset + length > this.size) {
        reject(
          new RripError(
            "file.range",
            `${this.name}: bytes ${offset} … ${offset + length} of a file of ${this.size}: it is truncated or damaged`,
          ),
        );
        return;
      }
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const wanted = { offset, length, signal, resolve, reject };
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.waiting.push(wanted);
      if (!this.isTimed) {
        this.isTimed = true;
        setTimeout(() => {
          this.isTimed = false;
          this.start();
        }, GATHER_MS);
      }
    });
  }

  start() {
    this.waiting = this.waiting.filter((each) => !each.signal?.aborted);
    while (this.running < AT_ONCE && this.waiting.length) {
      const group = this.takeGroup();
      this.running++;
      void this.run(group).finally(() => {
        this.running--;
        this.start();
      });
    }
  }

  /** The request that waits longest, and those that go with it. @returns {Wanted[]} */
  takeGroup() {
    const [first] = this.waiting;
    const sorted = [...this.waiting].sort((a, b) => a.offset - b.offset);
    let from = sorted.indexOf(first);
    let to = from + 1;
    const start = () => sorted[from].offset;
    let end = first.offset + first.length;
    for (;;) {
      const next = sorted[to];
      if (
        next &&
        next.offset - end <= LARGEST_GAP &&
        Math.max(end, next.offset + next.length) - start() <= LARGEST_RANGE
      ) {
        end = Math.max(end, next.offset + next.length);
        to++;
        continue;
      }
      const before = sorted[from - 1];
      if (before && start() - (before.offset + before.length) <= LARGEST_GAP && end - before.offset <= LARGEST_RANGE) {
        end = Math.max(end, before.offset + before.length);
        from--;
        continue;
      }
      break;
    }
    const group = sorted.slice(from, to);
    const taken = new Set(group);
    this.waiting = this.waiting.filter((each) => !taken.has(each));
    return group;
  }

  /** @param {Wanted[]} group */
  async run(group) {
    const abort = new AbortController();
    const drop = () => {
      if (group.every((each) => each.signal?.aborted)) abort.abort();
    };
    for (const each of group) each.signal?.addEventListener("abort", drop);
    const offset = Math.min(...group.map((each) => each.offset));
    const end = Math.max(...group.map((each) => each.offset + each.length));
    try {
      const data = await this.readNow(offset, end - offset, abort.signal);
      if (data.length < end - offset) {
        throw new RripError(
          "file.range",
          `${this.name}: the server sends ${data.length} of ${end - offset} bytes at byte ${offset}: the file is truncated, or was replaced`,
        );
      }
      for (const each of group) {
        const from = each.offset - offset;
        each.resolve(data.slice(from, from + each.length));
      }
    } catch (error) {
      for (const each of group)
        each.reject(
          isAbort(error) && !each.signal?.aborted
            ? new RripError("storage.failed", `${this.name}: a request was broken off`)
            : error,
        );
    } finally {
      for (const each of group) each.signal?.removeEventListener("abort", drop);
    }
  }
}
