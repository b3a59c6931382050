// Bytes over HTTP, by ranges of one file or as a folder of files.

import { readAtMost } from "./bytes.js";
import { RripError, throwIfAborted } from "./errors.js";

/**
 * How long and how often a server is asked: tries of one request, the first pause between them, which doubles, the
 * longest one, and the time without any byte after which a try has failed. Tests make them shorter.
 */
export const patience = { tries: 5, pauseMs: 200, longestPauseMs: 20_000, silenceMs: 30_000 };

/** Statuses that may be others a moment later. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+|\*)$/;

/** @param {string} url @param {string} what */
const failed = (url, what) => new RripError("storage.failed", `${url}: ${what}`);

/** A failure after which another try may succeed; `error` is null where nothing is known of it. */
class Passing {
  /** @param {RripError | null} error @param {number} [waitMs] What the server asks to wait. */
  constructor(error, waitMs = 0) {
    this.error = error;
    this.waitMs = waitMs;
  }
}

/** One try: it ends with its caller's signal, or when nothing has come for too long. */
class Attempt {
  /** @param {AbortSignal} [signal] */
  constructor(signal) {
    const abort = new AbortController();
    const stop = () => abort.abort(signal?.reason);
    signal?.addEventListener("abort", stop);
    this.signal = abort.signal;
    this.isSilent = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** Begin to wait for the next bytes. */
    this.heard = () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.isSilent = true;
        abort.abort();
      }, patience.silenceMs);
    };
    /** Break off what is left of the answer. */
    this.end = () => {
      clearTimeout(this.timer);
      signal?.removeEventListener("abort", stop);
      abort.abort();
    };
    this.heard();
  }
}

/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Why a request had no answer, as far as a page can find out. @param {string} url */
async function whyNoAnswer(url) {
  if (globalThis.navigator?.onLine === false) return "no answer: this computer is offline";
  const answers = await fetch(url, {
    method: "HEAD",
    cache: "no-store",
    signal: AbortSignal.timeout(patience.silenceMs),
  }).then(
    ({ ok }) => ok,
    () => false,
  );
  if (answers) {
    return (
      "the server is there, but no answer to a request for bytes of the file can be read: the connection breaks off, " +
      "or the server compresses the file (Content-Encoding), which it must not do with slides"
    );
  }
  const here = globalThis.location?.origin;
  if (here && new URL(url).origin !== here) {
    return (
      "no answer that this page may read. Either the server cannot be reached, or it does not allow other sites to read it (CORS): " +
      `it has to send "Access-Control-Allow-Origin: ${here}" or "*", also with errors`
    );
  }
  return "no answer: the server cannot be reached";
}

/**
 * Ask a server, again where it fails for a moment, breaks off, or falls silent.
 *
 * Without `no-store` Chromium lets ranges of one URL wait for each other, because they would share a cache entry.
 *
 * @template V
 * @param {string} url
 * @param {RequestInit} init
 * @param {AbortSignal | undefined} signal
 * @param {(response: Response, attempt: Attempt) => Promise<V>} take Reads an answer; what it throws as `Passing` is tried again.
 * @returns {Promise<V>}
 */
async function ask(url, init, signal, take) {
  for (let trial = 1; ; trial++) {
    throwIfAborted(signal);
    const attempt = new Attempt(signal);
    let passing;
    try {
      const response = await fetch(url, { cache: "no-store", ...init, signal: attempt.signal });
      attempt.heard();
      if (!PASSING.has(response.status)) return await take(response, attempt);
      const wait = Number(response.headers.get("Retry-After"));
      passing = new Passing(statusError(response, url), wait > 0 ? 1000 * wait : 0);
    } catch (error) {
      throwIfAborted(signal);
      if (error instanceof RripError) throw error;
      if (error instanceof Passing) passing = error;
      else if (attempt.isSilent)
        passing = new Passing(failed(url, `the server has sent nothing for ${patience.silenceMs / 1000} s`));
      else passing = new Passing(null);
    } finally {
      attempt.end();
    }
    if (trial === patience.tries) throw passing.error ?? failed(url, await whyNoAnswer(url));
    const wait = Math.max(passing.waitMs, patience.pauseMs * 2 ** (trial - 1));
    await pause(Math.min(wait, patience.longestPauseMs), signal);
  }
}

