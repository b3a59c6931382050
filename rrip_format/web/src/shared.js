// Work that several callers wait for, done once, and broken off when none of them waits any more.

/**
 * @template V
 * @typedef {{promise: Promise<V>, abort: AbortController, waiting: number}} Running
 */

/** @template V */
export class Shared {
  constructor() {
    /** @type {Map<string, Running<V>>} */
    this.running = new Map();
  }

  /**
   * Wait for the work of a key, which begins with the first caller.
   *
   * @param {string} key
   * @param {AbortSignal | undefined} signal Of this caller.
   * @param {(signal: AbortSignal) => Promise<V>} work
   * @returns {Promise<V>}
   */
  join(key, signal, work) {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const running = this.running.get(key) ?? this.begin(key, work);
    running.waiting++;
    return new Promise((resolve, reject) => {
      const leave = () => {
        reject(signal?.reason);
        if (--running.waiting === 0) {
          this.running.delete(key);
          running.abort.abort();
        }
      };
      signal?.addEventListener("abort", leave, { once: true });
      running.promise.then(resolve, reject).finally(() => signal?.removeEventListener("abort", leave));
    });
  }

  /** @param {string} key @param {(signal: AbortSignal) => Promise<V>} work @returns {Running<V>} */
  begin(key, work) {
    const abort = new AbortController();
    const promise = work(abort.signal).finally(() => {
      if (this.running.get(key) === running) this.running.delete(key);
    });
    const running = { promise, abort, waiting: 0 };
    this.running.set(key, running);
    return running;
  }
}
