// Bytes over HTTP, by ranges of one file or as a folder of files.

import { readAtMost } from "./bytes.js";
import { RripError, isAbort, throwIfAborted } from "./errors.js";

/** Tries of one request, when the server fails for a moment. */
const TRIES = 3;
const FIRST_PAUSE_MS = 200;

/** Statuses that may be others a moment later. */
const PASSING = new Set([408, 429, 500, 502, 503, 504]);

/** @param {string} url @param {string} what */
const failed = (url, what) => new RripError("storage.failed", `${url}: ${what}`);

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {string} url */
function whyNoAnswer(url) {
  const here = globalThis.location?.origin;
  const there = new URL(url).origin;
  if (here && there !== here) {
    return (
      "no answer that this page may read. Either the server cannot be reached, or it does not allow other sites to read it (CORS): " +
      `it has to send "Access-Control-Allow-Origin: ${here}" or "*", also with errors`
    );
  }
  return "no answer: the server cannot be reached";
}

/**
 * Ask a server, again where it fails for a moment.
 *
 * Without `no-store` Chromium lets ranges of one URL wait for each other, because they would share a cache entry.
 *
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function request(url, init = {}) {
  for (let trial = 1; ; trial++) {
    let problem;
    try {
      const response = await fetch(url, { cache: "no-store", ...init });
      if (!PASSING.has(response.status) || trial === TRIES) return response;
      await response.body?.cancel();
    } catch (error) {
      if (isAbort(error)) throw error;
      problem = error;
    }
    throwIfAborted(init.signal ?? undefined);
    if (problem && trial === TRIES) throw failed(url, whyNoAnswer(url));
    await pause(FIRST_PAUSE_MS * 2 ** trial);
  }
}

/**
 * The error of a status that is none of those that were hoped for; its body is not read.
 *
 * @param {Response} response
 * @param {string} url
 * @returns {Promise<RripError>}
 */
export async function statusError(response, url) {
  await response.body?.cancel().catch(() => {});
  const { status } = response;
  if (status === 401 || status === 403) {
    return failed(url, `the server refuses it (${status}): log in, renew the link, or allow reading it on the server`);
  }
  if (status === 404 || status === 410)
    return failed(url, `the server has no such file (${status}): correct the address`);
  return failed(url, `the server answers with status ${status}`);
}

/**
 * The body of an answer, of which at most `most` bytes are taken.
 *
 * @param {Response} response
 * @param {number} most
 * @param {string} url
 * @returns {Promise<Uint8Array<ArrayBuffer>>} One byte more than `most` says that there are more.
 */
export async function bodyOf(response, most, url) {
  if (!response.body) return new Uint8Array(0);
  try {
    return await readAtMost(response.body, most);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw failed(url, "the connection broke off: try again");
  }
}

/** A folder of files behind a URL. */
export class HttpFolder {
  /** @param {string} url */
  constructor(url) {
    const root = new URL(url);
    if (!root.pathname.endsWith("/")) root.pathname += "/";
    this.root = root;
    /** What errors call it. */
    this.name = root.href;
  }

  /**
   * A file, null where there is none.
   *
   * @param {string} key Path below the folder.
   * @param {number} most
   * @param {AbortSignal} [signal]
   * @returns {Promise<Uint8Array<ArrayBuffer> | null>} At most `most + 1` bytes.
   */
  async get(key, most, signal) {
    const url = new URL(this.root);
    url.pathname += key;
    const response = await request(url.href, { signal });
    if (response.status === 404) {
      await response.body?.cancel();
      return null;
    }
    if (response.status !== 200) throw await statusError(response, url.href);
    return bodyOf(response, most, url.href);
  }
}

/** Ranges of one file behind a URL. */
export class HttpFile {
  /** @param {string} url */
  constructor(url) {
    /** What errors call it. */
    this.name = url;
    /** Bytes of the file, null before they are known. @type {number | null} */
    this.size = null;
  }

  /**
   * Bytes of a range, fewer where the file ends.
   *
   * @param {number} offset
   * @param {number} length
   * @param {AbortSignal} [signal]
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async fetchRange(offset, length, signal) {
    // The length of a body can be read across origins, `Content-Range` only where a server exposes it. So a range to
    // the end of the file tells its size, and is broken off when enough of it has come.
    const isOpen = this.size === null && offset > 0;
    const range = `bytes=${offset}-${isOpen ? "" : offset + length - 1}`;
    const abort = new AbortController();
    const stop = () => abort.abort(signal?.reason);
    signal?.addEventListener("abort", stop);
    try {
      const response = await request(this.name, { headers: { Range: range }, signal: abort.signal });
      if (response.status === 416) {
        await response.body?.cancel();
        this.learnSize(response, offset, false);
        return new Uint8Array(0);
      }
      if (response.status === 200) {
        abort.abort();
        throw failed(
          this.name,
          "the server ignores byte ranges and sends the whole file; use one that answers them, such as nginx, S3, or 'rrip view'",
        );
      }
      if (response.status !== 206) throw await statusError(response, this.name);
      this.learnSize(response, offset, isOpen);
      const body = await bodyOf(response, length - 1, this.name);
      if (isOpen) abort.abort();
      return body.length > length ? body.subarray(0, length) : body;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /** @param {Response} response @param {number} offset @param {boolean} isOpen */
  learnSize(response, offset, isOpen) {
    if (this.size !== null) return;
    const told = /\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "");
    const length = response.headers.get("Content-Length");
    if (told) this.size = Number(told[1]);
    else if (isOpen && length && !response.headers.get("Content-Encoding")) this.size = offset + Number(length);
  }

  /** Ask for the size alone. @param {AbortSignal} [signal] @returns {Promise<number>} */
  async findSize(signal) {
    if (this.size === null) {
      const response = await request(this.name, { method: "HEAD", signal });
      const length = response.headers.get("Content-Length");
      if (response.ok && length) this.size = Number(length);
    }
    if (this.size === null) {
      throw failed(
        this.name,
        "the server does not say how long the file is: let it expose the header Content-Range, or answer HEAD",
      );
    }
    return this.size;
  }
}

/** Ranges of a file that the user has chosen. */
export class LocalFile {
  /** @param {Blob} blob @param {string} [name] */
  constructor(blob, name) {
    this.blob = blob;
    this.name = name ?? /** @type {any} */ (blob).name ?? "file";
    this.size = blob.size;
  }

  /** @param {number} offset @param {number} length */
  async fetchRange(offset, length) {
    try {
      return new Uint8Array(await this.blob.slice(offset, offset + length).arrayBuffer());
    } catch {
      throw failed(this.name, "it cannot be read: it was moved or changed since it was chosen");
    }
  }

  async findSize() {
    return this.size;
  }
}
