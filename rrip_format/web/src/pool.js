// Workers that decode, and the compiled core that all share.

import { Core } from "./core.js";
import { RripError } from "./errors.js";

/** @typedef {import("./core.js").CodingNumbers} CodingNumbers */
/** @typedef {import("./core.js").Part} Part */
/** @typedef {ReturnType<Core["decode"]>} Decoded */
/** @typedef {{coding: CodingNumbers, parts: Part[], width: number, height: number}} Work */
/** @typedef {{work: Work, signal?: AbortSignal, resolve: (decoded: Decoded) => void, reject: (error: unknown) => void}} Job */

const MAX_WORKERS = 4;

/** @type {Map<string, Promise<WebAssembly.Module>>} */
const modules = new Map();

/**
 * Compile the core, once for each address.
 *
 * @param {string | URL | BufferSource | WebAssembly.Module} [wasm]
 * @returns {Promise<WebAssembly.Module>}
 */
export async function loadWasm(wasm = new URL("../rrip.wasm", import.meta.url)) {
  if (wasm instanceof WebAssembly.Module) return wasm;
  if (typeof wasm !== "string" && !(wasm instanceof URL)) return WebAssembly.compile(wasm);
  const url = String(wasm);
  const known = modules.get(url) ?? compile(url);
  modules.set(url, known);
  known.catch(() => modules.delete(url));
  return known;
}

/** @param {string} url */
async function compile(url) {
  if (url.startsWith("file:")) {
    const node = "node:fs/promises"; // in a variable, so that bundlers for browsers do not look for it
    const { readFile } = await import(/* @vite-ignore */ /* webpackIgnore: true */ node);
    return WebAssembly.compile(await readFile(new URL(url)));
  }
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new RripError("storage.failed", `${url}: the decoder cannot be loaded`);
  }
  if (!response.ok)
    throw new RripError("storage.failed", `${url}: the decoder cannot be loaded (status ${response.status})`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Decodes in workers where there are any, else in the calling thread. */
export class Pool {
  /** @param {Promise<WebAssembly.Module>} module @param {Promise<Core>} core Of the calling thread. @param {number} [count] */
  constructor(
    module,
    core,
    count = Math.min(MAX_WORKERS, Math.max(2, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1)),
  ) {
    this.module = module;
    this.core = core;
    /** @type {Job[]} */
    this.waiting = [];
    /** @type {Worker[]} */
    this.idle = [];
    /** @type {Set<Worker>} */
    this.all = new Set();
    this.count = typeof Worker === "undefined" ? 0 : count;
    const first = this.count ? this.hire() : null; // which starts while a slide is opened
    if (first) this.idle.push(first);
  }

  /**
   * As {@link Core.decode}.
   *
   * @param {CodingNumbers} coding
   * @param {Part[]} parts
   * @param {number} width
   * @param {number} height
   * @param {AbortSignal} [signal] Keeps work from beginning.
   * @returns {Promise<Decoded>}
   */
  async decode({ uuid, tile, residuals, background }, parts, width, height, signal) {
    const work = { coding: { uuid, tile, residuals, background }, parts, width, height };
    if (!this.count) return (await this.core).decode(work.coding, parts, width, height);
    return new Promise((resolve, reject) => {
      this.waiting.push({ work, signal, resolve, reject });
      this.start();
    });
  }

  start() {
    while (this.waiting.length) {
      const [job] = this.waiting;
      if (job.signal?.aborted) {
        this.waiting.shift();
        job.reject(job.signal.reason);
        continue;
      }
      const worker = this.idle.pop() ?? this.hire();
      if (!worker) return;
      this.waiting.shift();
      this.run(worker, job);
    }
  }

  /** @returns {Worker | null} */
  hire() {
    if (this.all.size >= this.count) return null;
    try {
      const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
      this.module.then((module) => worker.postMessage({ module })).catch(() => {}); // whoever opens the slide is told
      worker.onerror = () => this.lose(worker);
      this.all.add(worker);
      return worker;
    } catch {
      this.stopHiring();
      return null;
    }
  }

  /** Go on without a worker that does not work. @param {Worker} worker */
  lose(worker) {
    this.all.delete(worker);
    this.idle = this.idle.filter((each) => each !== worker);
    worker.terminate();
    this.stopHiring();
  }

  /** Go on without workers: a page may not be allowed to have any. */
  stopHiring() {
    if (this.all.size) return;
    this.count = 0;
    for (const { work, resolve, reject } of this.waiting.splice(0)) {
      this.core.then((core) => core.decode(work.coding, work.parts, work.width, work.height)).then(resolve, reject);
    }
  }

  /** @param {Worker} worker @param {Job} job */
  run(worker, job) {
    worker.onmessage = ({ data }) => {
      if (data.error) job.reject(data.rule ? new RripError(data.rule, data.error) : new Error(data.error));
      else job.resolve(data);
      this.idle.push(worker);
      this.start();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.waiting.unshift(job);
      this.lose(worker);
      this.start();
    };
    void this.module.then(() => worker.postMessage(job.work)); // behind the core, which is sent when it is there
  }

  /** End all workers. */
  close() {
    for (const worker of this.all) worker.terminate();
    for (const { reject } of this.waiting.splice(0)) reject(new RripError("storage.failed", "the slide was closed"));
    this.all.clear();
    this.idle = [];
  }
}