/** The error of a status that is none of those that were hoped for. @param {Response} response @param {string} url */
function statusError({ status }, url) {
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
 * @param {Attempt} attempt
 * @returns {Promise<Uint8Array<ArrayBuffer>>} One byte more than `most` says that there are more.
 */
async function bodyOf(response, most, url, attempt) {
  if (!response.body) return new Uint8Array(0);
  try {
    return await readAtMost(response.body, most, attempt.heard);
  } catch (error) {
    if (attempt.isSilent) throw error;
    throw new Passing(failed(url, "the connection broke off"));
  }
}

/** Length of a body, null where the server does not say it. @param {Response} response */
function lengthOf({ headers }) {
  const length = headers.get("Content-Length");
  return length === null || headers.get("Content-Encoding") ? null : Number(length);
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
  get(key, most, signal) {
    const url = new URL(this.root);
    url.pathname += key;
    return ask(url.href, {}, signal, async (response, attempt) => {
      if (response.status === 404) return null;
      if (response.status !== 200) throw statusError(response, url.href);
      const data = await bodyOf(response, most, url.href, attempt);
      const length = lengthOf(response);
      if (length !== null && data.length < Math.min(length, most))
        throw new Passing(failed(url.href, `the connection broke off after ${data.length} of ${length} bytes`));
      return data;
    });
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
    /** What is known of the version that is read, as the server tells it. @type {Map<string, string>} */
    this.version = new Map();
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
    const Range = `bytes=${offset}-${isOpen ? "" : offset + length - 1}`;
    const data = await ask(this.name, { headers: { Range } }, signal, (response, attempt) =>
      this.takeRange(response, offset, length, isOpen, attempt),
    );
    if (isOpen) await this.findSize(signal);
    return data;
  }

  /** @param {Response} response @param {number} offset @param {number} length @param {boolean} isOpen @param {Attempt} attempt */
  async takeRange(response, offset, length, isOpen, attempt) {
    if (response.status === 416) {
      this.learnSize(response, offset, false);
      return new Uint8Array(0);
    }
    const told = CONTENT_RANGE.exec(response.headers.get("Content-Range") ?? "");
    if (response.status === 200 && !told) throw failed(this.name, whyWhole(response)); // some servers call a part 200
    if (response.status !== 206 && response.status !== 200) throw statusError(response, this.name);
    this.checkVersion(response);
    const declared = lengthOf(response);
    const end = told ? Number(told[2]) + 1 : declared === null ? null : offset + declared;
    if ((told && Number(told[1]) !== offset) || (!isOpen && end !== null && end > offset + length)) {
      const sent = told ? `bytes ${told[1]} … ${told[2]}` : `${declared} bytes`;
      throw failed(
        this.name,
        `the server sends ${sent} in answer to a request for bytes ${offset} … ${offset + length - 1}: it, or a cache before it, does not answer byte ranges as they are asked for`,
      );
    }
    this.learnSize(response, offset, isOpen);
    const body = await bodyOf(response, length - 1, this.name, attempt);
    const wanted = Math.min(length, (end ?? this.size ?? offset) - offset);
    if (body.length < wanted)
      throw new Passing(failed(this.name, `the connection broke off after ${body.length} of ${wanted} bytes`));
    return body.length > length ? body.subarray(0, length) : body;
  }

  /** Throw if the file is another one than that which was opened. @param {Response} response */
  checkVersion({ headers }) {
    const total = CONTENT_RANGE.exec(headers.get("Content-Range") ?? "")?.[3];
    const now = {
      etag: headers.get("ETag"),
      modified: headers.get("Last-Modified"),
      size: total === "*" ? null : total,
    };
    for (const [name, value] of Object.entries(now)) {
      if (!value) continue;
      if ((this.version.get(name) ?? value) !== value)
        throw failed(this.name, "the file was replaced since it was opened: reload the page, or open it again");
      this.version.set(name, value);
    }
  }

  /** @param {Response} response @param {number} offset @param {boolean} isOpen */
  learnSize(response, offset, isOpen) {
    if (this.size !== null) return;
    const told = /\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "");
    const length = lengthOf(response);
    if (told) this.size = Number(told[1]);
    else if (isOpen && length !== null) this.size = offset + length;
  }

  /** Ask for the size alone, if it is not known. @param {AbortSignal} [signal] @returns {Promise<number>} */
  async findSize(signal) {
    this.size ??= await ask(this.name, { method: "HEAD" }, signal, async (response) =>
      response.ok ? lengthOf(response) : null,
    );
    if (this.size === null) {
      throw failed(
        this.name,
        "the server does not say how long the file is: let it expose the header Content-Range, or answer HEAD",
      );
    }
    return this.size;
  }
}

/** What a whole file in answer to a range means. @param {Response} response */
function whyWhole({ headers }) {
  if ((headers.get("Content-Type") ?? "").startsWith("text/html"))
    return "the server sends a web page instead of the slide: log in there, or correct the address";
  return "the server ignores byte ranges and sends the whole file; use one that answers them, such as nginx, S3, or 'rrip view'";
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
